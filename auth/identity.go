package auth

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siokit/siokit/sessions"
)

// ContextKey is the string key under which [From] finds an [*Identity] in contexts that see only string keys: a
// *gin.Context after c.Set(auth.ContextKey, auth.From(r.Context())), which package ginsio does.
const ContextKey = "github.com/siokit/siokit/auth"

type identityKey struct{}

// The session's keys for the login. Application code cannot write them: see sessions.ErrReservedKey. All values
// are strings, so that stores of every encoding give them back as they were.
const (
	userKey  = "_siokit.user"
	loginKey = "_siokit.login"
	atKey    = "_siokit.at" // nanoseconds since 1970
)

// login is one act of logging in.
type login struct {
	user    string
	id      string // random, or the token's; what Logout revokes
	at      time.Time
	until   time.Time // when a token expires; zero for logins of sessions, which only Options.Lifetime ends
	session string    // the id of the session that holds it; empty for tokens
}

// end is when the login is over by itself.
func (in login) end(lifetime time.Duration) time.Time {
	end := in.at.Add(lifetime)
	if !in.until.IsZero() && in.until.Before(end) {
		return in.until
	}
	return end
}

// readLogin reads the login of a session: the zero login if there is none, false if it is malformed.
func readLogin(get func(key any) any) (login, bool) {
	user, id, at := get(userKey), get(loginKey), get(atKey)
	if user == nil && id == nil && at == nil {
		return login{}, true
	}
	var in login
	in.user, _ = user.(string)
	in.id, _ = id.(string)
	text, _ := at.(string)
	ns, err := strconv.ParseInt(text, 10, 64)
	if err != nil || in.user == "" || in.id == "" {
		return login{}, false
	}
	in.at = time.Unix(0, ns)
	return in, true
}

// Identity is who a request or a connection comes from. Methods may be called concurrently.
type Identity struct {
	realm   *realm            // nil where no middleware ran
	session *sessions.Session // nil if the caller is known by a token
	conn    *connection       // nil in HTTP, except for the callers with a token
	inHTTP  bool              // one request, for which a user is loaded once

	mu     sync.Mutex
	cached cachedUser // guarded by mu
}

// cachedUser is what the loader said last.
type cachedUser struct {
	login  string // its id; empty if nothing is cached
	asked  time.Time
	user   any // a box
	failed error
}

// connection is what it takes to cut a connection.
type connection struct {
	login     login
	sessionID string
	cut       func(cause error)
	holder    *tokenHolder // of a socket that is known by a token, otherwise nil
	ended     atomic.Bool  // the login is over: handlers that still run must not see it
}

func (c *connection) end(cause error) {
	c.ended.Store(true)
	c.cut(cause)
}

// From returns the identity of ctx. It is never nil: where no middleware ran it is nobody's.
func From(ctx context.Context) *Identity {
	if ctx != nil {
		if id, ok := ctx.Value(identityKey{}).(*Identity); ok {
			return id
		}
		if id, ok := ctx.Value(ContextKey).(*Identity); ok && id != nil {
			return id
		}
	}
	return &Identity{}
}

// UserID is the id that was given to Login, or empty if nobody is logged in. No user is loaded: the account may be
// gone since. It is empty as well if the session could not be loaded.
func (i *Identity) UserID() string { return i.current().user }

// Since is when the user logged in, or zero.
func (i *Identity) Since() time.Time { return i.current().at }

// Expires is when the login or the token ends by itself, or zero if nobody is logged in.
func (i *Identity) Expires() time.Time {
	in := i.current()
	if in.user == "" {
		return time.Time{}
	}
	return in.end(i.realm.lifetime)
}

// current is the login that counts now. It may have ended a moment ago.
func (i *Identity) current() login {
	var in login
	switch {
	case i.realm == nil:
		return login{}
	case i.conn != nil:
		if i.conn.ended.Load() {
			return login{}
		}
		in = i.conn.login
	default:
		in = sessionLogin(i.session)
	}
	if in.user == "" || !i.realm.live(in) {
		return login{}
	}
	return in
}

// sessionLogin is the login that a session holds now.
func sessionLogin(s *sessions.Session) login {
	in, _ := readLogin(s.Get)
	if in.user != "" {
		in.session = s.ID()
	}
	return in
}

// load returns the boxed user, from the cache if it may. In sockets, anew never lets it.
func (i *Identity) load(ctx context.Context, anew bool) (any, error) {
	if i.realm == nil {
		return nil, ErrNoMiddleware
	}
	in := i.current()
	if in.user == "" {
		if err := i.sessionErr(); err != nil {
			return nil, fmt.Errorf("auth: who is calling is not known: %w", err)
		}
		return nil, ErrUnauthenticated
	}
	asked := time.Now()
	i.mu.Lock()
	known := i.cached
	i.mu.Unlock()
	if known.login != in.id || !i.fresh(known, asked) || anew && !i.inHTTP {
		known = cachedUser{login: in.id, asked: asked}
		known.user, known.failed = i.realm.load(ctx, in.user) // no lock is held: callers may load at once
		if known.failed != nil {
			known.failed = i.explain(in.user, known.failed)
		}
		if known.failed == nil || ctx.Err() == nil { // what one caller's own end broke is no news for others
			i.mu.Lock()
			if i.cached.login != in.id || i.cached.asked.Before(asked) {
				i.cached = known
			}
			i.mu.Unlock()
		}
		if i.current().id != in.id { // logged out while loading
			return nil, ErrUnauthenticated
		}
	}
	return known.user, known.failed
}

func (i *Identity) sessionErr() error {
	if i.session == nil {
		return nil
	}
	return i.session.Err()
}

// fresh reports whether what is cached may still be used.
func (i *Identity) fresh(known cachedUser, now time.Time) bool {
	if i.inHTTP {
		return true
	}
	age := i.realm.refresh
	if known.failed != nil {
		age = min(age, time.Second) // a database that came back is noticed soon
	}
	return now.Sub(known.asked) < age
}
