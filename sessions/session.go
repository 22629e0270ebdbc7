package sessions

import (
	"context"
	"maps"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"

	gorilla "github.com/gorilla/sessions"
)

type kind uint8

const (
	nowhere  kind = iota // no middleware ran
	inHTTP               // one HTTP request
	inSocket             // one connection: Fork its copy, Shared one event's view of the store
)

const (
	reservedPrefix = "_siokit."
	idKey          = reservedPrefix + "id" // the session's id where the store has none of its own
)

// Session is the session of one HTTP request or of one connection. All methods may be called concurrently.
//
// In HTTP it is loaded from the store at the first use, and saved before the first byte of the response if it was
// changed. In a socket in Fork mode it is the copy taken at the handshake. In a socket in Shared mode it is loaded at
// the first use in each event, and what was set, deleted or cleared is saved after the handler and before its ack.
type Session struct {
	m    *Manager
	kind kind
	r    *http.Request // what it is loaded by; HTTP: the request it belongs to; nil in Fork's copies
	h    http.Header   // HTTP: where Set-Cookie goes; nil if there is no response
	b    *binding      // Shared: the connection; nil in HTTP

	// mu is held while the store loads or saves, so that one request never does so twice. Stores know nothing of
	// this type and cannot come back for the lock.
	mu       sync.Mutex
	loaded   bool             // guarded by mu
	gs       *gorilla.Session // guarded by mu; nil until loaded, and if err is set
	err      error            // guarded by mu; why it could not be loaded
	modified bool             // guarded by mu; changed since the last save
	closed   bool             // guarded by mu; the response has begun
	changed  edits            // guarded by mu; Shared: what modified is about
	stored   *http.Request    // guarded by mu; Shared: loads what the store has by now; nil if it has nothing

	// over is set, under mu, when a connection's event has ended: nobody will save any more, so every call asks the
	// store and every write goes there at once.
	over atomic.Bool
}

// loadLocked loads the session once. s.mu must be held.
func (s *Session) loadLocked() error {
	if s.loaded && !s.over.Load() {
		return s.err
	}
	if s.b != nil {
		s.took(s.b.open())
	} else {
		s.took(s.m.open(s.r))
	}
	return s.err
}

// took is given what was loaded. s.mu must be held, unless nobody else knows s yet.
func (s *Session) took(gs *gorilla.Session, err error) {
	s.loaded, s.gs, s.err, s.stored = true, gs, err, nil
	if err == nil && !gs.IsNew {
		s.stored = s.r
	}
}

// writableLocked loads the session and says whether it may change. s.mu must be held.
func (s *Session) writableLocked() error {
	if s.closed {
		return ErrTooLate
	}
	if err := s.loadLocked(); err != nil {
		return err
	}
	if s.b != nil && s.gs.IsNew {
		return s.b.gone()
	}
	return nil
}

// wroteLocked is called after every change. s.mu must be held.
func (s *Session) wroteLocked(record func(*edits)) error {
	s.modified = true
	if s.m.mode == Shared {
		record(&s.changed)
	}
	if !s.over.Load() {
		return nil
	}
	err := s.saveLocked()
	s.modified, s.changed = false, edits{} // a write that failed did not happen
	return err
}

// Get returns the value of key, or nil. It is nil as well if the session could not be loaded: see [Session.Err].
func (s *Session) Get(key any) any {
	if !usable(key) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loadLocked() != nil {
		return nil
	}
	return s.gs.Values[key]
}

// Set stores value under key. The value must be one that the store can encode: for gorilla's stores, a basic type
// or one passed to gob.Register. An error means that nothing was stored: [ErrNoMiddleware], [ErrTooLate],
// [ErrReservedKey], [ErrUnusableKey], [ErrNoSession], [ErrSessionGone], or the store's own when it could not load
// the session. A value that is changed in place afterwards must be Set again.
func (s *Session) Set(key, value any) error {
	if err := writableKey(key); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.writableLocked(); err != nil {
		return err
	}
	s.gs.Values[key] = value
	return s.wroteLocked(func(e *edits) { e.set(key, value) })
}

// Delete removes key. It is no error if it is not there. Errors are those of [Session.Set].
func (s *Session) Delete(key any) error {
	if err := writableKey(key); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.writableLocked(); err != nil {
		return err
	}
	if _, ok := s.gs.Values[key]; !ok {
		return nil
	}
	delete(s.gs.Values, key)
	return s.wroteLocked(func(e *edits) { e.delete(key) })
}

// Clear removes every value, in HTTP the login included. To log somebody out use package auth: only that refuses
// copies of the cookie and ends open sockets. In a socket the login stays.
func (s *Session) Clear() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.writableLocked(); err != nil {
		return err
	}
	before := len(s.gs.Values)
	clearValues(s.gs.Values, s.kind == inSocket)
	if len(s.gs.Values) == before {
		return nil
	}
	return s.wroteLocked(func(e *edits) { e.clear(s.kind == inSocket) })
}

// Values returns a copy of the application's values. What siokit keeps there itself is left out.
func (s *Session) Values() map[any]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loadLocked() != nil {
		return map[any]any{}
	}
	out := maps.Clone(s.gs.Values)
	maps.DeleteFunc(out, func(key, _ any) bool { return reserved(key) })
	return out
}

// ID identifies the session and is a secret wherever the store trusts it. It is the store's id, or for stores that
// keep everything in the cookie a random value kept there. It is empty until a session is first saved here, and in
// Shared mode once the store no longer has it.
func (s *Session) ID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loadLocked() != nil {
		return ""
	}
	return idOf(s.gs)
}

// IsNew reports whether the request brought no valid session; in a socket in Shared mode, whether there is none by
// now.
func (s *Session) IsNew() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loadLocked() != nil || s.gs.IsNew
}

// Modified reports whether there are changes that are not saved.
func (s *Session) Modified() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.modified
}

// InSocket reports whether this is the session of a connection.
func (s *Session) InSocket() bool { return s.kind == inSocket }

// Err loads the session if need be, and says why it could not be loaded: the store's error, or [ErrNoMiddleware].
// A visitor without a session, or with a cookie that does not verify, is no error; nor is a session that is gone, see
// [Session.IsNew]. When a connection's event is over it says how its last call fared.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over.Load() {
		return s.err
	}
	return s.loadLocked()
}

// requestContext is for store calls that must not die with a client that hangs up.
func (s *Session) requestContext() context.Context { return context.WithoutCancel(s.r.Context()) }

func idOf(gs *gorilla.Session) string {
	if gs.ID != "" {
		return gs.ID
	}
	id, _ := gs.Values[idKey].(string)
	return id
}

func reserved(key any) bool {
	name, ok := key.(string)
	return ok && strings.HasPrefix(name, reservedPrefix)
}

func usable(key any) bool {
	if _, ok := key.(string); ok {
		return true
	}
	return key != nil && reflect.ValueOf(key).Comparable()
}

func writableKey(key any) error {
	if !usable(key) {
		return ErrUnusableKey
	}
	if reserved(key) {
		return ErrReservedKey
	}
	return nil
}
