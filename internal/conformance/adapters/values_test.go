package adapters_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/siokit/siokit/core"
)

// whoServer answers "who" with what the framework's middleware and the route said at the handshake.
func whoServer(t *testing.T, r router, cfg core.Config) *core.Server {
	srv, _ := newServer(t, cfg)
	core.OnCall(srv, "who", func(c *core.Context, _ core.None) (string, error) {
		room := c.Handshake().PathValue("room")
		if other := r.param(c, "room"); other != room { // the adapter's own function
			return "", fmt.Errorf("room is %q and %q", room, other)
		}
		return r.get(c, "user") + " in " + room, nil
	})
	return srv
}

func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

// Frameworks use the context of a finished request for the next one. Whoever asks must still hear of themselves,
// while other users' requests come and go.
func TestValuesOutliveTheHandshakeAndStayApart(t *testing.T) {
	const users, rounds = 6, 12
	each(t, func(t *testing.T, r router, transport string) {
		s := serve(t, r)
		srv := whoServer(t, r, core.Config{})
		r.set("user", func(r *http.Request) string { return r.Header.Get("X-User") })
		rooms := r.group("/rooms/{room}")
		rooms.mount("/socket.io/", srv, "user")

		peers := make([]*peer, users)
		for i := range peers {
			peers[i] = s.dial(transport, fmt.Sprintf("/rooms/room-%d/socket.io/", i), header("X-User", fmt.Sprintf("user-%d", i)))
		}
		var all sync.WaitGroup
		for i, p := range peers {
			all.Go(func() {
				want := fmt.Sprintf(`"user-%d in room-%d"`, i, i)
				for range rounds {
					if got, err := p.call("who"); err != nil || got != want {
						t.Errorf("got %s (%v), want %s", got, err, want)
						return
					}
					// A request of a stranger, which takes a context from the pool and writes to it.
					path := fmt.Sprintf("%s/rooms/stranger-%d/socket.io/?EIO=3&transport=polling", s.url, i)
					if status, _, err := do(s.client, http.MethodGet, path, "", header("X-User", "stranger")); err != nil || status != http.StatusBadRequest {
						t.Errorf("a stranger's request: %d %v", status, err)
						return
					}
				}
			})
		}
		all.Wait()
	})
}

// A parameter whose name merely ends in "sid" does not make a request part of an older connection: its values
// must be copied as well.
func TestLookalikeOfTheSessionID(t *testing.T) {
	everywhere(t, func(t *testing.T, newRouter func(bool) router) {
		r := newRouter(false)
		s := serve(t, r)
		srv := whoServer(t, r, core.Config{})
		r.set("user", func(r *http.Request) string { return r.Header.Get("X-User") })
		r.group("/rooms/{room}").mount("/socket.io/", srv, "user")
		for _, query := range []string{"&tsid=1", "&sid=", "&%73id="} {
			status, open, err := do(s.client, http.MethodGet, s.url+"/rooms/r/socket.io/?EIO=4&transport=polling"+query, "", header("X-User", "ann"))
			if err != nil || status != http.StatusOK {
				t.Fatalf("%s: %d %s %v", query, status, open, err)
			}
			// What later requests say about themselves does not count.
			session := s.url + "/rooms/other/socket.io/?EIO=4&transport=polling&sid=" + sidOf(open)
			post := func(body string) {
				t.Helper()
				if status, answer, err := do(s.client, http.MethodPost, session, body, nil); err != nil || status != http.StatusOK {
					t.Fatalf("%s: %d %s %v", query, status, answer, err)
				}
			}
			post("40")
			_, _, _ = do(s.client, http.MethodGet, session, "", nil)
			post(`421["who"]`)
			if _, got, _ := do(s.client, http.MethodGet, session, "", nil); got != `431["ann in r"]` {
				t.Errorf("%s: got %s", query, got)
			}
			post("1")
		}
	})
}

func TestPathValues(t *testing.T) {
	each(t, func(t *testing.T, r router, transport string) {
		s := serve(t, r)
		srv, _ := newServer(t, core.Config{})
		core.OnCall(srv, "path", func(c *core.Context, name string) (string, error) { return c.Handshake().PathValue(name), nil })
		r.group("/orgs/{org}").mount("/{room}/socket.io/", srv)
		r.mount("/socket.io/", srv)
		p := s.dial(transport, "/orgs/7/the%20lobby/socket.io/", nil)
		for name, want := range map[string]string{"org": "7", "room": "the lobby", "Room": "", "other": "", "": ""} {
			p.wantCall(want, "path", name)
		}
		s.dial(transport, "/socket.io/", nil).wantCall("", "path", "org")
	})
}

// Frameworks that have a rule for the client's address decide; else core.Config.TrustedProxies does.
func TestRemoteIP(t *testing.T) {
	const peer, client, claimed = "127.0.0.1", "203.0.113.7", "198.51.100.9"
	for _, f := range frameworks {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			ownRule := f.name == "gin" || f.name == "echo"
			for _, test := range []struct {
				trust   bool     // by the framework
				proxies []string // of core.Config
				header  http.Header
				want    string
			}{
				// What a client claims comes first; what the proxy saw is last.
				{false, nil, header("X-Forwarded-For", claimed+", "+client), peer},
				{false, nil, header("X-Real-Ip", claimed), peer},
				{true, []string{peer}, header("X-Forwarded-For", claimed+", "+client), client},
				{false, []string{"127.0.0.0/8"}, header("X-Forwarded-For", claimed+", "+client), map[bool]string{true: peer, false: client}[ownRule]},
				{false, []string{"10.0.0.0/8"}, header("X-Forwarded-For", claimed+", "+client, "X-Real-Ip", claimed), peer},
			} {
				r := f.new(test.trust)
				s := serve(t, r)
				srv, _ := newServer(t, core.Config{TrustedProxies: test.proxies})
				core.OnCall(srv, "ip", func(c *core.Context, _ core.None) (string, error) { return c.Handshake().RemoteIP, nil })
				r.mount("/socket.io/", srv)
				for _, transport := range transports {
					s.dial(transport, "/socket.io/", test.header).wantCall(test.want, "ip")
				}
			}
		})
	}
}

func TestGroupsMiddlewareDecides(t *testing.T) {
	each(t, func(t *testing.T, r router, transport string) {
		s := serve(t, r)
		srv, _ := newServer(t, core.Config{})
		members := r.group("/members")
		members.refuse(func(r *http.Request) bool { return r.Header.Get("X-Pass") != "please" })
		members.mount("/socket.io/", srv)

		_, err := s.tryDial(transport, "/members/socket.io/", nil)
		if refused, ok := err.(*refusal); !ok || refused.status != http.StatusUnauthorized {
			t.Errorf("without the pass: %v, want 401 from the middleware", err)
		}
		if n := srv.Stats(); n.Connections != 0 || n.Refused != 0 {
			t.Errorf("the refused request reached the server: %+v", n)
		}
		s.dial(transport, "/members/socket.io/", header("X-Pass", "please")).wantCall("in", "echo", "in")
	})
}
