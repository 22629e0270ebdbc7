package sessiontest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/siokit/siokit/sessions"
)

func testBothWays(t *testing.T, a *app) {
	a.set("a", "1")
	connection := a.connect()
	err := a.event(connection, func(s *sessions.Session) {
		a.expect(s, "a", "1")
		a.write(s, "b", "socket")
		a.expectStored("b", nil) // the handler is still running
	})
	if err != nil {
		t.Error(err)
	}
	a.expectStored("b", "socket")
	a.set("a", "2")
	err = a.event(connection, func(s *sessions.Session) {
		a.expect(s, "a", "2")
		if err := s.Delete("b"); err != nil {
			t.Error(err)
		}
		if err := s.Save(t.Context()); err != nil {
			t.Error(err)
		}
		a.expectStored("b", nil)
	})
	if err != nil {
		t.Error(err)
	}
}

func testMergeByKey(t *testing.T, a *app) {
	a.set("a", "1")
	one, two := a.connect(), a.connect()
	err := a.event(one, func(first *sessions.Session) {
		a.expect(first, "a", "1")
		a.write(first, "one", "x")
		a.write(first, "both", "first")
		err := a.event(two, func(second *sessions.Session) {
			a.write(second, "two", "y")
			a.write(second, "both", "second")
		})
		if err != nil {
			t.Error(err)
		}
		a.set("http", "z")
	})
	if err != nil {
		t.Error(err)
	}
	for key, want := range map[string]string{"a": "1", "one": "x", "two": "y", "http": "z", "both": "first"} {
		a.expectStored(key, want)
	}
}

func testWriters(t *testing.T, a *app) {
	a.set("a", "1")
	const writers, rounds = 6, 5
	var all sync.WaitGroup
	for i := range writers {
		connection := a.connect()
		route := &app{t: t, m: a.m, cookie: a.cookie}
		all.Go(func() {
			for j := range rounds {
				key, value := fmt.Sprint("k", i), fmt.Sprint(j)
				if i%2 == 0 {
					route.set(key, value)
				} else if err := a.event(connection, func(s *sessions.Session) { a.write(s, key, value) }); err != nil {
					t.Error(err)
				}
				route.expectStored(key, value)
			}
		})
	}
	all.Wait()
	for i := range writers {
		a.expectStored(fmt.Sprint("k", i), fmt.Sprint(rounds-1))
	}
}

// After a login the connection's cookie leads nowhere, and a late save must not bring the old session back.
func testGone(t *testing.T, a *app) {
	a.set("a", "1")
	connection, old := a.connect(), a.cookie
	err := a.event(connection, func(s *sessions.Session) {
		a.write(s, "late", "x")
		a.http(func(ctx context.Context, _ *sessions.Session) {
			if _, err := a.m.Renew(ctx, nil); err != nil {
				t.Error(err)
			}
		})
	})
	if !errors.Is(err, sessions.ErrSessionGone) {
		t.Errorf("saving after the session was renewed = %v", err)
	}
	err = a.event(connection, func(s *sessions.Session) {
		a.expect(s, "a", nil)
		if err := s.Set("a", "2"); !errors.Is(err, sessions.ErrSessionGone) {
			t.Errorf("Set = %v", err)
		}
	})
	if err != nil {
		t.Error(err)
	}
	if s := a.stored(old); !s.IsNew() {
		t.Errorf("the old session exists: %v", s.Values())
	}
	a.expectStored("a", "1")
	a.expectStored("late", nil)
}

func testErase(t *testing.T, a *app) {
	a.set("a", "1")
	other := &app{t: t, m: a.m}
	other.set("a", "other")
	connection := &eventContext{Context: a.connect()}
	if err := a.m.Erase(connection); err != nil {
		t.Fatal(err)
	}
	if s := a.stored(a.cookie); !s.IsNew() {
		t.Errorf("MaxAge -1 did not delete the session: %v", s.Values())
	}
	other.expectStored("a", "other")
}
