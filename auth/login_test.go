package auth_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	gorilla "github.com/gorilla/sessions"

	"github.com/siokit/siokit/auth"
	"github.com/siokit/siokit/sessions"
)

func TestLoginOverARealServer(t *testing.T) {
	eachStore(t, func(t *testing.T, store gorilla.Store) {
		a := newApp(t, store, auth.Options{})
		get, cookie := browser(t, a)
		for _, step := range []struct{ path, want string }{
			{"/me", "nobody "}, {"/touch", "nobody apples"}, {"/login?id=ann", "ann apples"}, {"/me", "ann apples"},
			{"/login?id=bob", "bob apples"}, {"/logout", "nobody apples"}, {"/me", "nobody apples"}, {"/logout", "nobody apples"},
		} {
			if code, body := get(step.path); code != 200 || body != step.want {
				t.Errorf("%s: %d %q, want %q", step.path, code, body, step.want)
			}
			if got, want := a.poll(cookie()), strings.Fields(step.want)[0]; got != want && (got != "" || want != "nobody") {
				t.Errorf("after %s the principal is %q", step.path, got)
			}
		}
		if code, _ := get("/login?id="); code != 500 {
			t.Errorf("an empty id logged in: %d", code)
		}
	})
}

// the attacker knows the cookie with which the victim logs in.
func TestSessionFixation(t *testing.T) {
	eachStore(t, func(t *testing.T, store gorilla.Store) {
		a := newApp(t, store, auth.Options{})
		planted, _ := a.visit("", "/touch")
		attacker, stranger := a.connect(planted), a.connect("")
		if attacker.principal != "" {
			t.Fatalf("principal %q", attacker.principal)
		}
		attacker.open(t)

		victim, _ := a.visit(planted, "/login?id=ann")
		attacker.cutBy(t, auth.ErrReauthenticate)
		stranger.open(t)
		if _, body := a.visit(planted, "/me"); !strings.HasPrefix(body, "nobody") {
			t.Errorf("the planted cookie shows %q", body)
		}
		if got := a.poll(planted); got != "" {
			t.Errorf("the planted cookie polls as %q", got)
		}
		if c := a.connect(victim); c.principal != "ann" {
			t.Errorf("the victim reconnects as %q", c.principal)
		}
		before, after := a.sess.Open(handshake(t.Context(), planted, "")).ID(), a.sess.Open(handshake(t.Context(), victim, "")).ID()
		if after == "" || after == before {
			t.Errorf("session id was %q, is %q", before, after)
		}
	})
}

// a cookie copied before logout.
func TestCopiedCookieAfterLogout(t *testing.T) {
	eachStore(t, func(t *testing.T, store gorilla.Store) {
		a := newApp(t, store, auth.Options{})
		cart, _ := a.visit("", "/touch")
		copied, _ := a.visit(cart, "/login?id=ann")
		if _, body := a.visit(copied, "/me"); body != "ann apples" {
			t.Fatalf("before: %q", body)
		}
		after, body := a.visit(copied, "/logout")
		if body != "nobody apples" {
			t.Errorf("the logged-out visitor sees %q", body)
		}
		if _, body := a.visit(copied, "/me"); body != "nobody " {
			t.Errorf("the copied cookie shows %q", body)
		}
		c := a.connect(copied)
		if c.principal != "" || sessions.From(c.ctx).Get("cart") != nil || a.poll(copied) != "" {
			t.Errorf("the copied cookie connects as %q", c.principal)
		}
		if _, body := a.visit(after, "/me"); body != "nobody apples" {
			t.Errorf("the visitor's new session shows %q", body)
		}
		if _, body := a.visit(after, "/login?id=ann"); body != "ann apples" {
			t.Errorf("a new login shows %q", body)
		}
	})
}

