package sessions

import (
	"context"
	"maps"
	"net/http"

	gorilla "github.com/gorilla/sessions"
)

// Save saves the changes now, so that the store's error is returned here. In HTTP that is otherwise done before
// the first byte of the response, where a failure can only become a 500; in a socket in Shared mode after the
// handler, where it only fails the ack. In a socket in Fork mode it returns [ErrInSocket]. It waits for the store
// until ctx ends, and no longer than Options.StoreTimeout. In Shared mode the session shows afterwards what others
// saved in the meantime.
func (s *Session) Save(ctx context.Context) error {
	if s.kind == inSocket && s.b == nil {
		return ErrInSocket
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.b != nil && !s.modified {
		return nil
	}
	if err := s.writableLocked(); err != nil {
		return err
	}
	return s.saveWithinLocked(ctx)
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

// saveLocked saves if there are changes, also for a client that has hung up. s.mu must be held.
func (s *Session) saveLocked() error {
	if !s.modified {
		return nil
	}
	return s.saveWithinLocked(s.requestContext())
}

func (s *Session) saveWithinLocked(ctx context.Context) error {
	if !s.modified {
		return nil
	}
	if s.h == nil && s.b == nil {
		return ErrTooLate
	}
	if s.m.mode == Shared && s.stored != nil {
		return s.mergeLocked(ctx)
	}
	if err := s.dropEndedLoginLocked(ctx); err != nil {
		return err
	}
	if err := s.m.save(ctx, s.r, s.gs, s.h); err != nil {
		return err
	}
	s.savedLocked(s.gs)
	return nil
}

// dropEndedLoginLocked takes the login out of a session that a request is about to save as it was loaded, if another
// request has logged out since. Saving it would undo the deletion in the store, and give the browser back the cookie that
// the logout took. s.mu must be held.
func (s *Session) dropEndedLoginLocked(ctx context.Context) error {
	if s.gs.IsNew || !holdsLogin(s.gs.Values) {
		return nil
	}
	now, err := s.m.open(s.r.WithContext(ctx))
	if err == nil && now.IsNew {
		maps.DeleteFunc(s.gs.Values, func(key, _ any) bool { return key != idKey && reserved(key) })
	}
	return err
}

// mergeLocked applies the changes to what the store has by now. s.mu must be held.
func (s *Session) mergeLocked(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.m.timeout)
	defer cancel()
	done, err := turns.take(ctx, s.gs.ID)
	if err != nil {
		return err
	}
	defer done()
	now, err := s.m.open(s.stored.WithContext(ctx))
	if err != nil {
		return err
	}
	if now.IsNew {
		// Saving would bring back what a logout deleted. The changes can never be saved: forget them.
		s.changed, s.modified = edits{}, false
		if s.b != nil {
			s.took(now, nil)
		}
		return ErrSessionGone
	}
	s.changed.applyTo(now.Values)
	h := s.h
	if s.b != nil {
		h = http.Header{} // a socket's cookie leads nowhere
	}
	if err := s.m.save(ctx, s.r, now, h); err != nil {
		return err
	}
	now.IsNew = s.gs.IsNew
	s.savedLocked(now)
	return nil
}

// savedLocked is called when gs is what the store has. s.mu must be held.
func (s *Session) savedLocked(gs *gorilla.Session) {
	s.gs, s.modified, s.changed = gs, false, edits{}
	if s.m.mode == Shared && s.h != nil {
		s.stored = s.m.withCookie(s.r, s.h)
	}
}

// end saves the changes of a connection's event. Nobody will save later ones. What could not be saved is lost: the
// event's ack is about to say so.
func (s *Session) end() error {
	if s.over.Load() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { // also if the store panics
		s.over.Store(true)
		s.gs, s.err, s.stored = nil, nil, nil
		s.modified, s.changed = false, edits{}
	}()
	return s.saveLocked()
}
