package auth

import (
	"context"
	"strconv"
	"testing"
	"time"
)

// What was revoked is forgotten when no cookie can claim it any more, so the registry does not grow for ever.
func TestEndingsAreForgotten(t *testing.T) {
	g := newRegistry()
	now := time.Now()
	in := func(i int) login { return login{user: "u" + strconv.Itoa(i), id: strconv.Itoa(i), at: now} }
	for i := range 1000 {
		g.revokeLogin(in(i).user, in(i).id, now.Add(time.Hour), now, ErrLoggedOut)
		g.revokeUser(in(i).user, now, now.Add(time.Hour), ErrLoggedOut)
		g.revokeSession(strconv.Itoa(i), now, now.Add(sessionGrace), ErrReauthenticate)
	}
	size := func() int { return len(g.logins) + len(g.users) + len(g.sessions) }
	if size() != 3000 {
		t.Fatalf("%d endings", size())
	}
	now = now.Add(sessionGrace)
	g.revokeSession("later", now, now.Add(sessionGrace), ErrReauthenticate)
	if size() != 2001 || !g.revoked(in(7)) {
		t.Errorf("%d endings after the grace of the sessions, login 7 revoked: %v", size(), g.revoked(in(7)))
	}
	now = now.Add(time.Hour)
	g.revokeSession("last", now, now.Add(sessionGrace), ErrReauthenticate)
	if size() != 1 {
		t.Errorf("%d endings after the lifetime of the logins", size())
	}
}

func TestIndexesAreEmptyWhenTheirConnectionsAre(t *testing.T) {
	g := newRegistry()
	var all []*connection
	for i := range 100 {
		c := &connection{login: login{user: strconv.Itoa(i % 10), id: "x", at: time.Now()}, sessionID: strconv.Itoa(i % 3)}
		if i%4 == 0 {
			c.login = login{}
		}
		if cause := g.add(c, time.Now()); cause != nil {
			t.Fatal(cause)
		}
		all = append(all, c)
	}
	if g.connections() != 100 {
		t.Errorf("%d connections", g.connections())
	}
	for _, c := range all {
		g.remove(c)
		g.remove(c) // cut and closed
	}
	if len(g.byUser) != 0 || len(g.bySession) != 0 {
		t.Errorf("left: %d users, %d sessions", len(g.byUser), len(g.bySession))
	}
}

// A handler that still runs on a cut connection sees nobody, whatever it was cut for.
func TestACutConnectionIsNobodys(t *testing.T) {
	_, cut := context.WithCancelCause(t.Context())
	c := &connection{login: login{user: "ann", id: "x", at: time.Now()}, cut: cut}
	who := &Identity{realm: &realm{lifetime: time.Hour, reg: newRegistry()}, conn: c}
	if who.UserID() != "ann" {
		t.Fatalf("user %q", who.UserID())
	}
	c.end(ErrReauthenticate)
	if who.UserID() != "" {
		t.Errorf("user %q", who.UserID())
	}
}

func TestSeenIsBounded(t *testing.T) {
	var s seen
	now := time.Now()
	key := func(i int) cookieHash { return hashCookie(strconv.Itoa(i)) }
	in := func(i int) login { return login{user: strconv.Itoa(i)} }
	for i := range 3 * seenLimit {
		s.put(key(i), in(i), now.Add(time.Second))
		if got, ok := s.get(key(i), now); !ok || got != in(i) {
			t.Fatalf("cookie %d was not kept: %v", i, got)
		}
		if n := len(s.young) + len(s.old); n > 2*seenLimit {
			t.Fatalf("%d are kept, want at most %d", n, 2*seenLimit)
		}
	}
	if got, ok := s.get(key(2*seenLimit-1), now); !ok || got != in(2*seenLimit-1) {
		t.Errorf("the older half is gone: %v, %v", got, ok)
	}
	if _, ok := s.get(key(3*seenLimit-1), now.Add(time.Second)); ok {
		t.Error("an expired one was given")
	}
}

// Logging in again under a session that was revoked gives its id up for a short time only, which must not cut the
// revocation short.
func TestRevokedSessionStaysRevoked(t *testing.T) {
	g := newRegistry()
	now := time.Now()
	in := login{user: "ann", id: "1", at: now, session: "s"}
	g.revokeSession("s", now, now.Add(time.Hour), ErrRevoked)
	g.revokeSession("s", now, now.Add(sessionGrace), ErrReauthenticate)
	now = now.Add(2 * sessionGrace)
	g.revokeSession("another", now, now.Add(sessionGrace), ErrReauthenticate) // looks for what can be forgotten
	if !g.revoked(in) {
		t.Error("the revoked session's login counts again")
	}
	if g.revoked(login{user: "ann", id: "2", at: now}) {
		t.Error("a login without a session counts as revoked")
	}
}
