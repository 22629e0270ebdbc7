package core

import (
	"context"
	"errors"
	"time"

	"github.com/siokit/siokit/wire/sio"
)

// Call sends an event to the client that ctx belongs to and waits for its ack, which is decoded
// into Out. ctx is a handler's *Context or derived from one. Out follows the rules of On: one
// argument, or None, Args2 to Args4, Args.
//
// Call may be used inside handlers: acks do not queue behind them. (Only when the client has
// sent 16 times Config.QueueEvents or QueueBytes ahead of its ack is that not read in time.) It
// waits until ctx ends, at most Config.CallTimeout if ctx has no deadline, and returns ErrTimeout,
// ErrDisconnected as soon as the client leaves, or an *ArgumentError when the answer does not fit
// Out.
func Call[Out any](ctx context.Context, event string, args ...any) (Out, error) {
	c, ok := From(ctx)
	if !ok {
		var zero Out
		return zero, ErrNoSocket
	}
	return CallSocket[Out](ctx, c.Socket, event, args...)
}

// CallSocket is Call for any client, from anywhere:
//
//	yes, err := core.CallSocket[bool](ctx, socket.Timeout(5*time.Second), "sure?")
//
// What Timeout says replaces Config.CallTimeout and holds also when ctx has a later deadline. With
// Volatile it returns ErrNotWritable at once when the client cannot be asked now.
func CallSocket[Out any](ctx context.Context, to One, event string, args ...any) (Out, error) {
	answer, err := to.one().call(ctx, event, args)
	if err != nil {
		var zero Out
		return zero, err
	}
	return decodeAnswer[Out](event, answer)
}

// decodeAnswer decodes the arguments of an ack.
func decodeAnswer[Out any](event string, answer sio.Args) (Out, error) {
	var out Out
	if err := decodeInto(&out, event, answer); err != nil {
		var zero Out
		return zero, err
	}
	return out, nil
}

// settled is how an event ended for who asked.
type settled struct {
	answer sio.Args
	err    error
}

// answers is where a goroutine waits for one answer. Its capacity is 1.
type answers chan settled

func (ch answers) settle(answer sio.Args, err error) { ch <- settled{answer, err} }

func (e Emitter) call(ctx context.Context, event string, args []any) (sio.Args, error) {
	s := e.socket
	ch := make(answers, 1)
	id, err := s.await(ch, 0, false)
	if err != nil {
		return sio.Args{}, err
	}
	defer s.giveUp(id)
	if err := e.emit(id, event, args); err != nil {
		return sio.Args{}, err
	}
	expired, stop := e.options.expiry(ctx, s.ns.srv)
	defer stop()
	select {
	case got := <-ch:
		return got.answer, got.err
	case <-expired:
		return sio.Args{}, ErrTimeout
	case <-ctx.Done():
		if s.ctx.Err() != nil {
			return sio.Args{}, ErrDisconnected
		}
		return sio.Args{}, waitError(ctx)
	}
}

// expiry returns a channel for the end of a wait, nil when only ctx ends it. stop must be called.
func (o emitOptions) expiry(ctx context.Context, srv *Server) (expired <-chan time.Time, stop func()) {
	d := o.timeout
	if _, has := ctx.Deadline(); d <= 0 && !has {
		d = srv.cfg.CallTimeout
	}
	if d <= 0 {
		return nil, func() {}
	}
	timer := time.NewTimer(d)
	return timer.C, func() { timer.Stop() }
}

// remaining is how long answers may take.
func (o emitOptions) remaining(ctx context.Context, srv *Server) time.Duration {
	d := o.timeout
	deadline, has := ctx.Deadline()
	if d <= 0 && !has {
		d = srv.cfg.CallTimeout
	}
	if has && (d <= 0 || time.Until(deadline) < d) {
		d = time.Until(deadline)
	}
	return d
}

// waitError is why a wait ended with ctx.
func waitError(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return ErrTimeout
	}
	return ctx.Err()
}

// EmitFunc sends an event to one client and returns; f gets the ack, decoded into Out by the rules
// of Call:
//
//	err := core.EmitFunc(c, "sure?", []any{file}, func(yes bool, err error) { ... })
//
// When EmitFunc returns nil, f runs exactly once, on a goroutine of its own that Shutdown waits for:
// with the answer, or with ErrTimeout (after Config.CallTimeout, or what Timeout says),
// ErrDisconnected as soon as the client leaves, or an *ArgumentError when the answer does not fit
// Out. A panic of f goes to the error hooks of the namespace. When EmitFunc returns an error nothing
// was sent and f does not run.
//
// Unlike Call it may be used in OnConnect: the event arrives after the client's connect event.
func EmitFunc[Out any](to One, event string, args []any, f func(answer Out, err error)) error {
	if f == nil {
		return errors.New("core: EmitFunc needs a function; to send without an ack use Emit")
	}
	e := to.one()
	return e.emitFunc(event, args, func(answer sio.Args, err error) error {
		var out Out
		decoding := protect(func() error { // UnmarshalJSON is the user's
			if err == nil {
				out, err = decodeAnswer[Out](event, answer)
			}
			return nil
		})
		if decoding != nil {
			err = decoding
		}
		return errors.Join(decoding, protect(func() error { f(out, err); return nil }))
	})
}

// callback is an event whose answer a function takes.
type callback struct {
	socket *Socket
	event  string
	run    func(answer sio.Args, err error) error
}

func (cb *callback) settle(answer sio.Args, err error) {
	s := cb.socket
	s.ns.srv.dispatchers.start(work{socket: s, beside: func() {
		if failed := cb.run(answer, err); failed != nil {
			s.ns.report(&Context{Socket: s, event: cb.event}, failed)
		}
	}})
}

func (e Emitter) emitFunc(event string, args []any, run func(sio.Args, error) error) error {
	d := e.options.timeout
	if d <= 0 {
		d = e.socket.ns.srv.cfg.CallTimeout
	}
	id, err := e.socket.await(&callback{e.socket, event, run}, d, true)
	if err != nil {
		return err
	}
	sent := false
	defer func() {
		if !sent { // also when encoding has panicked
			e.socket.giveUp(id)
		}
	}()
	err = e.emit(id, event, args)
	sent = err == nil || !e.socket.giveUp(id) // it ended meanwhile: f knows
	if sent {
		return nil
	}
	return err
}
