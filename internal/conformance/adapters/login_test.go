package adapters_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	gorilla "github.com/gorilla/sessions"

	"github.com/siokit/siokit/auth"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/sessions"
)

type account struct{ ID, Name string }

// loginApp has the routes POST /login?id=, /logout and /tell, and sockets that know who is logged in.
func loginApp(t *testing.T, r router) (*site, *core.Server) {
	t.Helper()
	accounts := map[string]*account{"7": {"7", "Ann"}, "8": {"8", "Bob"}}
	sess, err := sessions.New(gorilla.NewCookieStore([]byte("0123456789abcdef0123456789abcdef")), "app", sessions.Options{})
	if err != nil {
		t.Fatal(err)
	}
	users := auth.New(sess, func(_ context.Context, id string) (*account, error) {
		if a, ok := accounts[id]; ok {
			return a, nil
		}
		return nil, auth.ErrNoUser
	})
	s := serve(t, r)
	srv, _ := newServer(t, core.Config{Sessions: sess, Authenticate: users.Handshake})
	t.Cleanup(func() {
		// A poll that comes with the cookie after the logout is refused, so nobody fetches what the ended session
		// has left: it goes after some seconds, or with a shutdown that is in a hurry.
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		_ = srv.Shutdown(ctx)
	})
	srv.OnConnect(func(c *core.Context) error {
		if u, ok := auth.User[*account](c); ok {
			return c.Join("user:" + u.ID)
		}
		return nil
	})
	core.OnCall(srv, "whoami", func(c *core.Context, _ core.None) (string, error) {
		if u, ok := auth.User[*account](c); ok {
			greeting, _ := sessions.Get[string](c, "greeting")
			return greeting + u.Name, nil
		}
		return "nobody", nil
	})

	r.use(users.Middleware)
	r.post("/login", func(ctx context.Context, w http.ResponseWriter, r *http.Request) {
		if err := users.Login(ctx, r.URL.Query().Get("id")); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		sessions.From(ctx).Set("greeting", "hello ")
		_, _ = w.Write([]byte(auth.MustUser[*account](ctx).Name))
	})
	r.post("/logout", func(ctx context.Context, w http.ResponseWriter, _ *http.Request) {
		if err := users.Logout(ctx); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	r.post("/tell", func(ctx context.Context, w http.ResponseWriter, r *http.Request) {
		from := auth.MustUser[*account](ctx).Name
		if err := srv.To("user:"+r.URL.Query().Get("id")).Emit("told", from); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	r.mount("/socket.io/", srv)
	return s, srv
}

// other is the same application in another browser.
func (s *site) other() *site {
	o := *s
	o.client = newClient(s.tr)
	return &o
}

// The whole story: nobody, login, connect, whoami, an event from an HTTP handler, logout. Two users at once, each
// with an own cookie; one's logout leaves the other connected.
func TestLoginIsSeenBySocketsUntilLogout(t *testing.T) {
	each(t, func(t *testing.T, r router, transport string) {
		anns, _ := loginApp(t, r)
		bobs := anns.other()
		stranger := anns.dial(transport, "/socket.io/", nil)
		stranger.wantCall("nobody", "whoami")

		if name := anns.want(http.StatusOK, http.MethodPost, "/login?id=7"); name != "Ann" {
			t.Errorf("the login answered %q", name)
		}
		bobs.want(http.StatusOK, http.MethodPost, "/login?id=8")
		stranger.kill()

		ann := anns.dial(transport, "/socket.io/", nil)
		bob := bobs.dial(transport, "/socket.io/", nil)
		ann.wantCall("hello Ann", "whoami")
		bob.wantCall("hello Bob", "whoami")
		stranger = anns.other().dial(transport, "/socket.io/", nil)
		stranger.wantCall("nobody", "whoami")

		bobs.want(http.StatusOK, http.MethodPost, "/tell?id=7")
		ann.want(`2["told","Bob"]`)

		anns.want(http.StatusOK, http.MethodPost, "/logout")
		for _, before := range ann.wantClosed() {
			if before != "1" && !strings.HasPrefix(before, `2["session ended",`) {
				t.Errorf("before the end came %q, want the reason and the DISCONNECT only", before)
			}
		}
		bob.wantCall("hello Bob", "whoami")
		anns.dial(transport, "/socket.io/", nil).wantCall("nobody", "whoami")
	})
}
