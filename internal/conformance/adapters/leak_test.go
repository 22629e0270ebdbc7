package adapters_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/siokit/siokit/core"
)

// CVE-2026-59725: a POST that is refused before its body has come must be answered, and its connection and
// goroutine given back, although the client keeps both open. Frameworks wrap the ResponseWriter through which the
// server sets the deadlines for that.
func TestRefusedPostWithoutBodyHoldsNothing(t *testing.T) {
	for _, f := range frameworks { // one after another: goroutines are counted
		t.Run(f.name, func(t *testing.T) {
			const sessions = 20
			var mu sync.Mutex
			open := map[net.Conn]bool{}
			r := f.new(false)
			r.use(func(next http.Handler) http.Handler { return next })
			s := serve(t, r, func(hs *http.Server) {
				hs.ConnState = func(c net.Conn, state http.ConnState) {
					mu.Lock()
					defer mu.Unlock()
					if state == http.StateClosed || state == http.StateHijacked {
						delete(open, c)
					} else {
						open[c] = true
					}
				}
			})
			srv, _ := newServer(t, core.Config{})
			r.mount("/socket.io/", srv)
			query := make([]string, sessions)
			for i := range query {
				query[i] = "/socket.io/?EIO=4&transport=polling&sid=" + sidOf(s.want(http.StatusOK, http.MethodGet, "/socket.io/?EIO=4&transport=polling"))
			}
			s.tr.CloseIdleConnections()
			eventually(t, "no connection open", func() bool { mu.Lock(); defer mu.Unlock(); return len(open) == 0 })
			baseline := runtime.NumGoroutine()

			address, _ := url.Parse(s.url)
			framings := []string{"Content-Length: 100", "Transfer-Encoding: chunked", "Content-Length: 100\r\nExpect: 100-continue", "Content-Length: 99999999"}
			clients := make([]net.Conn, sessions)
			for i := range clients {
				c, err := net.Dial("tcp", address.Host)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = c.Close() }()
				clients[i] = c
				_, err = fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: app.test\r\nContent-Type: application/octet-stream\r\n%s\r\n\r\n", query[i], framings[i%len(framings)])
				if err != nil {
					t.Fatal(err)
				}
			}
			for i, c := range clients {
				_ = c.SetReadDeadline(time.Now().Add(patience))
				br := bufio.NewReader(c)
				resp, err := http.ReadResponse(br, nil)
				if err != nil {
					t.Fatalf("%s: no answer: %v", framings[i%len(framings)], err)
				}
				if resp.StatusCode != http.StatusBadRequest {
					t.Errorf("%s: %d, want 400", framings[i%len(framings)], resp.StatusCode)
				}
				if _, err := io.Copy(io.Discard, br); os.IsTimeout(err) {
					t.Fatalf("%s: the connection stays open", framings[i%len(framings)])
				}
			}
			eventually(t, "no session left", func() bool { return srv.Stats().Connections == 0 })
			eventually(t, "every connection closed by the server", func() bool { mu.Lock(); defer mu.Unlock(); return len(open) == 0 })
			// Closed by us or not, the clients are still there. The first connection starts goroutines that stay.
			eventually(t, "the goroutines are back", func() bool { return runtime.NumGoroutine() <= baseline })
		})
	}
}
