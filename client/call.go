package client

import (
	"context"
	"reflect"

	"github.com/siokit/siokit/wire/sio"
)

// Call sends an event and waits for its ack, which is decoded into Out: one argument, or None, Args2 to
// Args4, Args.
//
//	members, err := client.Call[[]string](ctx, c, "join", "lobby")
//
// It may be used inside handlers: acks do not queue behind them. (Only when the server has sent 16 times
// Options.QueueEvents ahead of its ack is that not read in time.) It waits until ctx ends, at most
// Options.CallTimeout if ctx has no deadline, also for a connection. It returns ErrTimeout, ErrDisconnected
// as soon as the connection breaks, an *Error when a siokit server's handler failed (unless Out is Args), an
// *ArgumentError when the answer does not fit Out, and the errors of Emit.
func Call[Out any](ctx context.Context, to Target, event string, args ...any) (Out, error) {
	answer, err := to.target().ask(ctx, event, args)
	if err != nil {
		var zero Out
		return zero, err
	}
	return decodeAnswer[Out](event, answer)
}

// decodeAnswer decodes an ack.
func decodeAnswer[Out any](event string, answer sio.Args) (Out, error) {
	var out, zero Out
	if reflect.TypeFor[Out]() != reflect.TypeFor[Args]() {
		if failed := failure(answer); failed != nil {
			return zero, failed
		}
	}
	if err := decodeInto(&out, event, answer); err != nil {
		return zero, err
	}
	return out, nil
}

func (e Emitter) ask(ctx context.Context, event string, args []any) (sio.Args, error) {
	expired, stop := e.socket.client.callTimeout(ctx, e.timeout)
	defer stop()
	q := &question{answer: make(chan settled, 1)}
	giveUp, err := e.pose(event, args, q)
	if err != nil {
		return sio.Args{}, err
	}
	select {
	case got := <-q.answer:
		return got.answer, got.err
	case <-expired:
		giveUp()
		return sio.Args{}, ErrTimeout
	case <-ctx.Done():
		giveUp()
		return sio.Args{}, waitError(ctx)
	}
}
