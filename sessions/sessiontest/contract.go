package sessiontest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/siokit/siokit/sessions"
)

func testRoundTrip(t *testing.T, a *app) {
	a.set("a", "1")
	if a.cookie == "" {
		t.Fatal("Save set no cookie")
	}
	a.set("b", "2")
	s := a.stored(a.cookie)
	a.expect(s, "a", "1")
	a.expect(s, "b", "2")
	if s.IsNew() || s.ID() == "" {
		t.Errorf("a stored session: new %v, id %q", s.IsNew(), s.ID())
	}
	a.http(func(_ context.Context, s *sessions.Session) {
		if err := s.Delete("a"); err != nil {
			t.Error(err)
		}
	})
	a.expectStored("a", nil)
	a.expectStored("b", "2")
	if fresh := a.stored(""); !fresh.IsNew() || len(fresh.Values()) != 0 {
		t.Errorf("without a cookie there is a session: %v", fresh.Values())
	}
}

// A cookie that does not verify is a visitor without a session, and no failure of the store.
func testBadCookies(t *testing.T, a *app) {
	a.set("a", "1")
	good := a.cookie
	flipped := []byte(good)
	flipped[len(flipped)/2] ^= 1
	for name, cookie := range map[string]string{
		"flipped": string(flipped), "cut": good[:len(good)/2], "garbage": "garbage", "longer": good + good,
		"base64": "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=", "path": "../../etc/passwd",
	} {
		s := a.stored(cookie)
		if !s.IsNew() || len(s.Values()) != 0 {
			t.Errorf("%s: %v", name, s.Values())
		}
	}
	bad := &app{t: t, m: a.m, cookie: string(flipped)}
	bad.set("b", "2") // goes on with a session of its own
	bad.expectStored("b", "2")
	bad.expectStored("a", nil)
	a.expectStored("a", "1")
}

// What one request does with the values it got must not be seen by others before it is saved.
func testPrivateValues(t *testing.T, a *app) {
	a.set("a", "1")
	one, two := a.stored(a.cookie), a.stored(a.cookie)
	one.Values()["a"] = "changed"
	a.expect(two, "a", "1")
	connection := a.connect()
	if err := sessions.From(connection).Set("a", "2"); err != nil {
		t.Fatal(err)
	}
	a.expect(a.stored(a.cookie), "a", "1")
}

func testRenew(t *testing.T, a *app) {
	a.set("a", "1")
	before, old := a.stored(a.cookie).ID(), a.cookie
	a.http(func(ctx context.Context, s *sessions.Session) {
		a.write(s, "b", "2")
		got, err := a.m.Renew(ctx, map[string]any{"c": "3"})
		if err != nil || got != before {
			t.Errorf("Renew = %q, %v; the id was %q", got, err, before)
		}
	})
	s := a.stored(a.cookie)
	for key, want := range map[string]string{"a": "1", "b": "2", "c": "3"} {
		a.expect(s, key, want)
	}
	if s.ID() == before || a.cookie == old {
		t.Error("the session kept its id: Save must make one when the session's ID is empty")
	}
}

// Run under -race. Different sessions are used at once, and one is loaded while it is saved.
func testConcurrent(t *testing.T, a *app) {
	a.set("a", "1")
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			own := &app{t: t, m: a.m}
			for j := range 5 {
				own.set("n", fmt.Sprint(i, j))
				own.expectStored("n", fmt.Sprint(i, j))
				same := &app{t: t, m: a.m, cookie: a.cookie}
				same.set("a", "1")
				same.expectStored("a", "1")
			}
		})
	}
	all.Wait()
}

func testForkCopies(t *testing.T, a *app) {
	a.set("a", "1")
	one, two := a.connect(), a.connect()
	if err := a.event(one, func(s *sessions.Session) { a.write(s, "a", "socket") }); err != nil {
		t.Error(err)
	}
	a.set("b", "2")
	a.expect(sessions.From(one), "a", "socket")
	a.expect(sessions.From(one), "b", nil)
	a.expect(sessions.From(two), "a", "1")
	a.expectStored("a", "1")
	a.expect(sessions.From(a.connect()), "b", "2")
}
