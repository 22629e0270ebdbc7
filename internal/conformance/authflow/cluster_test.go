package authflow_test

import (
	"testing"
	"time"

	gorilla "github.com/gorilla/sessions"

	"github.com/siokit/siokit/cluster/membus"
	"github.com/siokit/siokit/emitter"
	"github.com/siokit/siokit/internal/conformance/exampletest"
)

// twoSites are servers with the same users and sessions.
func twoSites(t *testing.T, hub *membus.Hub) (a, b *site) {
	t.Helper()
	store := gorilla.NewCookieStore([]byte("0123456789abcdef0123456789abcdef"))
	a, b = newSiteOn(t, hub.Bus(), store, nil), newSiteOn(t, hub.Bus(), store, nil)
	for deadline := time.Now().Add(patience); len(a.srv.Nodes()) == 0 || len(b.srv.Nodes()) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the servers do not find each other")
		}
	}
	return a, b
}

// A-11 with two servers: whichever hears of it, the login's sockets on both end within a second and are told why; and
// the cookie that they came with is nobody's on both.
func TestALoginEndsOnEveryServer(t *testing.T) {
	loggedOut := farewell("you were logged out", "logged out")
	revoked := farewell("your login was ended, please log in", "revoked")
	for name, end := range map[string]struct {
		do   func(a *site, cookie string)
		want string
	}{
		"logout": {func(a *site, cookie string) { a.visit(cookie, "/logout") }, loggedOut},
		"revoke": {func(a *site, _ string) { a.users.Revoke("ann") }, revoked},
		"revoke session": {func(a *site, cookie string) {
			_, id := a.visit(cookie, "/session")
			a.users.RevokeSession(id)
		}, revoked},
	} {
		t.Run(name, func(t *testing.T) {
			var hub membus.Hub
			a, b := twoSites(t, &hub)
			cookie := a.login("ann")
			other := b.open("websocket", b.login("carol"))
			other.join("/", "")
			var tabs []*tab
			for _, s := range []*site{a, b} {
				for _, transport := range []string{"polling", "websocket"} {
					p := s.open(transport, cookie)
					p.join("/", "")
					s.parked(p)
					tabs = append(tabs, p)
				}
			}
			began := time.Now()
			end.do(a, cookie)
			for _, p := range tabs {
				p.want(end.want, "1")
				if rest := p.ended(); len(rest) > 0 {
					t.Errorf("after the end came %q", rest)
				}
			}
			if took := time.Since(began); took > time.Second*slowness {
				t.Errorf("it took %v", took)
			}
			for _, s := range []*site{a, b} {
				if name == "revoke session" {
					break // nobody connects with that session any more, not even as nobody
				}
				again := s.open("websocket", cookie)
				again.join("/", "")
				again.send(`420["whoami"]`)
				again.want(`30["nobody"]`)
			}
			other.send(`420["whoami"]`)
			other.want(`30["carol"]`)
		})
	}
}

// A worker that serves nobody ends logins too.
func TestAWorkerEndsALogin(t *testing.T) {
	var hub membus.Hub
	a, b := twoSites(t, &hub)
	worker := newSite(t, gorilla.NewCookieStore([]byte("0123456789abcdef0123456789abcdef")), nil) // for its users only
	em := emitter.New(hub.Bus(), emitter.Options{})
	worker.users.OnRevoke(func(data []byte) {
		if err := em.Announce(t.Context(), data); err != nil {
			t.Error(err)
		}
	})
	tabs := []*tab{a.open("websocket", a.login("ann")), b.open("websocket", b.login("ann"))}
	for _, p := range tabs {
		p.join("/", "")
	}
	worker.users.Revoke("ann")
	for _, p := range tabs {
		p.want(farewell("your login was ended, please log in", "revoked"), "1")
	}
	if err := em.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// The same as the official client sees it: connected to one server, and logged out at the other.
func TestALoginEndsForTheJavaScriptClient(t *testing.T) {
	var hub membus.Hub
	a, b := twoSites(t, &hub)
	exampletest.Node(t, "two-servers", "logout-elsewhere.test.mjs", "HERE="+a.ts.URL, "THERE="+b.ts.URL)
}
