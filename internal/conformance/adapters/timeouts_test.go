package adapters_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/siokit/siokit/core"
)

// A server's ReadTimeout and WriteTimeout are meant for requests that do not wait. A poll that is parked for longer
// must live, and so must a WebSocket; the deadlines have to be moved through the framework's writer.
func TestServerTimeoutsSpareSockets(t *testing.T) {
	t.Parallel()
	waiting := map[string]*peer{}
	for _, f := range frameworks { // all of them wait at the same time
		r := f.new(false)
		s := serve(t, r, func(hs *http.Server) {
			hs.ReadTimeout, hs.WriteTimeout, hs.IdleTimeout = 3*time.Second, 3*time.Second, 3*time.Second
		})
		srv, _ := newServer(t, core.Config{})
		r.use(func(next http.Handler) http.Handler { return next })
		r.mount("/socket.io/", srv)
		for _, transport := range transports {
			p := s.dial(transport, "/socket.io/", nil)
			if _, err := p.call("later", 7000); err != nil {
				t.Fatal(err)
			}
			waiting[f.name+" "+transport] = p
		}
	}
	for name, p := range waiting {
		if got := p.next(); got != `2["now"]` {
			t.Errorf("%s: got %q after the wait (the connection: %v)", name, got, p.fate())
			continue
		}
		if got, err := p.call("echo", name); err != nil {
			t.Errorf("%s: %s %v", name, got, err)
		}
	}
}
