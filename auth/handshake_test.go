package auth_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	gorilla "github.com/gorilla/sessions"

	"github.com/siokit/siokit/auth"
	"github.com/siokit/siokit/sessions"
)

func TestLaterRequestsNameTheirOwnCaller(t *testing.T) {
	eachStore(t, func(t *testing.T, store gorilla.Store) {
		a := newApp(t, store, auth.Options{})
		ann, _ := a.visit("", "/login?id=ann")
		bob, _ := a.visit("", "/login?id=bob")
		c := a.connect(ann)
		if c.principal != "ann" || a.poll(ann) != "ann" || a.poll(bob) != "bob" || a.poll("") != "" || a.poll("junk") != "" {
			t.Errorf("principals: %q, %q, %q, %q, %q", c.principal, a.poll(ann), a.poll(bob), a.poll(""), a.poll("junk"))
		}
		touched, _ := a.visit(ann, "/touch") // another cookie value of the same login
		if a.poll(touched) != "ann" {
			t.Errorf("after a change of the session the principal is %q", a.poll(touched))
		}
		if got := a.users.Connections(); got != 1 {
			t.Errorf("%d connections are known: polls were counted", got)
		}
		if got := a.loads.Load(); got > 3 { // the three visits
			t.Errorf("%d users were loaded by handshakes and polls", got-3)
		}
	})
}

// countingStore counts what is read.
type countingStore struct {
	gorilla.Store
	loads atomic.Int64
}

func (s *countingStore) New(r *http.Request, name string) (*gorilla.Session, error) {
	s.loads.Add(1)
	return s.Store.New(r, name)
}

func TestPollsDoNotDecodeTheSameCookieAgain(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		store := &countingStore{Store: gorilla.NewFilesystemStore(dir, testKey)}
		a := newApp(t, store, auth.Options{})
		ann, _ := a.visit("", "/login?id=ann")
		bob, _ := a.visit("", "/login?id=bob")
		store.loads.Store(0)
		for range 10 {
			if a.poll(ann) != "ann" || a.poll(bob) != "bob" || a.poll(ann+"; app="+bob) != "" {
				t.Fatal("wrong caller")
			}
		}
		if n := store.loads.Load(); n != 2+10 { // two cookies at once are never remembered
			t.Errorf("%d loads", n)
		}
		// A logout here counts at once, and one by another process after Refresh.
		a.visit(ann, "/logout")
		if got := a.poll(ann); got != "" {
			t.Errorf("a logged-out cookie polls as %q", got)
		}
		newApp(t, store, auth.Options{}).visit(bob, "/logout")
		time.Sleep(5 * time.Second)
		if got := a.poll(bob); got != "" {
			t.Errorf("a cookie that another process logged out polls as %q", got)
		}
	})
}

// Middleware that logs in by other means does not lend its login to the cookie of the request.
func TestLaterRequestsCountTheirCookieOnly(t *testing.T) {
	a := newApp(t, gorilla.NewCookieStore(testKey), auth.Options{})
	planted, _ := a.visit("", "/touch")
	h := a.users.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if err := a.users.Login(r.Context(), "ann"); err != nil {
			t.Error(err)
		}
		if _, principal, err := a.users.Handshake(r); err != nil || principal != "" {
			t.Errorf("principal %q, %v", principal, err)
		}
	}))
	h.ServeHTTP(discard{}, handshake(t.Context(), planted, "&sid=x"))
	if got := a.poll(planted); got != "" {
		t.Errorf("the planted cookie polls as %q", got)
	}
}

func TestHandshakeWithoutCoresSession(t *testing.T) {
	a := newApp(t, gorilla.NewCookieStore(testKey), auth.Options{})
	cookie, _ := a.visit("", "/login?id=ann")
	life, closeConn := context.WithCancel(t.Context())
	defer closeConn()
	ctx, principal, err := a.users.Handshake(handshake(life, cookie, ""))
	if err != nil || principal != "ann" || !sessions.From(ctx).InSocket() {
		t.Fatalf("%q, %v", principal, err)
	}
	a.visit(cookie, "/logout")
	if got := context.Cause(ctx); !errors.Is(got, auth.ErrLoggedOut) {
		t.Errorf("cut by %v", got)
	}
}

