package sessions

import (
	"context"
	"maps"
	"net/http"
	"reflect"
	"strings"
	"sync"

	gorilla "github.com/gorilla/sessions"
)

type kind uint8

const (
	nowhere  kind = iota // no middleware ran
	inHTTP               // one HTTP request
	inSocket             // one connection's copy
)

const (
	reservedPrefix = "_siokit."
	idKey          = reservedPrefix + "id" // the session's id where the store has none of its own
)

// Session is the session of one HTTP request or of one connection. All methods may be called concurrently.
//
// In HTTP it is loaded from the store at the first use, and saved before the first byte of the response if it was
// changed. In a socket it is the copy taken at the handshake.
type Session struct {
	m    *Manager
	kind kind
	r    *http.Request // HTTP: the request it belongs to
	h    http.Header   // HTTP: where Set-Cookie goes; nil if there is no response

	// mu is held while the store loads or saves, so that one request never does so twice. Stores know nothing of
	// this type and cannot come back for the lock.
	mu       sync.Mutex
	loaded   bool             // guarded by mu
	gs       *gorilla.Session // guarded by mu; nil until loaded, and if err is set
	err      error            // guarded by mu; why it could not be loaded
	modified bool             // guarded by mu; changed since the last save
	closed   bool             // guarded by mu; the response has begun
}

// loadLocked loads the session once. s.mu must be held.
func (s *Session) loadLocked() error {
	if !s.loaded {
		s.loaded = true
		s.gs, s.err = s.m.open(s.r)
	}
	return s.err
}

// writableLocked loads the session and says whether it may change. s.mu must be held.
func (s *Session) writableLocked() error {
	if s.closed {
		return ErrTooLate
	}
	return s.loadLocked()
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
// [ErrReservedKey], [ErrUnusableKey], or the store's own when it could not load the session.
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
	s.modified = true
	return nil
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
	if _, ok := s.gs.Values[key]; ok {
		delete(s.gs.Values, key)
		s.modified = true
	}
	return nil
}

// Clear removes every value, in HTTP the login included. To log somebody out use package auth: only that refuses
// copies of the cookie and ends open sockets. In a socket it clears the connection's copy, whose user stays.
func (s *Session) Clear() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.writableLocked(); err != nil {
		return err
	}
	for key := range s.gs.Values {
		if key != idKey {
			delete(s.gs.Values, key)
			s.modified = true
		}
	}
	return nil
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
// keep everything in the cookie a random value kept there. It is empty until a session is first saved here.
func (s *Session) ID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loadLocked() != nil {
		return ""
	}
	return idOf(s.gs)
}

// IsNew reports whether the request brought no valid session.
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

// InSocket reports whether this is a connection's copy.
func (s *Session) InSocket() bool { return s.kind == inSocket }

// Err loads the session if need be, and says why it could not be loaded: the store's error, or [ErrNoMiddleware].
// A visitor without a session, or with a cookie that does not verify, is no error.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loadLocked()
}

// Save saves the changes now, so that the store's error is returned here. In HTTP that is otherwise done before
// the first byte of the response, where a failure can only become a 500. In a socket it returns [ErrInSocket].
func (s *Session) Save() error {
	if s.kind == inSocket {
		return ErrInSocket
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.writableLocked(); err != nil {
		return err
	}
	return s.saveLocked()
}

// Commit saves the changes, if any, and closes the session to further ones: they return [ErrTooLate]. It is for
// adapters that bring their own response writer, to be called before the first byte leaves; see [Manager.Attach].
// Calling it again does nothing. In a socket it returns [ErrInSocket].
func (s *Session) Commit() error {
	switch s.kind {
	case nowhere:
		return ErrNoMiddleware
	case inSocket:
		return ErrInSocket
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.loaded {
		s.h.Add("Vary", "Cookie") // the answer may depend on the session: a shared cache must know
	}
	return s.saveLocked()
}

// saveLocked saves if there are changes. s.mu must be held.
func (s *Session) saveLocked() error {
	if !s.modified {
		return nil
	}
	if s.h == nil {
		return ErrTooLate
	}
	if err := s.m.save(s.r, s.gs, s.h); err != nil {
		return err
	}
	s.modified = false
	return nil
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
