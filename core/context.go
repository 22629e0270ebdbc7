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
	limit   *timeLimit   // nil without Timeout
}

// sessionSlot is the string key under which a Context has a place of its own, where a SessionBinder
// may keep what belongs to this event alone. It is sessions.EventKey; core does not import sessions.
const sessionSlot = "github.com/siokit/siokit/sessions.event"

var _ context.Context = (*Context)(nil)

// Event returns the name of the event; "connect" and "disconnect" in the lifecycle functions.
func (c *Context) Event() string { return c.event }

// Args returns the arguments of the event, undecoded.
func (c *Context) Args() Args { return c.args }

// Deadline returns the end of the handler's Timeout, if it has one.
func (c *Context) Deadline() (time.Time, bool) { return c.life().Deadline() }

// Done is closed when the socket disconnects, or the handler's Timeout is over.
func (c *Context) Done() <-chan struct{} { return c.life().Done() }

// Err returns context.Canceled once the socket has disconnected, and context.DeadlineExceeded after
// the handler's Timeout.
func (c *Context) Err() error { return c.life().Err() }

// life is the context that ends with c.
func (c *Context) life() context.Context {
	if c.limit != nil {
		return c.limit
	}
	return c.ctx
}

// over ends the Context of a handler with a Timeout.
func (c *Context) over() {
	if c.limit != nil {
		c.limit.end()
	}
}

// late reports whether the handler's Timeout is over.
func (c *Context) late() bool { return c.limit != nil && c.limit.Err() == context.DeadlineExceeded }

// saving is a Context without its Timeout, for what must be done after that: saving the session.
type saving struct{ *Context }

func (c saving) Deadline() (time.Time, bool) { return c.ctx.Deadline() }
func (c saving) Done() <-chan struct{}       { return c.ctx.Done() }
func (c saving) Err() error                  { return c.ctx.Err() }

// timeLimit is the context of a handler with a Timeout, derived from its socket's.
type timeLimit struct {
	context.Context
	end context.CancelFunc
}

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
	return c.life().Value(key)
}

// From returns the Context from which ctx was derived, for code that is handed only a
// context.Context. It is false outside of socket handlers.
func From(ctx context.Context) (*Context, bool) {
	c, ok := ctx.Value(contextKey{}).(*Context)
	return c, ok
}
