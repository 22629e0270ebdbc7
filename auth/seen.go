package auth

import (
	"crypto/sha256"
	"sync"
	"time"
)

// seen remembers for a short time which login a cookie holds, because a polling client sends the same one with
// every request and decoding it is most of what such a request costs. Only logins are kept, under a hash, and
// whoever uses one asks the registry whether it has ended.
type seen struct {
	mu    sync.Mutex
	young map[cookieHash]sighting // guarded by mu
	old   map[cookieHash]sighting // guarded by mu; what was young before young filled up last
}

type cookieHash [sha256.Size]byte

type sighting struct {
	login login
	until time.Time
}

// seenLimit bounds each half, and so the memory to about 1 MiB. Dropping a half costs the same however full it is:
// looking for the expired ones would make a full table slow exactly when there is much to do.
const seenLimit = 4096

func hashCookie(value string) cookieHash { return sha256.Sum256([]byte(value)) }

func (s *seen) get(key cookieHash, now time.Time) (login, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	hit, ok := s.young[key]
	if !ok {
		hit, ok = s.old[key]
	}
	return hit.login, ok && now.Before(hit.until)
}

func (s *seen) put(key cookieHash, in login, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.young == nil || len(s.young) >= seenLimit {
		s.young, s.old = make(map[cookieHash]sighting), s.young
	}
	s.young[key] = sighting{in, until}
}