// The endpoint may be mounted behind the application's own middleware.
func TestHandshakeBehindTheMiddleware(t *testing.T) {
	a := newApp(t, gorilla.NewCookieStore(testKey), auth.Options{})
	cookie, _ := a.visit("", "/login?id=ann")
	h := a.users.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		bound, err := a.sess.BindSession(r)
		if err != nil {
			t.Fatal(err)
		}
		ctx, principal, err := a.users.Handshake(r.WithContext(bound))
		if err != nil || principal != "ann" {
			t.Errorf("principal %q, %v", principal, err)
		}
		if err := a.users.Login(ctx, "bob"); !errors.Is(err, auth.ErrNotInSocket) {
			t.Errorf("the connection's identity is not its own: %v", err)
		}
	}))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	h.ServeHTTP(discard{}, handshake(ctx, cookie, ""))
}

type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}

type brokenStore struct{ gorilla.Store }

func (brokenStore) New(*http.Request, string) (*gorilla.Session, error) { return nil, errDatabase }

func TestStoreOutageIsAnError(t *testing.T) {
	a := newApp(t, brokenStore{}, auth.Options{})
	for _, query := range []string{"", "&sid=x"} {
		if _, principal, err := a.users.Handshake(handshake(t.Context(), "c", query)); !errors.Is(err, errDatabase) || principal != "" {
			t.Errorf("Handshake = %q, %v", principal, err)
		}
	}
	guarded, _ := browser(t, a.users.RequireHTTP(a))
	if code, _ := guarded("/me"); code != http.StatusServiceUnavailable {
		t.Errorf("RequireHTTP answers %d", code)
	}
	get, _ := browser(t, a)
	if code, _ := get("/login?id=ann"); code != 500 {
		t.Errorf("Login answers %d", code)
	}
	if code, _ := get("/logout"); code != 500 {
		t.Errorf("Logout answers %d", code)
	}
}

// whichever comes first, no connection of an ended login stays.
func TestLogoutRacesWithHandshakes(t *testing.T) {
	eachStore(t, func(t *testing.T, store gorilla.Store) {
		a := newApp(t, store, auth.Options{})
		for round := range 100 {
			cookie, _ := a.visit("", "/login?id=ann")
			cause := auth.ErrLoggedOut
			if round%2 != 0 {
				cause = auth.ErrRevoked
			}
			const tabs = 4
			conns := make([]*connection, tabs)
			start := make(chan struct{})
			var wg sync.WaitGroup
			for i := range conns {
				wg.Go(func() { <-start; conns[i] = a.connect(cookie) })
			}
			wg.Go(func() {
				<-start
				if round%2 == 0 {
					a.visit(cookie, "/logout")
				} else {
					a.users.Revoke("ann")
				}
			})
			close(start)
			wg.Wait()
			for _, c := range conns {
				if c.ctx.Err() == nil && (c.principal != "" || auth.From(c.ctx).UserID() != "") {
					t.Fatalf("round %d: %q is still connected", round, c.principal)
				}
				if c.ctx.Err() != nil {
					c.cutBy(t, cause)
				}
				if c.principal == "ann" && c.ctx.Err() == nil {
					t.Fatalf("round %d: not cut", round)
				}
			}
		}
	})
}

// The handshake read its session before the logout and registers after it: the order that the race seldom hits.
func TestLogoutBetweenReadingAndRegistering(t *testing.T) {
	eachStore(t, func(t *testing.T, store gorilla.Store) {
		for _, how := range []string{"logout", "revoke", "login"} {
			a := newApp(t, store, auth.Options{})
			cookie, _ := a.visit("", "/login?id=ann")
			cause := auth.ErrLoggedOut
			switch how {
			case "login":
				cookie, _ = a.visit("", "/touch")
				cause = auth.ErrReauthenticate
			case "revoke":
				cause = auth.ErrRevoked
			}
			life, closeConn := context.WithCancel(t.Context())
			r := handshake(life, cookie, "")
			bound, err := a.sess.BindSession(r)
			if err != nil {
				t.Fatal(err)
			}
			switch how {
			case "logout":
				a.visit(cookie, "/logout")
			case "revoke":
				a.users.Revoke("ann")
			case "login":
				a.visit(cookie, "/login?id=ann")
			}
			ctx, principal, err := a.users.Handshake(r.WithContext(bound))
			if err != nil || principal != "" {
				t.Errorf("%s: %q, %v", how, principal, err)
			}
			(&connection{ctx: ctx}).cutBy(t, cause)
			if n := a.users.Connections(); n != 0 {
				t.Errorf("%s: %d connections are registered", how, n)
			}
			closeConn()
		}
	})
}

