package flask_test

import (
	"net/http"
	"testing"

	"github.com/gorilla/sessions"
	"github.com/siokit/siokit/core"
	siosessions "github.com/siokit/siokit/sessions"
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

// visit requests a page with a session cookie and returns the cookie that it set, if it did.
func (a *app) visit(path string, cookie *http.Cookie) (body string, set *http.Cookie) {
	a.t.Helper()
	c := &client{t: a.t, http: a.http.Client(), url: a.http.URL + path}
	r, err := http.NewRequest(http.MethodGet, c.url, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	if cookie != nil {
		r.AddCookie(cookie)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	b := make([]byte, 100)
	n, _ := resp.Body.Read(b)
	if cookies := resp.Cookies(); len(cookies) > 0 {
		set = cookies[0]
	}
	return string(b[:n]), set
}

// 21. test_managed_session: what a handler writes stays with the connection, in all its namespaces.
func TestManagedSession(t *testing.T) {
	for _, transport := range []string{"polling", "websocket"} {
		t.Run(transport, func(t *testing.T) {
			a := sessionApp(t, transport, sessions.NewCookieStore([]byte("0123456789abcdef0123456789abcdef")), siosessions.Fork)
			_, cookie := a.visit("/set?foo=bar", nil)
			c := a.open("", http.Header{"Cookie": {cookie.Name + "=" + cookie.Value}})
			c.connect("/", foobar)
			c.wantAck(`"bar"`, "/", "session", "added")
			c.wantAck(`"added"`, "/", "session", "changed")
			c.connect("/test", nil)
			c.wantAck(`"changed"`, "/test", "session", "elsewhere")
			c.wantAck(`"elsewhere"`, "/", "session", "")
			if foo, _ := a.visit("/get", cookie); foo != "bar" { // HTTP does not see it
				t.Errorf("the page shows %q", foo)
			}
		})
	}
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
	for _, transport := range []string{"polling", "websocket"} {
		t.Run(transport, func(t *testing.T) {
			store := sessions.NewFilesystemStore(t.TempDir(), []byte("0123456789abcdef0123456789abcdef"))
			a := sessionApp(t, transport, store, siosessions.Shared)
			_, cookie := a.visit("/set?foo=bar", nil)
			c := a.open("", http.Header{"Cookie": {cookie.Name + "=" + cookie.Value}})
			c.connect("/", foobar)
			c.wantAck(`"bar"`, "/", "session", "by a socket")
			if foo, _ := a.visit("/get", cookie); foo != "by a socket" {
				t.Errorf("the page shows %q", foo)
			}
			a.visit("/set?foo=by+HTTP", cookie)
			c.wantAck(`"by HTTP"`, "/", "session", "")
		})
	}
}
