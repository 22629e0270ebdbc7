package auth_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	gorilla "github.com/gorilla/sessions"

	"github.com/siokit/siokit/auth"
	"github.com/siokit/siokit/sessions"
)

// wire makes every revocation of one process known to another, and returns how many there were.
func wire(t *testing.T, from, to *app) *atomic.Int64 {
	sent := new(atomic.Int64)
	from.users.OnRevoke(func(data []byte) {
		sent.Add(1)
		for range 2 { // messages may come twice
			if err := to.users.ApplyRevocation(data); err != nil {
				t.Error(err)
			}
		}
	})
	return sent
}

func TestRevocationsReachOtherProcesses(t *testing.T) {
	eachStore(t, func(t *testing.T, store gorilla.Store) {
		here, there := newApp(t, store, auth.Options{}), newApp(t, store, auth.Options{})
		sent, back := wire(t, here, there), wire(t, there, here)
		id := func(c *connection) string { return sessions.From(c.ctx).ID() }
		for name, c := range map[string]struct {
			do    func(cookie string, c *connection)
			cause error
			sent  int64
		}{
			"Logout":        {func(cookie string, _ *connection) { here.visit(cookie, "/logout") }, auth.ErrLoggedOut, 1},
			"Login":         {func(cookie string, _ *connection) { here.visit(cookie, "/login?id=bob") }, auth.ErrReauthenticate, 2},
			"Revoke":        {func(string, *connection) { here.users.Revoke("ann") }, auth.ErrRevoked, 1},
			"RevokeSession": {func(_ string, c *connection) { here.users.RevokeSession(id(c)) }, auth.ErrRevoked, 1},
		} {
			cookie, _ := here.visit("", "/login?id=ann")
			other, _ := here.visit("", "/login?id=carol")
			mine, stays := there.connect(cookie), there.connect(other)
			if there.poll(cookie) != "ann" {
				t.Fatal("one login is not seen by both processes")
			}
			before := sent.Load()
			c.do(cookie, mine)
			mine.cutBy(t, c.cause)
			stays.open(t)
			if who := there.poll(cookie); who != "" {
				t.Errorf("%s: there a poll is %q's", name, who)
			}
			if _, body := there.visit(cookie, "/me"); body != "nobody " {
				t.Errorf("%s: there HTTP says %q", name, body)
			}
			if n := sent.Load() - before; n != c.sent {
				t.Errorf("%s: announced %d times", name, n)
			}
			again, _ := there.visit("", "/login?id=ann") // a new login counts everywhere
			here.connect(again).open(t)
			if here.poll(again) != "ann" || there.poll(again) != "ann" {
				t.Errorf("%s: a new login does not count", name)
			}
		}
		if n := back.Load(); n != 0 {
			t.Errorf("what was applied was announced again %d times", n)
		}
	})
}

func TestRevocationsOfTokensReachOtherProcesses(t *testing.T) {
	here, there := newIssuer(auth.Options{}), newIssuer(auth.Options{})
	here.tokens.OnRevoke(func(data []byte) {
		if err := there.tokens.ApplyRevocation(data); err != nil {
			t.Error(err)
		}
	})
	issued := time.Now().Add(-time.Minute)
	there.issue("ann 1", auth.Token{User: "ann", ID: "1", Issued: issued})
	there.issue("ann 2", auth.Token{User: "ann", ID: "2", Issued: issued})
	one, two := newSocket(t, bearing("ann 1")), newSocket(t, bearing("ann 2"))
	for _, so := range []*socket{one, two} {
		if err := there.tokens.Connect(so); err != nil {
			t.Fatal(err)
		}
	}
	here.tokens.RevokeToken("ann", "1")
	one.cutBy(t, auth.ErrRevoked)
	two.is(t, "ann")
	here.tokens.Revoke("ann")
	two.cutBy(t, auth.ErrRevoked)
	for _, token := range []string{"ann 1", "ann 2"} {
		if err := there.tokens.Connect(newSocket(t, bearing(token))); !errors.Is(err, auth.ErrBadToken) {
			t.Errorf("%s: %v", token, err)
		}
	}
}