func TestRegistryIsEmptyAfterTheConnectionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newApp(t, gorilla.NewCookieStore(testKey), auth.Options{})
		ann, _ := a.visit("", "/login?id=ann")
		guest, _ := a.visit("", "/touch")
		var conns []*connection
		for range 10 {
			conns = append(conns, a.connect(ann), a.connect(guest), a.connect(""))
		}
		if n := a.users.Connections(); n != 20 {
			t.Errorf("%d connections are known, want 20", n)
		}
		for _, c := range conns {
			c.close()
		}
		synctest.Wait()
		if n := a.users.Connections(); n != 0 {
			t.Errorf("%d connections are left", n)
		}
		// One that ended before its handshake was over.
		life, closeConn := context.WithCancel(t.Context())
		r := handshake(life, ann, "")
		bound, err := a.sess.BindSession(r)
		if err != nil {
			t.Fatal(err)
		}
		closeConn()
		if _, _, err := a.users.Handshake(r.WithContext(bound)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := a.users.Connections(); n != 0 {
			t.Errorf("%d connections are left", n)
		}
	})
}

func TestLoginExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newApp(t, gorilla.NewCookieStore(testKey), auth.Options{Lifetime: time.Hour})
		cookie, _ := a.visit("", "/login?id=ann")
		time.Sleep(30 * time.Minute)
		cookie, _ = a.visit(cookie, "/touch") // use does not extend it
		c := a.connect(cookie)
		time.Sleep(30*time.Minute - time.Second)
		c.open(t)
		if a.poll(cookie) != "ann" {
			t.Error("expired too soon")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		c.cutBy(t, auth.ErrLoginExpired)
		if got := a.poll(cookie); got != "" {
			t.Errorf("an expired login is %q's", got)
		}
		if _, body := a.visit(cookie, "/me"); body != "nobody " {
			t.Errorf("an expired login shows %q", body)
		}
		c.close()
		synctest.Wait()
		if n := a.users.Connections(); n != 0 {
			t.Errorf("%d connections are left", n)
		}
	})
}

// Core's Authenticate for tokens alone: see internal/conformance/authflow for what it does in a server.
func TestHandshakeOfTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newIssuer(auth.Options{})
		s.issue("ann 1", auth.Token{User: "ann", Expires: time.Now().Add(time.Minute)})
		s.issue("ann 2", auth.Token{User: "ann", Expires: time.Now().Add(time.Hour)})
		s.issue("bob", auth.Token{User: "bob"})
		ask := func(ctx context.Context, query string, authorization ...string) (context.Context, string) {
			t.Helper()
			r := handshake(ctx, "", query)
			r.Header["Authorization"] = authorization
			ctx, principal, err := s.tokens.Handshake(r)
			if err != nil {
				t.Fatal(err)
			}
			return ctx, principal
		}
		who := func(authorization ...string) string {
			t.Helper()
			_, principal := ask(t.Context(), "&sid=x", authorization...)
			return principal
		}
		conn, closeConn := context.WithCancel(t.Context())
		ctx, principal := ask(conn, "", "Bearer ann 1")
		if principal != "ann" {
			t.Errorf("principal %q", principal)
		}
		if _, err := auth.UserErr[*user](ctx); !errors.Is(err, auth.ErrUnauthenticated) || errors.Is(err, auth.ErrNoMiddleware) {
			t.Errorf("before Connect the user is %v", err) // nobody, but no mistake of the set-up
		}
		calls := s.calls.Load()
		for range 10 {
			if got := []string{who("Bearer ann 1"), who("bearer ann 2"), who("Bearer bob"), who("Bearer forged"), who(), who("Basic ann 1"), who("Bearer ann 1", "Bearer ann 1")}; !slices.Equal(got, []string{"ann", "ann", "bob", "", "", "", ""}) {
				t.Fatalf("principals %q", got)
			}
		}
		if n := s.calls.Load() - calls; n != 2+10 {
			t.Errorf("%d verifications of ten rounds", n) // of each good token once, of the forged one always
		}
		time.Sleep(2 * time.Minute) // "ann 1" has expired, and names who opened the connection all the same
		if got := who("Bearer ann 1"); got != "ann" {
			t.Errorf("principal %q", got)
		}
		s.tokens.Revoke("bob")
		time.Sleep(time.Second)
		if got := who("Bearer bob"); got != "bob" { // issued nobody knows when: see Token.Issued
			t.Errorf("principal %q", got)
		}
		closeConn()
		synctest.Wait()
		s.issue("ann 1", auth.Token{User: "ann", Expires: time.Now()})
		if got := who("Bearer ann 1"); got != "" {
			t.Errorf("after the connection its token names %q", got)
		}
		s.down.Store(true)
		r := handshake(t.Context(), "", "")
		r.Header.Set("Authorization", "Bearer ann 2")
		if _, _, err := s.tokens.Handshake(r); !errors.Is(err, auth.ErrUnavailable) {
			t.Errorf("in an outage: %v", err)
		}
	})
}
