package auth_test

import (
	"errors"
	"testing"
	"time"

	gorilla "github.com/gorilla/sessions"

	"github.com/siokit/siokit/auth"
	"github.com/siokit/siokit/sessions"
)

func TestRevokeSession(t *testing.T) {
	eachStore(t, func(t *testing.T, store gorilla.Store) {
		a := newApp(t, store, auth.Options{})
		phone, _ := a.visit("", "/login?id=ann")
		laptop, _ := a.visit("", "/login?id=ann")
		guest, _ := a.visit("", "/touch")
		onPhone, onLaptop, nobody := a.connect(phone), a.connect(laptop), a.connect(guest)
		id := func(c *connection) string { return sessions.From(c.ctx).ID() }
		if a.poll(phone) != "ann" { // what is remembered of a cookie must not outlive the session
			t.Fatal("not logged in")
		}
		if n := a.users.RevokeSession(id(onPhone)); n != 1 {
			t.Errorf("%d connections were cut", n)
		}
		onPhone.cutBy(t, auth.ErrRevoked)
		onLaptop.open(t)
		nobody.open(t)
		if who := a.poll(phone); who != "" {
			t.Errorf("a poll is %q's", who)
		}
		if _, body := a.visit(phone, "/me"); body != "nobody " {
			t.Errorf("HTTP says %q", body)
		}
		a.connect(phone).cutBy(t, auth.ErrRevoked)
		if _, body := a.visit(laptop, "/me"); body != "ann " {
			t.Errorf("the other session is %q", body)
		}
		if n := a.users.RevokeSession(id(nobody)); n != 1 {
			t.Errorf("%d connections of nobody were cut", n)
		}
		nobody.cutBy(t, auth.ErrRevoked)
		if n := a.users.RevokeSession(""); n != 0 {
			t.Errorf("no session: %d connections were cut", n)
		}
		again, body := a.visit(phone, "/login?id=ann") // the browser may log in again
		if body != "ann " || a.poll(again) != "ann" {
			t.Errorf("after logging in again: %q", body)
		}
		a.connect(again).open(t)
		if who := a.poll(phone); who != "" { // and the old cookie stays dead
			t.Errorf("the revoked cookie is %q's", who)
		}
	})
}

// one call cuts a thousand connections before it returns.
func TestRevokeAThousand(t *testing.T) {
	a := newApp(t, gorilla.NewCookieStore(testKey), auth.Options{})
	cookie, _ := a.visit("", "/login?id=ann")
	other, _ := a.visit("", "/login?id=bob")
	conns := make([]*connection, 1000)
	for i := range conns {
		conns[i] = a.connect(cookie)
	}
	bob := a.connect(other)
	began := time.Now()
	if n := a.users.Revoke("ann"); n != len(conns) {
		t.Errorf("%d were cut", n)
	}
	took := time.Since(began)
	for _, c := range conns {
		if c.ctx.Err() == nil {
			t.Fatal("a connection is open")
		}
	}
	if took > 5*time.Second { // a second, were the machine idle
		t.Errorf("it took %v", took)
	}
	conns[999].cutBy(t, auth.ErrRevoked)
	bob.open(t)
}

// Every cause tells clients something to show and a reason for programs.
func TestCausesAreForClients(t *testing.T) {
	for _, c := range []struct {
		cause error
		want  string
	}{
		{auth.ErrLoggedOut, `you were logged out {"reason":"logged out","code":401}`},
		{auth.ErrReauthenticate, `your login changed, please reconnect {"reason":"reauthenticate","code":401}`},
		{auth.ErrRevoked, `your login was ended, please log in {"reason":"revoked","code":401}`},
		{auth.ErrLoginExpired, `your login has expired, please log in {"reason":"login expired","code":401}`},
		{auth.ErrTokenExpired, `your token has expired {"reason":"token expired","code":401}`},
		{auth.ErrUnconfirmed, `please reconnect {"reason":"not confirmed","code":401}`},
	} {
		if got := seenByClient(c.cause); got != c.want {
			t.Errorf("%v: %s, want %s", c.cause, got, c.want)
		}
	}
}

// RequireFunc sees a role that was changed a moment ago, also where User still has the old one.
func TestRequireFunc(t *testing.T) {
	a := newApp(t, gorilla.NewCookieStore(testKey), auth.Options{Refresh: time.Hour})
	cookie, _ := a.visit("", "/login?id=ann")
	c := a.connect(cookie)
	admin := auth.RequireFunc(func(u *user) bool { return u.Role == "admin" }, "for administrators only")
	setRole := func(role string) { a.role.Store(&role) }
	setRole("admin")
	if err := admin(c.ctx); err != nil {
		t.Errorf("an administrator: %v", err)
	}
	setRole("reader")
	err := admin(c.ctx)
	if got := seenByClient(err); !errors.Is(err, auth.ErrForbidden) || got != `for administrators only {"code":403}` {
		t.Errorf("a lost role: %v, clients see %s", err, got)
	}
	if u := auth.MustUser[*user](c.ctx); u.Role != "reader" { // what was loaded for the guard serves the others
		t.Errorf("User has %q", u.Role)
	}
	a.failWith(errDatabase)
	if got := seenByClient(admin(c.ctx)); got != "internal error" {
		t.Errorf("database down: clients see %s", got)
	}
	a.failWith(nil)
	a.users.Revoke("ann")
	for _, ctx := range []*connection{c, a.connect("")} {
		if got := seenByClient(admin(ctx.ctx)); got != pleaseLogIn {
			t.Errorf("nobody: clients see %s", got)
		}
	}
	err = auth.RequireFunc(func(*user) bool { return false }, "")(a.connect(func() string { c, _ := a.visit("", "/login?id=bob"); return c }()).ctx)
	if got := seenByClient(err); got != `you may not do this {"code":403}` {
		t.Errorf("without a message clients see %s", got)
	}
}