func TestLogoutCutsItsConnectionsBeforeItReturns(t *testing.T) {
	eachStore(t, func(t *testing.T, store gorilla.Store) {
		a := newApp(t, store, auth.Options{})
		phone, _ := a.visit("", "/login?id=ann")
		laptop, _ := a.visit("", "/login?id=ann")
		other, _ := a.visit("", "/login?id=bob")
		var tabs []*connection
		for range 1000 {
			tabs = append(tabs, a.connect(phone))
		}
		keep := []*connection{a.connect(laptop), a.connect(other), a.connect("")}
		if got := a.users.Connections(); got != 1002 {
			t.Errorf("%d connections are known, want 1002", got)
		}
		a.visit(phone, "/logout")
		for _, c := range tabs {
			c.cutBy(t, auth.ErrLoggedOut)
		}
		for _, c := range keep {
			c.open(t)
		}
		if got := a.users.Connections(); got != 2 {
			t.Errorf("%d connections are known, want 2", got)
		}
	})
}

func TestLogoutFromASocket(t *testing.T) {
	eachStore(t, func(t *testing.T, store gorilla.Store) {
		a := newApp(t, store, auth.Options{})
		cookie, _ := a.visit("", "/login?id=ann")
		one, two := a.connect(cookie), a.connect(cookie)
		if err := a.users.Logout(one.ctx); err != nil {
			t.Fatal(err)
		}
		one.cutBy(t, auth.ErrLoggedOut)
		two.cutBy(t, auth.ErrLoggedOut)
		if _, body := a.visit(cookie, "/me"); body != "nobody " {
			t.Errorf("the cookie shows %q", body)
		}
		if err := a.users.Logout(one.ctx); err != nil {
			t.Errorf("a second logout: %v", err)
		}
		if _, ok := store.(*gorilla.FilesystemStore); ok {
			// Another process, or this one after a restart, knows nothing of the logout: the record must be gone.
			if got := newApp(t, store, auth.Options{}).poll(cookie); got != "" {
				t.Errorf("after a restart the cookie is %q's", got)
			}
		}
	})
}

func TestRevoke(t *testing.T) {
	eachStore(t, func(t *testing.T, store gorilla.Store) {
		a := newApp(t, store, auth.Options{})
		one, _ := a.visit("", "/login?id=ann")
		two, _ := a.visit("", "/login?id=ann")
		bob, _ := a.visit("", "/login?id=bob")
		c1, c2, c3 := a.connect(one), a.connect(two), a.connect(bob)
		if n := a.users.Revoke("ann"); n != 2 {
			t.Errorf("%d connections were cut, want 2", n)
		}
		c1.cutBy(t, auth.ErrRevoked)
		c2.cutBy(t, auth.ErrRevoked)
		c3.open(t)
		if a.poll(one) != "" || a.poll(two) != "" || a.poll(bob) != "bob" {
			t.Errorf("principals are %q, %q, %q", a.poll(one), a.poll(two), a.poll(bob))
		}
		again, body := a.visit("", "/login?id=ann")
		if c := a.connect(again); body != "ann " || c.principal != "ann" {
			t.Errorf("ann cannot log in again: %q, %q", body, c.principal)
		}
		if n := a.users.Revoke("nobody knows"); n != 0 {
			t.Errorf("%d connections", n)
		}
	})
}

// A clock may stand still for longer than it takes to log out, in and out again.
func TestRevokeWithinOneTick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newApp(t, gorilla.NewCookieStore(testKey), auth.Options{})
		for range 3 {
			cookie, _ := a.visit("", "/login?id=ann")
			if got := a.poll(cookie); got != "ann" {
				t.Fatalf("the new login is %q's", got)
			}
			a.users.Revoke("ann")
			if got := a.poll(cookie); got != "" {
				t.Fatalf("the ended login is %q's", got)
			}
		}
	})
}

func TestLoginAsSomebodyElseEndsTheFirstLogin(t *testing.T) {
	eachStore(t, func(t *testing.T, store gorilla.Store) {
		a := newApp(t, store, auth.Options{})
		ann, _ := a.visit("", "/login?id=ann")
		c := a.connect(ann)
		bob, _ := a.visit(ann, "/login?id=bob")
		c.cutBy(t, auth.ErrReauthenticate)
		if a.poll(ann) != "" || a.poll(bob) != "bob" {
			t.Errorf("principals are %q and %q", a.poll(ann), a.poll(bob))
		}
	})
}

