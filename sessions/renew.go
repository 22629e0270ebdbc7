package sessions

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"net/http"

	gorilla "github.com/gorilla/sessions"
)

// Renew moves the session of an HTTP request to a new id and saves it at once. Call it when a visitor gains or
// loses rights, so that an id somebody planted or copied before is worth nothing after; auth does so at login and
// logout. The values come along. Where the store keeps sessions, what it had under the old id is deleted.
//
// changes are applied to the new session only; nil deletes a key. Unlike [Session.Set] it may write reserved keys:
// never pass keys that a client chose. old is the id the session had, or empty.
//
// Errors: [ErrNoMiddleware], [ErrInSocket], [ErrTooLate], or the store's. If the store deletes the old session and
// then fails to save the new one, the visitor is left with an empty session.
func (m *Manager) Renew(ctx context.Context, changes map[string]any) (old string, err error) {
	s, ok := m.Lookup(ctx)
	if !ok {
		return "", ErrNoMiddleware
	}
	if s.kind == inSocket {
		return "", ErrInSocket
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.writableLocked(); err != nil {
		return "", err
	}
	old = idOf(s.gs)
	values, done, err := s.lastValuesLocked()
	if err != nil {
		return "", err
	}
	defer done()
	next := gorilla.NewSession(m.store, m.name)
	*next.Options = *s.gs.Options
	next.IsNew = true
	maps.Copy(next.Values, values)
	for key, value := range changes {
		if value == nil {
			delete(next.Values, key)
		} else {
			next.Values[key] = value
		}
	}
	next.Values[idKey] = rand.Text()

	if err := m.erase(s.requestContext(), s.r, s.gs); err != nil {
		return "", err
	}
	if err := m.save(s.requestContext(), s.r, next, s.h); err != nil {
		next.Values, next.ID = map[any]any{}, ""
		s.gs, s.modified, s.changed, s.stored = next, false, edits{}, nil
		return old, err
	}
	s.savedLocked(next)
	if old != "" && idOf(next) == old {
		return old, errors.New("sessions: the session store kept the old session id although it was asked for a new one: " +
			"its Save must make an id when the session's ID is empty, as all stores of gorilla/sessions do")
	}
	return old, nil
}

// lastValuesLocked returns the values that the session has just before it is renewed. In Shared mode those are what
// others saved until now and what this request changed, and nobody saves any more until done is called. s.mu must
// be held.
func (s *Session) lastValuesLocked() (values map[any]any, done func(), err error) {
	if s.m.mode != Shared || s.stored == nil {
		return s.gs.Values, func() {}, nil
	}
	ctx, cancel := context.WithTimeout(s.requestContext(), s.m.timeout)
	defer cancel()
	turn, err := turns.take(ctx, s.gs.ID)
	if err != nil {
		return nil, nil, err
	}
	read := false
	defer func() {
		if !read { // also if the store panics: others wait for their turn
			turn()
		}
	}()
	// Unchecked: at a logout the login has been revoked already, and the other values are to come along.
	now, err := s.m.read(s.stored.WithContext(ctx), unchecked)
	if err != nil {
		return nil, nil, err
	}
	read = true
	s.changed.applyTo(now.Values) // to nothing if somebody deleted the session: it must not come back
	return now.Values, turn, nil
}

// Erase deletes what the store holds under the id of the session in ctx. It works from a socket handler too, where
// the cookie itself cannot be changed: the cookie then names a session that is gone. Where the store keeps
// everything in the cookie it does nothing. The values in memory stay, but for a socket in Shared mode, whose session
// is gone with what was not saved.
func (m *Manager) Erase(ctx context.Context) error {
	s, ok := m.Lookup(ctx)
	if !ok {
		return ErrNoMiddleware
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.b != nil {
		return s.eraseSharedLocked(ctx)
	}
	if err := s.loadLocked(); err != nil {
		return err
	}
	r := s.r
	if r == nil {
		r = &http.Request{Method: http.MethodGet}
	}
	return m.erase(ctx, r, s.gs)
}

// eraseSharedLocked deletes by the id of the handshake: the session may be one that the checks refuse by now.
func (s *Session) eraseSharedLocked(ctx context.Context) error {
	if s.b.id == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.m.timeout)
	defer cancel()
	done, err := turns.take(ctx, s.b.id)
	if err != nil {
		return err
	}
	defer done()
	dead := s.b.empty()
	dead.ID = s.b.id
	if err := s.m.erase(ctx, s.r, dead); err != nil {
		return err
	}
	s.took(s.b.empty(), nil)
	s.modified, s.changed = false, edits{}
	return nil
}
