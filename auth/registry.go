package auth

import (
	"sync"
	"time"
)

// registry knows the open connections and the logins that have ended. One lock covers both, so that a connection
// is either found by the logout that ends it, or finds that logout when it registers. Contexts are cancelled after
// the lock is released.
type registry struct {
	mu        sync.RWMutex
	byUser    map[string]map[*connection]struct{} // guarded by mu
	bySession map[string]map[*connection]struct{} // guarded by mu

	logins   map[string]ending // guarded by mu; by login id
	users    map[string]ending // guarded by mu; all logins of a user that began by then
	sessions map[string]ending // guarded by mu; ids that were given up or revoked
	purged   time.Time         // guarded by mu
}

// ending is why and until when something is refused.
type ending struct {
	began time.Time // users: logins from then or before
	until time.Time
	cause error
}

// sessionGrace is how long a given-up session id is remembered: as long as a handshake can take between reading
// its session and registering. Later ones find the id gone, or its session without a login.
const sessionGrace = 2 * time.Minute

// purgeEvery bounds how often expired endings are looked for, which costs a walk over all of them.
const purgeEvery = time.Minute

func newRegistry() *registry {
	return &registry{
		byUser:    make(map[string]map[*connection]struct{}),
		bySession: make(map[string]map[*connection]struct{}),
		logins:    make(map[string]ending),
		users:     make(map[string]ending),
		sessions:  make(map[string]ending),
	}
}

// add registers c, unless its login or session has ended: then it returns the cause.
func (g *registry) add(c *connection, now time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c.login.user != "" {
		if end, ok := g.endedLocked(c.login); ok {
			return end.cause
		}
	}
	if end, ok := g.sessions[c.sessionID]; ok && now.Before(end.until) {
		return end.cause
	}
	if c.login.user != "" {
		put(g.byUser, c.login.user, c)
	}
	if c.sessionID != "" {
		put(g.bySession, c.sessionID, c)
	}
	return nil
}

func (g *registry) remove(c *connection) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.removeLocked(c)
}

func (g *registry) removeLocked(c *connection) {
	drop(g.byUser, c.login.user, c)
	drop(g.bySession, c.sessionID, c)
}

// revoked reports whether the login has ended before its time.
func (g *registry) revoked(in login) bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	_, ended := g.endedLocked(in)
	return ended
}

func (g *registry) endedLocked(in login) (ending, bool) {
	if end, ok := g.logins[in.id]; ok {
		return end, true
	}
	if end, ok := g.sessions[in.session]; ok && in.session != "" {
		return end, true
	}
	end, ok := g.users[in.user]
	return end, ok && !in.at.After(end.began)
}

// loginTime is the time of a login that begins now: after the last Revoke, also if the clock stands still.
func (g *registry) loginTime(user string, now time.Time) time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	if end, ok := g.users[user]; ok && !now.After(end.began) {
		return end.began.Add(1)
	}
	return now
}

// revokeLogin ends one login.
func (g *registry) revokeLogin(user, id string, until, now time.Time, cause error) (cut int) {
	g.mu.Lock()
	g.purgeLocked(now)
	if _, ok := g.logins[id]; !ok {
		g.logins[id] = ending{until: until, cause: cause}
	}
	var found []*connection
	for c := range g.byUser[user] {
		if c.login.id == id {
			found = append(found, c)
		}
	}
	g.takeLocked(found)
	g.mu.Unlock()
	endAll(found, cause)
	return len(found)
}

// revokeUser ends all logins that a user has now, which are those that began at the returned time or before.
func (g *registry) revokeUser(user string, now, until time.Time, cause error) (began time.Time, cut int) {
	g.mu.Lock()
	g.purgeLocked(now)
	began = now
	if end, ok := g.users[user]; ok && !now.After(end.began) {
		began = end.began.Add(1) // by the same tick of the clock: see loginTime
	}
	var found []*connection
	for c := range g.byUser[user] {
		found = append(found, c)
	}
	g.users[user] = ending{began: began, until: until, cause: cause}
	g.takeLocked(found)
	g.mu.Unlock()
	endAll(found, cause)
	return began, len(found)
}

// revokeUserUntil ends the logins of a user that began at the time began or before: newer ones stay, because another
// process revoked, a moment ago.
func (g *registry) revokeUserUntil(user string, began, now, until time.Time, cause error) (cut int) {
	g.mu.Lock()
	g.purgeLocked(now)
	end := g.users[user]
	if began.After(end.began) {
		end.began, end.cause = began, cause
	}
	if until.After(end.until) {
		end.until = until
	}
	g.users[user] = end
	var found []*connection
	for c := range g.byUser[user] {
		if !c.login.at.After(began) {
			found = append(found, c)
		}
	}
	g.takeLocked(found)
	g.mu.Unlock()
	endAll(found, cause)
	return len(found)
}

// revokeSession ends the connections and logins of a session id that was given up.
func (g *registry) revokeSession(id string, now, until time.Time, cause error) (cut int) {
	if id == "" {
		return 0
	}
	g.mu.Lock()
	g.purgeLocked(now)
	if end, ok := g.sessions[id]; !ok || end.until.Before(until) {
		g.sessions[id] = ending{until: until, cause: cause}
	}
	var found []*connection
	for c := range g.bySession[id] {
		found = append(found, c)
	}
	g.takeLocked(found)
	g.mu.Unlock()
	endAll(found, cause)
	return len(found)
}

// takeLocked removes connections that are about to be cut.
func (g *registry) takeLocked(found []*connection) {
	for _, c := range found {
		g.removeLocked(c)
	}
}

func endAll(found []*connection, cause error) {
	for _, c := range found {
		c.end(cause)
	}
}

// purgeLocked forgets what no cookie can claim any more.
func (g *registry) purgeLocked(now time.Time) {
	if now.Sub(g.purged) < purgeEvery {
		return
	}
	g.purged = now
	for _, endings := range []map[string]ending{g.logins, g.users, g.sessions} {
		for key, end := range endings {
			if !now.Before(end.until) {
				delete(endings, key)
			}
		}
	}
}

// connections counts each once, whichever index has it.
func (g *registry) connections() int {
	g.mu.RLock()
	defer g.mu.RUnlock()
	n := 0
	for _, of := range g.byUser {
		n += len(of)
	}
	for _, of := range g.bySession {
		for c := range of {
			if c.login.user == "" {
				n++
			}
		}
	}
	return n
}

func put(index map[string]map[*connection]struct{}, key string, c *connection) {
	of := index[key]
	if of == nil {
		of = make(map[*connection]struct{}, 1)
		index[key] = of
	}
	of[c] = struct{}{}
}

func drop(index map[string]map[*connection]struct{}, key string, c *connection) {
	of := index[key]
	delete(of, c)
	if len(of) == 0 {
		delete(index, key)
	}
}
