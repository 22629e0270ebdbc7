package core

import (
	"context"
	"errors"
	"time"

	"github.com/siokit/siokit/wire/sio"
)

// ackTable holds the events of one socket that wait for an answer. It is guarded by Socket.mu.
type ackTable struct {
	last    int64
	pending map[int64]chan sio.Args // each of capacity 1; closed without a value on disconnect
}

// fail ends every wait.
func (t *ackTable) fail() {
	for _, ch := range t.pending {
		close(ch)
	}
	t.pending = nil
}

// resolve hands an ack to the Call that waits for it. Unknown and repeated ids are ignored.
func (s *Socket) resolve(id int64, args sio.Args) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ch, ok := s.acks.pending[id]; ok {
		delete(s.acks.pending, id)
		ch <- args
	}
}

// await registers a wait. Ids start at 0 and are this socket's own.
func (s *Socket) await() (int64, chan sio.Args, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.state.Load() {
	case socketConnecting:
		return 0, nil, ErrNotConnected
	case socketClosed:
		return 0, nil, ErrDisconnected
	}
	if s.acks.pending == nil {
		s.acks.pending = make(map[int64]chan sio.Args)
	}
	id := s.acks.last
	s.acks.last = (id + 1) % sio.MaxID
	ch := make(chan sio.Args, 1)
	s.acks.pending[id] = ch
	s.queue.space.Broadcast() // the reader may go on: see callSlack
	return id, ch, nil
}

func (s *Socket) giveUp(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.acks.pending, id)
}

// Call sends an event to the client that ctx belongs to and waits for its ack, which is decoded
// into Out. ctx is a handler's *Context or derived from one. Out follows the rules of On: one
// argument, or None, Args2 to Args4, Args.
//
// Call may be used inside handlers: acks do not queue behind them. (Only when the client has
// sent 16 times Config.QueueEvents or QueueBytes ahead of its ack is that not read in time.) It
// waits until ctx ends, at
// most Config.CallTimeout if ctx has no deadline, and returns ErrTimeout, ErrDisconnected as
// soon as the client leaves, or an *ArgumentError when the answer does not fit Out.
func Call[Out any](ctx context.Context, event string, args ...any) (Out, error) {
	c, ok := From(ctx)
	if !ok {
		var zero Out
		return zero, ErrNoSocket
	}
	return CallSocket[Out](ctx, c.Socket, event, args...)
}

// CallSocket is Call for any socket, from anywhere.
func CallSocket[Out any](ctx context.Context, s *Socket, event string, args ...any) (Out, error) {
	var out Out
	answer, err := s.call(ctx, event, args)
	if err == nil {
		err = decodeInto(&out, event, answer)
	}
	return out, err
}

func (s *Socket) call(ctx context.Context, event string, args []any) (sio.Args, error) {
	id, ch, err := s.await()
	if err != nil {
		return sio.Args{}, err
	}
	defer s.giveUp(id)
	m, err := encodeEvent(s.ns.name, id, event, args)
	if err != nil {
		return sio.Args{}, err
	}
	if err := s.send(m); err != nil {
		return sio.Args{}, err
	}
	var expired <-chan time.Time
	if _, ok := ctx.Deadline(); !ok {
		timer := time.NewTimer(s.ns.srv.cfg.CallTimeout)
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case answer, ok := <-ch:
		if !ok {
			return sio.Args{}, ErrDisconnected
		}
		return answer, nil
	case <-expired:
		return sio.Args{}, ErrTimeout
	case <-ctx.Done():
		switch {
		case s.ctx.Err() != nil:
			return sio.Args{}, ErrDisconnected
		case errors.Is(ctx.Err(), context.DeadlineExceeded):
			return sio.Args{}, ErrTimeout
		}
		return sio.Args{}, ctx.Err()
	}
}