// A message that comes late must not end the logins that came after the revocation.
func TestLateRevocations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := gorilla.NewCookieStore(testKey)
		here, there := newApp(t, store, auth.Options{}), newApp(t, store, auth.Options{Lifetime: time.Hour})
		var kept [][]byte
		here.users.OnRevoke(func(data []byte) { kept = append(kept, data) })
		old, _ := there.visit("", "/login?id=ann")
		before := there.connect(old)
		time.Sleep(time.Second)
		here.users.Revoke("ann")
		time.Sleep(time.Second)
		fresh, _ := there.visit("", "/login?id=ann")
		after := there.connect(fresh)
		for range 2 {
			if err := there.users.ApplyRevocation(kept[0]); err != nil {
				t.Fatal(err)
			}
			before.cutBy(t, auth.ErrRevoked)
			after.open(t)
			there.connect(fresh).open(t)
			if there.poll(old) != "" || there.poll(fresh) != "ann" {
				t.Errorf("polls are %q's and %q's", there.poll(old), there.poll(fresh))
			}
		}
		here.users.Revoke("ann") // and the two out of order
		if err := errors.Join(there.users.ApplyRevocation(kept[1]), there.users.ApplyRevocation(kept[0])); err != nil {
			t.Fatal(err)
		}
		after.cutBy(t, auth.ErrRevoked)
		if there.poll(fresh) != "" {
			t.Error("an older message took a newer one back")
		}
		time.Sleep(31 * 24 * time.Hour) // nothing can be alive any more
		young, _ := there.visit("", "/login?id=ann")
		c := there.connect(young)
		if err := there.users.ApplyRevocation(kept[1]); err != nil {
			t.Error(err)
		}
		c.open(t)
	})
}

