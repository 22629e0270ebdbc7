package flask_test

import (
	"net/http"
	"testing"

	"github.com/gorilla/sessions"
	"github.com/siokit/siokit/core"
	siosessions "github.com/siokit/siokit/sessions"
	"github.com/siokit/siokit/siotest"
)

// sessionApp is an app whose route /set puts ?foo=... into the HTTP session, and whose event "session"
// answers with what the session held and changes it.
func sessionApp(t *testing.T, transport string, store sessions.Store, mode siosessions.Mode) *app {
	sess, err := siosessions.New(store, "app", siosessions.Options{Mode: mode})
	if err != nil {
		t.Fatal(err)
	}
	a := newApp(t, transport, core.Config{Sessions: sess}, func(sockets http.Handler) http.Handler {
		mux := http.NewServeMux()
		mux.Handle("/socket.io/", sockets)
		mux.Handle("/set", sess.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := siosessions.From(r.Context()).Set("foo", r.URL.Query().Get("foo")); err != nil {
				t.Error(err)
			}
		})))
		mux.Handle("/get", sess.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			foo, _ := siosessions.Get[string](r.Context(), "foo")
			_, _ = w.Write([]byte(foo))
		})))
		return mux
	})
	session := func(c *core.Context, next string) (string, error) {
		foo, _ := siosessions.Get[string](c, "foo")
		return foo, siosessions.From(c).Set("foo", next)
	}
	core.OnCall(a, "session", session)
	core.OnCall(a.Of("/test"), "session", session)
	return a
}

// 21. test_managed_session: what a handler writes stays with the connection, in all its namespaces.
func TestManagedSession(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := sessionApp(t, transport, sessions.NewCookieStore([]byte("0123456789abcdef0123456789abcdef")), siosessions.Fork)
		jar := siotest.Jar()
		a.web.Get(jar, "/set?foo=bar")
		c := a.dial(siotest.Cookies(jar))
		wantAck(t, `"bar"`, c, "session", "added")
		wantAck(t, `"added"`, c, "session", "changed")
		wantAck(t, `"changed"`, c.Of("/test"), "session", "elsewhere")
		wantAck(t, `"elsewhere"`, c, "session", "")
		if foo := a.web.Get(jar, "/get"); foo != "bar" { // HTTP does not see it
			t.Errorf("the page shows %q", foo)
		}
	})
}

// 22. test_unmanaged_session: Flask loses, without a word, what a handler writes into a cookie session that
// is not managed. Here that combination is refused at start-up.
func TestUnmanagedSession(t *testing.T) {
	_, err := siosessions.New(sessions.NewCookieStore([]byte("0123456789abcdef0123456789abcdef")), "app", siosessions.Options{Mode: siosessions.Shared})
	if err == nil {
		t.Error("a cookie store was accepted for shared sessions")
	}
}

// A gap: with a store on the server HTTP and sockets share the session.
func TestSessionWithAServerSideStore(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		store := sessions.NewFilesystemStore(t.TempDir(), []byte("0123456789abcdef0123456789abcdef"))
		a := sessionApp(t, transport, store, siosessions.Shared)
		jar := siotest.Jar()
		a.web.Get(jar, "/set?foo=bar")
		c := a.dial(siotest.Cookies(jar))
		wantAck(t, `"bar"`, c, "session", "by a socket")
		if foo := a.web.Get(jar, "/get"); foo != "by a socket" {
			t.Errorf("the page shows %q", foo)
		}
		a.web.Get(jar, "/set?foo=by+HTTP")
		wantAck(t, `"by HTTP"`, c, "session", "")
	})
}
