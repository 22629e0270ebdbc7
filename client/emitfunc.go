package client

import (
	"context"
	"errors"
	"time"
)

// EmitFunc sends an event and returns; f gets the ack, decoded into Out by the rules of Call:
//
//	err := client.EmitFunc(c, "join", []any{"lobby"}, func(members []string, err error) { ... })
//
// When EmitFunc returns nil, f runs exactly once. It runs like a handler, on the namespace's own goroutine:
// in the order in which the server sent events and acks, never at the same time as a handler, and Close waits
// for it. What the server emitted before the ack has been handled by then. (A handler that waits for f waits
// in vain: that is what Call is for.)
//
// err is nil, an *Error when a siokit server's handler failed (unless Out is Args), an *ArgumentError when the
// answer does not fit Out, ErrTimeout after Emitter.Timeout, else Options.CallTimeout, and ErrDisconnected as
// soon as the connection breaks or the namespace ends; those that a connection leaves unanswered come in the
// order in which they were sent, and before OnDisconnect. Without a connection the event waits for one, with
// Options.Retries it is sent again, and f hears only how that ended. A panic of f goes to Options.OnError.
//
// When EmitFunc returns an error, one of Emit's, or ErrNotWritable with Volatile, nothing was sent and f does
// not run.
func EmitFunc[Out any](to Target, event string, args []any, f func(answer Out, err error)) error {
	if f == nil {
		return errors.New("client: EmitFunc needs a function; to send without an ack use Emit")
	}
	e := to.target()
	return e.emitFunc(event, args, func(ctx context.Context, got settled) {
		var out Out
		if got.err == nil {
			got.err = protect(func() (err error) { // UnmarshalJSON is the user's
				out, err = decodeAnswer[Out](event, got.answer)
				return err
			})
			if p, ok := got.err.(*PanicError); ok {
				e.socket.client.report(ctx, e.socket.name, event, p)
			}
		}
		e.socket.guard(ctx, event, func() error { f(out, got.err); return nil })
	})
}

func (e Emitter) emitFunc(event string, args []any, then func(context.Context, settled)) error {
	s, c := e.socket, e.socket.client
	q := &question{socket: s, then: then}
	giveUp, err := e.pose(event, args, q)
	if err != nil {
		return err
	}
	d := e.timeout
	if d <= 0 {
		d = c.opts.CallTimeout
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !q.over {
		q.timer = time.AfterFunc(d, func() {
			giveUp()
			c.mu.Lock()
			defer c.mu.Unlock()
			q.settleLocked(settled{err: ErrTimeout})
		})
	}
	return nil
}
