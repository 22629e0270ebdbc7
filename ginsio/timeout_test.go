package ginsio_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/siokit/siokit/ginsio"
)

// As http.TimeoutHandler does, this one answers while the handler is still running. gin would hand the handler's *gin.Context to the next
// request, whose user it would then see.
func TestMiddlewareThatReturnsBeforeTheHandler(t *testing.T) {
	var url string
	seen, entered := make(chan string, 1), make(chan struct{})
	router := gin.New()
	router.GET("/bob", func(c *gin.Context) { c.Set("user", "bob") })
	slow := router.Group("", ginsio.Middleware(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithCancel(r.Context())
			go next.ServeHTTP(httptest.NewRecorder(), r.WithContext(ctx))
			<-entered
			cancel()
			http.Error(w, "too late", http.StatusServiceUnavailable)
		})
	}))
	slow.GET("/ann", func(c *gin.Context) {
		c.Set("user", "ann")
		close(entered)
		<-c.Request.Context().Done()
		for range 20 {
			resp, err := http.Get(url + "/bob")
			if err != nil {
				t.Error(err)
				break
			}
			_ = resp.Body.Close()
		}
		seen <- fmt.Sprint(c.GetString("user"), " ", c.Request.URL)
	})
	srv := httptest.NewServer(router)
	defer srv.Close()
	defer http.DefaultClient.CloseIdleConnections()
	url = srv.URL
	resp, err := http.Get(url + "/ann")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("the answer is %s", resp.Status)
	}
	if got := <-seen; got != "ann /ann" {
		t.Errorf("ann's handler sees %q", got)
	}
}