func TestLoginInASocketSaysWhatToDo(t *testing.T) {
	a := newApp(t, gorilla.NewCookieStore(testKey), auth.Options{})
	c := a.connect("")
	err := a.users.Login(c.ctx, "ann")
	if !errors.Is(err, auth.ErrNotInSocket) || !strings.Contains(err.Error(), "over HTTP, then reconnect") {
		t.Errorf("Login = %v", err)
	}
	if who := auth.From(c.ctx).UserID(); who != "" {
		t.Errorf("the connection became %q's", who)
	}
}

func TestLoginAndLogoutFailures(t *testing.T) {
	a := newApp(t, gorilla.NewCookieStore(testKey), auth.Options{})
	if err := a.users.Login(t.Context(), "ann"); !errors.Is(err, auth.ErrNoMiddleware) {
		t.Errorf("Login without middleware = %v", err)
	}
	if err := a.users.Logout(t.Context()); !errors.Is(err, auth.ErrNoMiddleware) {
		t.Errorf("Logout without middleware = %v", err)
	}
	late := a.users.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		if err := a.users.Login(r.Context(), "ann"); !errors.Is(err, sessions.ErrTooLate) {
			t.Errorf("a late Login = %v", err)
		}
	}))
	late.ServeHTTP(httptest.NewRecorder(), handshake(t.Context(), "", ""))

	// A logout that comes too late for the cookie ends the login all the same.
	cookie, _ := a.visit("", "/login?id=ann")
	c := a.connect(cookie)
	late = a.users.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		if err := a.users.Logout(r.Context()); !errors.Is(err, sessions.ErrTooLate) {
			t.Errorf("a late Logout = %v", err)
		}
	}))
	late.ServeHTTP(httptest.NewRecorder(), handshake(t.Context(), cookie, ""))
	c.cutBy(t, auth.ErrLoggedOut)
	if got := a.poll(cookie); got != "" {
		t.Errorf("the cookie is %q's", got)
	}
}

// every flipped bit of a logged-in cookie is a guest's.
func TestTamperedCookiesAreNobodys(t *testing.T) {
	eachStore(t, func(t *testing.T, store gorilla.Store) {
		a := newApp(t, store, auth.Options{})
		cookie, _ := a.visit("", "/login?id=ann")
		raw, err := base64.URLEncoding.DecodeString(cookie)
		if err != nil {
			t.Fatal(err)
		}
		for bit := range len(raw) * 8 {
			flipped := bytes.Clone(raw)
			flipped[bit/8] ^= 1 << (bit % 8)
			bad := base64.URLEncoding.EncodeToString(flipped)
			if c := a.connect(bad); c.principal != "" || auth.From(c.ctx).UserID() != "" {
				t.Fatalf("bit %d: connected as %q", bit, c.principal)
			}
			if got := a.poll(bad); got != "" {
				t.Fatalf("bit %d: polls as %q", bit, got)
			}
		}
		if a.poll(cookie) != "ann" {
			t.Error("the untouched cookie is refused")
		}
	})
}

// What an older version or another program put there is no login.
func TestMalformedLogin(t *testing.T) {
	store := gorilla.NewCookieStore(testKey)
	a := newApp(t, store, auth.Options{})
	for _, values := range []map[any]any{
		{"_siokit.user": "ann"},
		{"_siokit.user": 7, "_siokit.login": "x", "_siokit.at": "1"},
		{"_siokit.user": "ann", "_siokit.login": "x", "_siokit.at": "soon"},
		{"_siokit.user": "ann", "_siokit.login": "", "_siokit.at": "9223372036854775807"},
		{"_siokit.user": "", "_siokit.login": "x", "_siokit.at": "9223372036854775807"},
	} {
		gs := gorilla.NewSession(store, "app")
		gs.Values = values
		w := httptest.NewRecorder()
		if err := store.Save(handshake(t.Context(), "", ""), w, gs); err != nil {
			t.Fatal(err)
		}
		if got := a.poll(w.Result().Cookies()[0].Value); got != "" {
			t.Errorf("%v is %q's", values, got)
		}
	}
}
