package chisio_test

import (
	"net/http"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/siokit/siokit/chisio"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/siotest"
)

// Each of chi's ways to find the client's address decides what RemoteIP is.
func TestRemoteIP(t *testing.T) {
	for name, test := range map[string]struct {
		mw      func(http.Handler) http.Handler
		proxies []string // of core.Config
		want    string
	}{
		"none":                     {func(next http.Handler) http.Handler { return next }, nil, "127.0.0.1"},
		"TrustedProxies":           {func(next http.Handler) http.Handler { return next }, []string{"127.0.0.1"}, "203.0.113.7"},
		"ClientIPFromXFF":          {middleware.ClientIPFromXFF("127.0.0.1/32"), nil, "203.0.113.7"},
		"ClientIPFromXFF, both":    {middleware.ClientIPFromXFF("127.0.0.1/32"), []string{"127.0.0.1", "203.0.113.0/24"}, "203.0.113.7"},
		"ClientIPFromXFF, foreign": {middleware.ClientIPFromXFF("10.0.0.0/8"), nil, "127.0.0.1"},
		//lint:ignore SA1019 deprecated, and in use
		"RealIP": {middleware.RealIP, nil, "198.51.100.9"},
	} {
		t.Run(name, func(t *testing.T) {
			srv, err := core.New(core.Config{TrustedProxies: test.proxies})
			if err != nil {
				t.Fatal(err)
			}
			core.OnCall(srv, "ip", func(c *core.Context, _ core.None) (string, error) { return c.Handshake().RemoteIP, nil })
			r := chi.NewRouter()
			r.Use(test.mw)
			chisio.Mount(r, "/socket.io/", srv)
			c := siotest.Serve(t, r, srv).Dial(siotest.Header("X-Forwarded-For", "198.51.100.9, 203.0.113.7"))
			if got := siotest.Call[string](c, "ip"); got != test.want {
				t.Errorf("RemoteIP is %s, want %s", got, test.want)
			}
		})
	}
}
