package core

import (
	"context"
	"sync/atomic"
	"time"
)

// A Context is what a handler gets: the client's Socket and the event being handled. It is a
// context.Context, one per event and never reused, so it may be kept.
//
// Done is closed when the socket disconnects, and context.Cause then is a *DisconnectError: work
// that a handler does with c stops when the tab closes. For work that must go on use
// context.WithoutCancel(c). Value sees what HTTP middleware stored in the handshake request's
// context, the session, the user, and what the framework's adapter copied.
type Context struct {
	*Socket
	event string
	args  Args

	session atomic.Value // see sessionSlot
}

// sessionSlot is the string key under which a Context has a place of its own, where a SessionBinder
// may keep what belongs to this event alone. It is sessions.EventKey; core does not import sessions.
const sessionSlot = "github.com/siokit/siokit/sessions.event"

var _ context.Context = (*Context)(nil)

// Event returns the name of the event; "connect" and "disconnect" in the lifecycle functions.
func (c *Context) Event() string { return c.event }

// Args returns the arguments of the event, undecoded.
func (c *Context) Args() Args { return c.args }

// Deadline reports that a Context has none.
func (c *Context) Deadline() (time.Time, bool) { return c.ctx.Deadline() }

// Done is closed when the socket disconnects.
func (c *Context) Done() <-chan struct{} { return c.ctx.Done() }

// Err returns context.Canceled once the socket has disconnected.
func (c *Context) Err() error { return c.ctx.Err() }

type contextKey struct{}

// Value returns what Socket.SetValue stored under key, or else what the handshake's context holds.
func (c *Context) Value(key any) any {
	if key == (contextKey{}) {
		return c
	}
	if key == sessionSlot {
		return &c.session
	}
	if v, ok := c.value(key); ok {
		return v
	}
	return c.ctx.Value(key)
}

// From returns the Context from which ctx was derived, for code that is handed only a
// context.Context. It is false outside of socket handlers.
func From(ctx context.Context) (*Context, bool) {
	c, ok := ctx.Value(contextKey{}).(*Context)
	return c, ok
}
