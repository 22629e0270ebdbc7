package sessions

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	gorilla "github.com/gorilla/sessions"
)

// Mode says how sockets and HTTP share a session.
type Mode int

const (
	// Fork gives every connection its own copy of the session, taken at the handshake. It works with every store.
	Fork Mode = iota
	// Shared makes sockets read and write the session that HTTP has, as Flask-SocketIO does with
	// manage_session=False. It needs a store that keeps sessions on a server: [New] tries it out.
	Shared
)

// Secure says when session cookies carry the Secure attribute.
type Secure int

const (
	// SecureAuto sets Secure when the request came over TLS, or when X-Forwarded-Proto says that it did. The
	// header is believed from anybody: a forged one only keeps the forger's own cookie off plain HTTP.
	SecureAuto Secure = iota
	// SecureAlways sets it on every cookie. Over plain HTTP browsers then drop the cookie without a word
	// (localhost excepted in most of them).
	SecureAlways
	// SecureNever sets it on none. Anybody on the network path can then read the session.
	SecureNever
)

// Options tune a [Manager]. The zero value is good for production.
type Options struct {
	// Mode is Fork by default. With Shared, New saves, reads and deletes a session of its own to see whether the
	// store can do it, so the store must be reachable by then.
	Mode Mode

	// SameSite overrides the cookie's SameSite. Default: the store's if that is Lax or Strict, otherwise Lax.
	// http.SameSiteNoneMode sends the session with requests that foreign pages make, and forces Secure.
	SameSite http.SameSite

	// Secure says when cookies are Secure. Default SecureAuto.
	Secure Secure

	// StoreTimeout bounds one load or save through the request's context. Default 2 s. A store that ignores the
	// context (gorilla's own two do, and need no network) is not interrupted: give its client a timeout as well.
	StoreTimeout time.Duration

	// Logger receives warnings about refused cookies, at most one a second, and failed saves. Default slog.Default().
	// Cookie values are never logged.
	Logger *slog.Logger
}

// Manager opens, forks and saves the sessions of one cookie. All methods may be called concurrently.
type Manager struct {
	store    gorilla.Store
	name     string
	mode     Mode
	sameSite http.SameSite
	secure   Secure
	timeout  time.Duration
	log      *slog.Logger

	lastWarning   atomic.Int64        // UnixNano
	lastDiagnosis atomic.Int64        // UnixNano
	diagnosed     [causes]atomic.Bool // what was logged already

	checksMu sync.RWMutex
	checks   []check // guarded by checksMu
}

type check = func(ctx context.Context, id string, get func(key string) any) (bool, error)

