package echosio_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/siokit/siokit/echosio"
)

// As http.TimeoutHandler does, this one answers while the handler is still running. Echo would hand the handler's context to the next
// request, whose user it would then see.
func TestMiddlewareThatReturnsBeforeTheHandler(t *testing.T) {
	var url string
	seen, entered := make(chan string, 1), make(chan struct{})
	e := echo.New()
	e.GET("/bob", func(c echo.Context) error { c.Set("user", "bob"); return nil })
	slow := e.Group("", echosio.Middleware(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithCancel(r.Context())
			go next.ServeHTTP(httptest.NewRecorder(), r.WithContext(ctx))
			<-entered
			cancel()
			http.Error(w, "too late", http.StatusServiceUnavailable)
		})
	}))
	slow.GET("/ann", func(c echo.Context) error {
		c.Set("user", "ann")
		close(entered)
		<-c.Request().Context().Done()
		for range 20 {
			resp, err := http.Get(url + "/bob")
			if err != nil {
				t.Error(err)
				break
			}
			_ = resp.Body.Close()
		}
		seen <- fmt.Sprint(c.Get("user"), " ", c.Request().URL)
		return nil
	})
	srv := httptest.NewServer(e)
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
