package adapters_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/siokit/siokit/core"
)

// Over HTTP/2 polling works in full. A WebSocket cannot be asked for as in HTTP/1.1, so it is refused with a reason
// and leaves no session behind, and the polling session that was to be upgraded goes on.
func TestHTTP2(t *testing.T) {
	everywhere(t, func(t *testing.T, newRouter func(bool) router) {
		r := newRouter(false)
		ts := httptest.NewUnstartedServer(r)
		ts.EnableHTTP2 = true
		ts.StartTLS()
		t.Cleanup(ts.Close)
		client := newClient(ts.Client().Transport)
		s := &site{t: t, url: ts.URL, client: client, errors: &lines{}, ts: ts}
		srv, logged := newServer(t, core.Config{})
		r.mount("/socket.io/", srv)

		resp, err := client.Get(s.url + "/")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.ProtoMajor != 2 {
			t.Fatalf("the test speaks %s", resp.Proto)
		}
		p := s.dial("polling", "/socket.io/", nil)
		big := strings.Repeat("big ", 3000)
		p.wantCall(big, "echo", big)

		for _, url := range []string{s.url + "/socket.io/?EIO=4&transport=websocket", p.url + "&transport=websocket"} {
			if status, body, err := do(client, http.MethodGet, url, "", nil); err != nil || status != http.StatusBadRequest {
				t.Errorf("WebSocket over HTTP/2: %d %s %v, want 400", status, body, err)
			}
		}
		if !strings.Contains(logged.String(), "WebSocket needs HTTP/1.1") {
			t.Errorf("the log does not say why: %s", logged)
		}
		if n := srv.Stats().Connections; n != 1 {
			t.Errorf("%d sessions, want the polling one", n)
		}
		p.wantCall("alive", "echo", "alive")
	})
}
