package sessions

import (
	"context"
	"net/http"
)

// Middleware gives every request its session, for net/http, chi and whatever takes a func(http.Handler)
// http.Handler. The store is asked at the first use of the session, so a route that uses none costs no load. A
// changed session is saved before the first byte of the response leaves; if that fails, the answer is a 500 and
// the handler's own writes return the error. A handler that panics has its changes saved as well.
//
// Inside another Middleware of the same Manager it does nothing.
func (m *Manager) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s, ok := m.Lookup(r.Context()); ok && s.kind == inHTTP {
			next.ServeHTTP(w, r)
			return
		}
		r, s := m.Attach(w, r)
		rw := &response{ResponseWriter: w, s: s}
		returned := false
		defer func() {
			if returned {
				rw.begin()
			} else if !rw.begun { // a panic: the answer is up to whoever recovers it
				if err := s.Commit(); err != nil {
					m.log.Error("sessions: the changes of a handler that panicked are lost", "error", err)
				}
			}
		}()
		next.ServeHTTP(rw, r)
		returned = true
	})
}

// Attach puts a session in the request's context, for adapters that bring a response writer of their own: they
// call [Session.Commit] before the first byte leaves, and after the handler if nothing was written. Everybody else
// uses [Manager.Middleware].
func (m *Manager) Attach(w http.ResponseWriter, r *http.Request) (*http.Request, *Session) {
	s := &Session{m: m, kind: inHTTP, r: r, h: w.Header()}
	return r.WithContext(context.WithValue(r.Context(), contextKey{}, s)), s
}