func TestBadAnnouncements(t *testing.T) {
	a := newApp(t, gorilla.NewCookieStore(testKey), auth.Options{})
	var good []byte
	a.users.OnRevoke(func(data []byte) { good = data })
	a.users.Revoke("ann")
	cookie, _ := a.visit("", "/login?id=bob")
	c := a.connect(cookie)
	edit := func(key string, value any) []byte {
		var fields map[string]any
		if err := json.Unmarshal(good, &fields); err != nil {
			t.Fatal(err)
		}
		fields["user"] = "bob"
		fields[key] = value
		data, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for name, data := range map[string][]byte{
		"nothing": nil, "no JSON": []byte("ann"), "an array": []byte("[]"), "empty": []byte("{}"), "cut off": good[:len(good)-1],
		"another version": edit("v", 2), "no version": edit("v", 0), "an unknown kind": edit("kind", "world"), "no user": edit("user", ""),
		"a user that is no text": edit("user", 7), "a login without an id": edit("kind", "login"), "a session without an id": edit("kind", "session"),
		"no end": edit("until", 0), "no time": edit("began", 0), "too long": edit("id", strings.Repeat("x", 20<<10)),
	} {
		if err := a.users.ApplyRevocation(data); err == nil || !strings.HasPrefix(err.Error(), "auth: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	c.open(t)
	// A clock that is days ahead must not lock everybody out for days, and an endless message not stay for ever.
	far := edit("began", time.Now().Add(72*time.Hour).UnixNano())
	if err := a.users.ApplyRevocation(far); err != nil {
		t.Error(err)
	}
	c.cutBy(t, auth.ErrRevoked)
	again, _ := a.visit("", "/login?id=bob")
	a.connect(again).open(t)
	if err := a.users.ApplyRevocation(edit("reason", "a later version's")); err != nil {
		t.Error(err)
	}

	// What cannot be said in 16 KiB is not sent, and the log says so.
	log := &strings.Builder{}
	long := newApp(t, gorilla.NewCookieStore(testKey), auth.Options{Logger: slog.New(slog.NewTextHandler(log, nil))})
	long.users.OnRevoke(func(data []byte) { t.Errorf("%d bytes were sent", len(data)) })
	long.users.Revoke(strings.Repeat("x", 20<<10))
	if !strings.Contains(log.String(), "use shorter ids") {
		t.Errorf("logged %.200q", log)
	}
}

func TestAnnouncersMayPanic(t *testing.T) {
	log := &strings.Builder{}
	a := newApp(t, gorilla.NewCookieStore(testKey), auth.Options{Logger: slog.New(slog.NewTextHandler(log, nil))})
	told := false
	a.users.OnRevoke(func([]byte) { panic("the bus is gone") })
	a.users.OnRevoke(func([]byte) { told = true })
	cookie, _ := a.visit("", "/login?id=ann")
	c := a.connect(cookie)
	if n := a.users.Revoke("ann"); n != 1 || !told {
		t.Errorf("cut %d, told the second: %t", n, told)
	}
	c.cutBy(t, auth.ErrRevoked)
	if !strings.Contains(log.String(), "the bus is gone") {
		t.Errorf("logged %q", log)
	}
	defer func() {
		if recover() == nil {
			t.Error("OnRevoke takes nil")
		}
	}()
	a.users.OnRevoke(nil)
}

// memory is what a database would keep.
type memory struct {
	mu    sync.Mutex
	ends  map[string][2]time.Time // guarded by mu; before, until
	asked atomic.Int64
	fail  atomic.Pointer[func() error]
}

func newMemory() *memory { return &memory{ends: map[string][2]time.Time{}} }

func (m *memory) Add(_ context.Context, key string, before, until time.Time) error {
	if f := m.fail.Load(); f != nil {
		return (*f)()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	had := m.ends[key]
	m.ends[key] = [2]time.Time{later(before, had[0]), later(until, had[1])}
	return nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (m *memory) Revoked(_ context.Context, began time.Time, keys ...string) (bool, error) {
	m.asked.Add(1)
	if f := m.fail.Load(); f != nil {
		return false, (*f)()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range keys {
		if end, ok := m.ends[key]; ok && !began.After(end[0]) && time.Now().Before(end[1]) {
			return true, nil
		}
	}
	return false, nil
}

// a copied cookie of a cookie store stays dead when the process starts again.
func TestCopiedCookieAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, end := range map[string]func(a *app, cookie string){
			"Logout":                func(a *app, cookie string) { a.visit(cookie, "/logout") },
			"Logout in a socket":    func(a *app, cookie string) { _ = a.users.Logout(a.connect(cookie).ctx) },
			"Login as somebody new": func(a *app, cookie string) { a.visit(cookie, "/login?id=bob") },
			"Revoke":                func(a *app, _ string) { a.users.Revoke("ann") },
			"RevokeSession": func(a *app, cookie string) {
				a.users.RevokeSession(sessions.From(a.connect(cookie).ctx).ID())
			},
		} {
			database := newMemory()
			store := gorilla.NewCookieStore(testKey)
			start := func(r auth.Revocations) *app { return newApp(t, store, auth.Options{Revocations: r}) }
			a := start(database)
			cookie, _ := a.visit("", "/login?id=ann")
			cookie, _ = a.visit(cookie, "/touch")
			before := start(database).connect(cookie)
			if before.principal != "ann" {
				t.Fatal("not logged in")
			}
			end(a, cookie)
			if who := start(nil).poll(cookie); who != "ann" { // what this is for
				t.Fatalf("%s: without Revocations the copy is %q's after a restart", name, who)
			}
			time.Sleep(time.Second)
			b := start(database)
			if who := b.poll(cookie); who != "" {
				t.Errorf("%s: a poll is %q's", name, who)
			}
			if c := b.connect(cookie); c.principal != "" || auth.From(c.ctx).UserID() != "" {
				t.Errorf("%s: a handshake is %q's", name, c.principal)
			}
			if _, body := b.visit(cookie, "/me"); body != "nobody " { // not even what was in it
				t.Errorf("%s: HTTP says %q", name, body)
			}
			fresh, body := b.visit("", "/login?id=ann")
			if body != "ann " || start(database).connect(fresh).principal != "ann" {
				t.Errorf("%s: a new login does not count", name)
			}
			for key := range database.ends {
				if len(key) != 64 || strings.Contains(key, "ann") {
					t.Errorf("%s: key %q", name, key)
				}
			}
		}
	})
}

func TestRevokedTokenAfterARestart(t *testing.T) {
	database := newMemory()
	issued := time.Now().Add(-time.Minute)
	start := func() *issuer {
		s := newIssuer(auth.Options{Revocations: database})
		s.issue("ann 1", auth.Token{User: "ann", ID: "1", Issued: issued})
		s.issue("ann 2", auth.Token{User: "ann", ID: "2", Issued: issued})
		s.issue("ann 3", auth.Token{User: "ann", ID: "3", Issued: time.Now().Add(time.Minute)})
		return s
	}
	try := func(token string, want error) {
		t.Helper()
		if err := start().tokens.Connect(newSocket(t, bearing(token))); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", token, err, want)
		}
	}
	try("ann 1", nil)
	start().tokens.RevokeToken("ann", "1")
	try("ann 1", auth.ErrBadToken)
	try("ann 2", nil)
	start().tokens.Revoke("ann")
	try("ann 2", auth.ErrBadToken)
	try("ann 3", nil)
}

// It is asked once in Options.Refresh, and Recheck finds what another process put there.
func TestRevocationsAreAskedSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		database := newMemory()
		store := gorilla.NewCookieStore(testKey)
		here := newApp(t, store, auth.Options{Revocations: database})
		there := newApp(t, store, auth.Options{Revocations: database, Recheck: time.Minute})
		cookie, _ := here.visit("", "/login?id=ann")
		database.asked.Store(0)
		for range 10 {
			there.visit(cookie, "/me")
			there.connect(cookie).close()
			there.poll(cookie)
		}
		there.visit("", "/me")
		if n := database.asked.Load(); n != 1 {
			t.Errorf("asked %d times in one Refresh", n)
		}
		c := there.connect(cookie)
		here.users.Revoke("ann")
		c.open(t) // nobody told this process
		// The first check, at a random moment of the first minute, may still have had the answer of before; the second
		// asks anew.
		time.Sleep(2 * time.Minute)
		c.cutBy(t, auth.ErrRevoked)
	})
}

