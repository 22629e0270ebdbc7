package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"sync"
	"time"

	"github.com/siokit/siokit/sessions"
)

// Options tune [New]. The zero value is good for production.
type Options struct {
	// Refresh is how old the user that [User] returns in a socket handler may be; then it is loaded again, at the
	// next call. So a role that was taken away, or a deleted account, counts after Refresh at the latest. Default
	// 5 s. Negative: load at every call. In HTTP a user is always loaded once per request.
	//
	// It is also how long the later requests of connections are known by their cookie without decoding it, and
	// without asking the session store, again. Logins that this process ended are refused at once all the same.
	Refresh time.Duration

	// Lifetime is how long a login lasts, counted from Login and not extended by use. Then the session is refused
	// and its connections are cut. It also bounds how long the ids of logged-out logins are remembered. Default 30
	// days, as long as gorilla's cookies.
	Lifetime time.Duration

	// Recheck is how often a connection that has a login is asked for in the background: does the session store still
	// have the session with this login, and the loader the account? If not, the connection is cut with [ErrRevoked]:
	// also one that only receives, and also if another process or an administrator of the store ended the session. When
	// store or loader fail, or take more than 10 s, three times running, it is cut with [ErrUnconfirmed]. Each
	// connection asks at most once in this time, and they spread over it. For callers with a token only the account is
	// looked for. Default 0: never. 1 minute is a good value; each connection then costs the store a read per minute.
	//
	// An application that gives its sessions new ids itself, other than by Login and Logout, must not use it: the
	// cookie of the handshake is then no session's any more.
	Recheck time.Duration

	// Revocations keeps what was revoked outside of this process: so that a copied cookie of a login that was logged
	// out stays dead after a restart, and is dead in other processes too. It is asked about the login of a session when
	// that is loaded, for an HTTP request or a handshake, and about tokens, at most once for each login in Refresh; open
	// connections are cut by what another process revoked with [Users.OnRevoke], or by Recheck. Default nil: this
	// process remembers by itself, until it ends.
	Revocations Revocations

	// Logger receives errors of the loader, at most one a second. Default slog.Default().
	Logger *slog.Logger
}

// Users knows how to find out who is calling. Methods may be called concurrently.
type Users[U any] struct{ r *realm }

// realm is what does not depend on the type of the users.
type realm struct {
	sess     *sessions.Manager
	load     func(ctx context.Context, id string) (any, error)
	userType reflect.Type
	refresh  time.Duration
	lifetime time.Duration
	recheck  time.Duration
	log      *slog.Logger
	reg      *registry
	warned   limiter
	seen     seen
	bearers  bearers

	revocations Revocations // nil: none
	announceMu  sync.Mutex
	announce    []func(data []byte) // guarded by announceMu
}

// New returns the users whose accounts load finds. load is called by [User] when a handler asks, possibly many at
// once, with that handler's context. It returns [ErrNoUser], or an error that wraps it, for an account that is gone;
// a nil user without an error counts as the same. Any other error means that it could not find out: the caller then
// counts as not logged in, and the error is logged and returned by [UserErr].
//
// New panics if sess or load is nil, if there is more than one Options, or if a duration in it is negative: these
// are mistakes in the program and not in its input.
func New[U any](sess *sessions.Manager, load func(ctx context.Context, id string) (U, error), opts ...Options) *Users[U] {
	switch {
	case sess == nil:
		panic("auth: New got no session manager: pass what sessions.New returned")
	case load == nil:
		panic("auth: New got no loader: pass func(ctx context.Context, id string) (*User, error)")
	case len(opts) > 1:
		panic("auth: New got more than one Options: pass one")
	}
	var o Options
	if len(opts) == 1 {
		o = opts[0]
	}
	r := newRealm(load, o)
	r.sess = sess
	sess.Check(r.accept)
	return &Users[U]{r}
}

// newRealm returns a realm without sessions.
func newRealm[U any](load func(ctx context.Context, id string) (U, error), o Options) *realm {
	switch {
	case o.Lifetime < 0:
		panic(fmt.Sprintf("auth: Options.Lifetime is %v: use a positive duration, or 0 for 30 days", o.Lifetime))
	case o.Recheck < 0:
		panic(fmt.Sprintf("auth: Options.Recheck is %v: use a positive duration, or 0 for never", o.Recheck))
	}
	if o.Lifetime == 0 {
		o.Lifetime = 30 * 24 * time.Hour
	}
	if o.Refresh == 0 {
		o.Refresh = 5 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	r := &realm{
		userType: reflect.TypeFor[U](),
		refresh:  o.Refresh,
		lifetime: o.Lifetime,
		recheck:  o.Recheck,
		log:      o.Logger,
		reg:      newRegistry(),

		revocations: o.Revocations,
	}
	r.bearers.salt, r.bearers.fresh, r.bearers.live = rand.Text(), o.Refresh, r.live
	r.load = func(ctx context.Context, id string) (any, error) {
		u, err := load(ctx, id)
		if err == nil && isNil(u) {
			err = ErrNoUser
		}
		return box[U]{u}, err
	}
	return r
}

// box carries a user through any without losing its static type, which may be an interface.
type box[U any] struct{ user U }

func isNil(v any) bool {
	switch rv := reflect.ValueOf(v); rv.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Interface, reflect.Func, reflect.Chan:
		return rv.IsNil()
	}
	return false
}

// Middleware gives HTTP requests an identity, and a session if the session manager's own Middleware did not run
// yet. It loads nothing: neither session nor user is fetched before a handler asks.
func (u *Users[U]) Middleware(next http.Handler) http.Handler {
	return u.r.sess.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, u.Attach(r))
	}))
}

