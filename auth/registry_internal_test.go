package auth

import (
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
		g.revokeLogin(in(i), now.Add(time.Hour), now, ErrLoggedOut)
		g.revokeUser(in(i).user, now, now.Add(time.Hour), ErrLoggedOut)
		g.revokeSession(strconv.Itoa(i), now, ErrReauthenticate)
	}
	size := func() int { return len(g.logins) + len(g.users) + len(g.sessions) }
	if size() != 3000 {
		t.Fatalf("%d endings", size())
	}
	now = now.Add(sessionGrace)
	g.revokeSession("later", now, ErrReauthenticate)
	if size() != 2001 || !g.revoked(in(7)) {
		t.Errorf("%d endings after the grace of the sessions, login 7 revoked: %v", size(), g.revoked(in(7)))
	}
	now = now.Add(time.Hour)
	g.revokeSession("last", now, ErrReauthenticate)
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
