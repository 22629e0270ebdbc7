package sessions

import "context"

// ContextKey is the string key under which [From] finds a [*Session] in contexts that see only string keys: a
// *gin.Context after c.Set(sessions.ContextKey, session), which package ginsio does.
const ContextKey = "github.com/siokit/siokit/sessions"

type contextKey struct{}

// absent is the session of a context without one. It is never written to.
var absent = &Session{kind: nowhere, loaded: true, err: ErrNoMiddleware}

// From returns the session of the running request or connection. It never returns nil: where no middleware ran,
// the session is empty, and its writes and Err say which middleware is missing.
func From(ctx context.Context) *Session {
	if s, ok := lookup(ctx); ok {
		return s
	}
	return absent
}

func lookup(ctx context.Context) (*Session, bool) {
	if ctx == nil {
		return nil, false
	}
	if s, ok := ctx.Value(contextKey{}).(*Session); ok {
		if s.b != nil {
			s = s.b.of(ctx)
		}
		return s, true
	}
	s, ok := ctx.Value(ContextKey).(*Session)
	return s, ok && s != nil
}

// Get returns the value of key in the session of ctx. ok is false if there is none, or one of another type.
// Mind stores that serialise as JSON: they give numbers back as float64.
func Get[T any](ctx context.Context, key any) (value T, ok bool) {
	value, ok = From(ctx).Get(key).(T)
	return value, ok
}
