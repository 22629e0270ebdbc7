package adapters_test

import (
	"net/http"
	"testing"
	"testing/fstest"

	"github.com/siokit/siokit/core"
)

// Wherever the server is mounted, and with or without the last slash on either side, every transport works and
// nothing is redirected: a redirected POST loses its body, and no WebSocket client follows.
func TestMountedAnywhere(t *testing.T) {
	places := []struct {
		name  string
		mount func(r router, srv *core.Server)
		path  string
	}{
		{"app", func(r router, srv *core.Server) { r.mount("/socket.io/", srv) }, "/socket.io"},
		{"app without slash", func(r router, srv *core.Server) { r.mount("/socket.io", srv) }, "/socket.io"},
		{"prefix", func(r router, srv *core.Server) { r.mount("/api/v1/socket.io/", srv) }, "/api/v1/socket.io"},
		{"group", func(r router, srv *core.Server) { r.group("/live").mount("/socket.io/", srv) }, "/live/socket.io"},
		{"group with parameter", func(r router, srv *core.Server) {
			r.group("/orgs/{org}").mount("/{room}/socket.io/", srv)
		}, "/orgs/7/lobby/socket.io"},
		{"sub-router", func(r router, srv *core.Server) { r.sub("/inner").mount("/socket.io/", srv) }, "/inner/socket.io"},
		{"group in group", func(r router, srv *core.Server) {
			r.group("/a").group("/b").mount("/socket.io", srv)
		}, "/a/b/socket.io"},
	}
	everywhere(t, func(t *testing.T, newRouter func(bool) router) {
		for _, place := range places {
			t.Run(place.name, func(t *testing.T) {
				t.Parallel()
				r := newRouter(false)
				s := serve(t, r)
				srv, _ := newServer(t, core.Config{})
				place.mount(r, srv)
				for _, slash := range []string{"", "/"} {
					for _, transport := range transports {
						p := s.dial(transport, place.path+slash, nil)
						p.wantCall("hello", "echo", "hello")
						p.kill()
					}
				}
			})
		}
	})
}

func TestOtherPathsAreNotFound(t *testing.T) {
	everywhere(t, func(t *testing.T, newRouter func(bool) router) {
		r := newRouter(false)
		s := serve(t, r)
		srv, _ := newServer(t, core.Config{Path: "/foo/"})
		r.mount("/foo/", srv)
		const query = "?EIO=4&transport=polling"
		s.dial("polling", "/foo", nil).wantCall("yes", "echo", "yes")
		s.dial("polling", "/foo/", nil).wantCall("yes", "echo", "yes")
		for _, path := range []string{"/foobar", "/foobar/", "/xfoo", "/xfoo/", "/fo", "/", "/foo/bar", "/foo/bar/", "/foo/socket.io.js"} {
			s.want(http.StatusNotFound, http.MethodGet, path+query)
		}
	})
}

func TestClientFilesBesideTheEndpoint(t *testing.T) {
	everywhere(t, func(t *testing.T, newRouter func(bool) router) {
		r := newRouter(false)
		s := serve(t, r)
		srv, _ := newServer(t, core.Config{Client: fstest.MapFS{
			"socket.io.min.js": {Data: []byte("// the client")},
			"secret.txt":       {Data: []byte("not yours")},
		}})
		r.group("/app").mount("/socket.io/", srv)
		if got := s.want(http.StatusOK, http.MethodGet, "/app/socket.io/socket.io.min.js"); got != "// the client" {
			t.Errorf("the client is %q", got)
		}
		s.want(http.StatusNotFound, http.MethodGet, "/app/socket.io/secret.txt")
	})
}