// Attach puts an identity in the request's context, for adapters that attached a session themselves (see
// [sessions.Manager.Attach]). Everybody else uses [Users.Middleware].
func (u *Users[U]) Attach(r *http.Request) *http.Request {
	s, ok := u.r.sess.Lookup(r.Context())
	if !ok {
		s = u.r.sess.Open(r)
	}
	id := &Identity{realm: u.r, session: s, inHTTP: true}
	return r.WithContext(context.WithValue(r.Context(), identityKey{}, id))
}

// Handshake is core.Config.Authenticate. It decodes the session and loads no user.
//
// At a handshake, which is a request whose context carries a connection's session or whose URL has no "sid" or an empty one, it
// returns a context with the caller's identity. That context is cancelled when the login ends; r.Context() must
// live as long as the connection. At any other request of a connection it only says who is calling. principal is
// the id that was given to Login, or empty. An error means that the session store could not be asked.
//
// Where [Users.Tokens] is used, a token in the Authorization header counts as well: without a login principal is the
// token's user, and next to the login of another user both together. See [Tokens.Handshake].
func (u *Users[U]) Handshake(r *http.Request) (ctx context.Context, principal string, err error) {
	return u.r.authenticate(r)
}

// bySession says whose session a request of a connection comes with, and whether it is a later one than the handshake.
func (r *realm) bySession(req *http.Request) (ctx context.Context, principal string, later bool, err error) {
	s, ok := r.sess.Lookup(req.Context())
	if !ok || !s.InSocket() {
		if ofConnection(req) {
			ctx, principal, err = r.identify(req)
			return ctx, principal, true, err
		}
		if ctx, err = r.sess.BindSession(req); err != nil {
			return nil, "", false, err
		}
		s, _ = r.sess.Lookup(ctx)
		req = req.WithContext(ctx)
	}
	ctx, principal, err = r.handshake(req, s)
	return ctx, principal, false, err
}

// Connections is the number of open connections that a login or logout could cut: those with a session.
func (u *Users[U]) Connections() int { return u.r.reg.connections() }

// identify names the caller of a later request, by its cookie alone: what HTTP middleware did to the session in this
// request does not count.
func (r *realm) identify(req *http.Request) (context.Context, string, error) {
	s := r.sess.Open(req) // loads nothing yet
	id := &Identity{realm: r, session: s, inHTTP: true}
	ctx := context.WithValue(req.Context(), identityKey{}, id)

	cookies := req.CookiesNamed(r.sess.Name())
	if len(cookies) == 0 {
		return ctx, "", nil
	}
	now, key := time.Now(), hashCookie(cookies[0].Value)
	if len(cookies) == 1 {
		if in, ok := r.seen.get(key, now); ok && r.live(in) {
			return ctx, in.user, nil
		}
	}
	if err := s.Err(); err != nil {
		return nil, "", err
	}
	in := id.current()
	if in.user != "" && len(cookies) == 1 && r.refresh > 0 {
		r.seen.put(key, in, now.Add(r.refresh))
	}
	return ctx, in.user, nil
}

// handshake registers the connection whose session is s, so that it can be cut.
func (r *realm) handshake(req *http.Request, s *sessions.Session) (context.Context, string, error) {
	ctx := req.Context()
	if err := s.Err(); err != nil {
		return nil, "", err
	}
	in := sessionLogin(s)
	c := &connection{login: in, sessionID: s.ID()}
	if c.login.user == "" && c.sessionID == "" {
		return context.WithValue(ctx, identityKey{}, &Identity{realm: r, session: s, conn: c}), "", nil
	}
	bound, cut := context.WithCancelCause(ctx)
	c.cut = cut
	bound = context.WithValue(bound, identityKey{}, &Identity{realm: r, session: s, conn: c})
	if cause := r.reg.add(c, time.Now()); cause != nil {
		// The login ended between reading the session and here: core sees a connection that is cut already.
		c.end(cause)
		return bound, "", nil
	}
	expire := func() {}
	if c.login.user != "" {
		bound, expire = context.WithDeadlineCause(bound, c.login.end(r.lifetime), ErrLoginExpired)
		r.watch(bound, c, r.stillInSession(c.login, req))
	}
	context.AfterFunc(ctx, func() {
		expire()
		r.reg.remove(c)
	})
	return bound, c.login.user, nil
}

// accept is the session manager's check: a session whose login has ended counts as none.
func (r *realm) accept(ctx context.Context, id string, get func(key string) any) (bool, error) {
	in, ok := readLogin(func(key any) any { return get(key.(string)) })
	if !ok || in.user == "" {
		return ok, nil
	}
	if !r.live(in) {
		return false, nil
	}
	if in.session = id; !r.live(in) {
		return true, nil // RevokeSession ended the login, and leaves the other values
	}
	return r.unrevoked(ctx, in)
}

// live reports whether a login counts by what this process knows.
func (r *realm) live(in login) bool {
	return time.Now().Before(in.end(r.lifetime)) && !r.reg.revoked(in)
}

// warn logs a loader's error, at most one a second: every event of every client may meet it.
func (r *realm) warn(id string, err error) {
	r.warnOf("auth: the user could not be loaded and counts as not logged in "+
		"(a loader returns auth.ErrNoUser for an account that is gone)", id, err)
}

func (r *realm) warnOf(text, user string, err error) {
	if errors.Is(err, context.Canceled) || !r.warned.allow(time.Now()) {
		return
	}
	r.log.Error(text, "user", user, "error", err)
}