// Whether a login was revoked is not known: nobody gets in, and nobody is taken for a guest.
func TestRevocationsFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, fail := range map[string]func() error{
			"an error": func() error { return errDatabase },
			"a panic":  func() error { panic("database") },
		} {
			database := newMemory()
			log := &strings.Builder{}
			a := newApp(t, gorilla.NewCookieStore(testKey), auth.Options{Revocations: database, Logger: slog.New(slog.NewTextHandler(log, nil))})
			cookie, _ := a.visit("", "/login?id=ann")
			c := a.connect(cookie)
			database.fail.Store(&fail)
			time.Sleep(time.Minute)
			if name == "an error" {
				if _, _, err := a.users.Handshake(handshake(t.Context(), cookie, "")); !errors.Is(err, errDatabase) {
					t.Errorf("a handshake: %v", err)
				}
				if _, _, err := a.users.Handshake(handshake(t.Context(), cookie, "&sid=x")); !errors.Is(err, errDatabase) {
					t.Errorf("a poll: %v", err)
				}
				w := httptest.NewRecorder()
				r := httptest.NewRequest(http.MethodGet, "/", nil)
				r.Header.Set("Cookie", "app="+cookie)
				a.users.RequireHTTP(http.NotFoundHandler()).ServeHTTP(w, r)
				if w.Code != http.StatusServiceUnavailable {
					t.Errorf("HTTP: %d", w.Code)
				}
			}
			told := false
			a.users.OnRevoke(func([]byte) { told = true })
			if err := a.users.Logout(c.ctx); err == nil || !strings.Contains(err.Error(), "may count again after a restart") {
				t.Errorf("%s: Logout = %v", name, err)
			}
			c.cutBy(t, auth.ErrLoggedOut) // all the same
			if !told || !strings.Contains(log.String(), "Options.Revocations failed") {
				t.Errorf("%s: other processes were told: %t; logged %.300q", name, told, log)
			}
		}
	})
}