// New returns a Manager for the session cookie called name in store.
func New(store gorilla.Store, name string, opts Options) (*Manager, error) {
	if store == nil {
		return nil, errors.New("sessions: New got no store: pass the gorilla/sessions store of the application, " +
			"or gorilla/sessions.NewCookieStore(key) with a 32-byte random key")
	}
	if name == "" {
		return nil, errors.New("sessions: New got an empty cookie name: pass the name the application already uses, for example \"app\"")
	}
	if err := (&http.Cookie{Name: name, Value: "x"}).Valid(); err != nil {
		return nil, fmt.Errorf("sessions: %q cannot name a cookie (%w): use letters, digits, '-' and '_'", name, err)
	}
	if opts.Mode != Fork && opts.Mode != Shared {
		return nil, fmt.Errorf("sessions: Options.Mode is %d: use sessions.Fork or sessions.Shared", opts.Mode)
	}
	if opts.Secure < SecureAuto || opts.Secure > SecureNever {
		return nil, fmt.Errorf("sessions: Options.Secure is %d: use SecureAuto, SecureAlways or SecureNever", opts.Secure)
	}
	if opts.SameSite == http.SameSiteNoneMode && opts.Secure == SecureNever {
		return nil, errors.New("sessions: Options.SameSite None needs Secure cookies, browsers drop them otherwise: leave Options.Secure at SecureAuto")
	}
	if opts.StoreTimeout < 0 {
		return nil, fmt.Errorf("sessions: Options.StoreTimeout is %v: use a positive duration, or 0 for 2 s", opts.StoreTimeout)
	}
	m := &Manager{
		store: store, name: name, mode: opts.Mode,
		sameSite: opts.SameSite, secure: opts.Secure,
		timeout: opts.StoreTimeout, log: opts.Logger,
	}
	if m.timeout == 0 {
		m.timeout = 2 * time.Second
	}
	if m.log == nil {
		m.log = slog.Default()
	}
	if m.mode == Shared {
		if err := m.probe(); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Name is the name of the session cookie.
func (m *Manager) Name() string { return m.name }

// BindSession opens the session of a Socket.IO handshake and returns a child of r.Context() that carries the
// connection's own copy of it, or in Shared mode its way to the store. Core calls it once per connection, through
// core.Config.Sessions.
//
// A cookie that does not verify, or whose session the store no longer has, gives a new and empty session. An
// error means that the store could not be asked; it must refuse the handshake (503), not turn users into guests.
func (m *Manager) BindSession(r *http.Request) (context.Context, error) {
	gs, err := m.open(r)
	if err != nil {
		return nil, err
	}
	if gs.IsNew {
		m.explainOnce(r)
	}
	var s *Session
	if m.mode == Shared {
		s = m.bind(r, gs)
	} else {
		s = &Session{m: m, kind: inSocket, loaded: true, gs: gs}
	}
	return context.WithValue(r.Context(), contextKey{}, s), nil
}

// NameSession returns the id of the session that r comes with, see [Session.ID], or empty if there is none. Core asks
// it, where core.Config.Authenticate is nil, so that a connection can be continued only by the session that opened it.
// The error is the store's.
func (m *Manager) NameSession(r *http.Request) (id string, err error) {
	s, ok := m.Lookup(r.Context())
	if !ok || !s.InSocket() {
		s = m.Open(r) // by the cookies alone: what middleware did to the session in this request does not count
	}
	if err := s.Err(); err != nil {
		return "", err
	}
	if s.IsNew() {
		return "", nil
	}
	return s.ID(), nil
}

// SaveSession is called by core after each event handler, also after one that failed, and before its ack; ctx is the
// handler's. In Fork mode there is nothing to save. In Shared mode it saves what the event changed, and nothing else,
// on top of what the store has by then. Errors are [ErrSessionGone], or the store's: the changes are then lost, and
// core fails the ack.
func (m *Manager) SaveSession(ctx context.Context) error {
	if m.mode != Shared {
		return nil
	}
	if s, ok := ctx.Value(contextKey{}).(*Session); ok && s.b != nil && s.m == m {
		return s.b.end(ctx)
	}
	return nil
}

// Open returns the session that the cookies of r name, apart from the one that Middleware may have put in its
// context. It is loaded at the first read. It has no response: writes return [ErrTooLate].
func (m *Manager) Open(r *http.Request) *Session {
	return &Session{m: m, kind: inHTTP, r: r, closed: true}
}

// Lookup returns the session of this Manager that ctx carries, if any.
func (m *Manager) Lookup(ctx context.Context) (*Session, bool) {
	s, ok := lookup(ctx)
	if !ok || s.m != m {
		return nil, false
	}
	return s, true
}

// Check adds a test that every session must pass when it is loaded. One that fails is treated as if its cookie
// did not verify: the visitor gets a new, empty session. Package auth refuses revoked logins this way, so that
// the values of a copied cookie are out of reach as well. id is the session's id (see [Session.ID]), and get reads its
// values. An error means that it could not be found out; loading the session then fails with it, as it does if the store
// fails. ctx ends with Options.StoreTimeout. The check must not use the session itself, and must be safe for concurrent
// use. Call Check before serving.
func (m *Manager) Check(accept func(ctx context.Context, id string, get func(key string) any) (bool, error)) {
	m.checksMu.Lock()
	defer m.checksMu.Unlock()
	m.checks = append(m.checks, accept)
}
