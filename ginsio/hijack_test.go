package ginsio_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"
	gorilla "github.com/gorilla/sessions"
	"github.com/siokit/siokit/ginsio"
	"github.com/siokit/siokit/sessions"
)

// A WebSocket handler of the application's own hijacks the connection through gin's writer: like the first byte of an
// answer that saves the session, not the handler's return hours later.
func TestHijackSavesTheSession(t *testing.T) {
	store := gorilla.NewCookieStore([]byte("0123456789abcdef0123456789abcdef"))
	sess, err := sessions.New(store, "app", sessions.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	router := gin.New()
	router.Use(ginsio.Middleware(sess.Middleware))
	router.GET("/", func(c *gin.Context) {
		s := sessions.From(c)
		if err := s.Set("n", 1); err != nil {
			t.Error(err)
		}
		conn, rw, err := c.Writer.Hijack()
		if err != nil {
			t.Errorf("Hijack: %v", err)
			return
		}
		defer conn.Close()
		if s.Modified() {
			t.Error("the session is not saved after the hijack")
		}
		if err := s.Set("n", 2); !errors.Is(err, sessions.ErrTooLate) {
			t.Errorf("a write after Hijack gave %v", err)
		}
		fmt.Fprintf(rw, "HTTP/1.1 299 Raw\r\nContent-Length: 0\r\nConnection: close\r\nSet-Cookie: %s\r\n\r\n", c.Writer.Header().Get("Set-Cookie"))
		_ = rw.Flush()
	})
	srv := httptest.NewServer(router)
	defer srv.Close()
	resp, err := srv.Client().Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	srv.Client().CloseIdleConnections()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, c := range resp.Cookies() {
		r.AddCookie(c)
	}
	if n := sess.Open(r).Get("n"); resp.StatusCode != 299 || n != 1 {
		t.Errorf("%d, and n = %v", resp.StatusCode, n)
	}
}
