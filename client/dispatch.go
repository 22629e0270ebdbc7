package client

import (
	"context"
	"errors"
	"slices"

	"github.com/siokit/siokit/wire/arguments"
	"github.com/siokit/siokit/wire/sio"
)

// task is one thing for a namespace's dispatcher.
type task struct {
	kind    taskKind
	event   string
	args    sio.Args
	id      int64 // of the ack that the server waits for, or noAck
	link    *link // that it came by: an ack goes back by the same one
	reason  Reason
	err     error
	offsets bool                      // the last argument may be an offset:
	offset  string                    // this
	then    func(ctx context.Context) // of taskAnswer
}

type taskKind uint8

const (
	taskEvent taskKind = iota
	taskConnect
	taskConnectError
	taskDisconnect
	taskAnswer // of an EmitFunc
)

const noAck = -1

// callSlack is how many times longer the queues may grow while a Call waits: its ack comes behind those
// events, and the reader must not stop before it. It reads for all namespaces.
const callSlack = 16

// fullLocked reports whether the reader has to wait.
func (s *Socket) fullLocked() bool {
	most := s.client.opts.QueueEvents
	if len(s.queue) < most {
		return false
	}
	asking := slices.ContainsFunc(s.client.sockets, func(s *Socket) bool { return len(s.pending) > 0 })
	return !asking || len(s.queue) >= most*callSlack
}

// enqueue hands an event of the server to the dispatcher; it waits for room.
func (s *Socket) enqueue(t task) {
	c := s.client
	c.mu.Lock()
	defer c.mu.Unlock()
	for s.fullLocked() && s.link == t.link && !t.link.over {
		c.changed.Wait()
	}
	if s.link == t.link {
		s.takenLocked(t)
	}
}

// takenLocked queues an event, which need not be recovered then.
func (s *Socket) takenLocked(t task) {
	if t.offsets {
		s.offset = t.offset
	}
	s.enqueueLocked(t)
}

func (s *Socket) enqueueLocked(t task) {
	s.queue = append(s.queue, t)
	if !s.dispatching {
		s.dispatching = true
		s.client.tasks.Go(s.dispatch)
	}
}

// dispatch runs the handlers of one namespace until its queue is empty.
func (s *Socket) dispatch() {
	c := s.client
	ended := false
	defer func() {
		if !ended { // a handler has ended the goroutine, as t.FailNow does: what is queued is still to be handled
			c.tasks.Go(s.dispatch)
		}
	}()
	for {
		c.mu.Lock()
		if len(s.queue) == 0 {
			s.queue, s.dispatching, ended = nil, false, true
			c.mu.Unlock()
			return
		}
		t, h, ctx := s.queue[0], s.handlers, s.ctx
		s.queue[0] = task{}
		s.queue = s.queue[1:]
		c.changed.Broadcast()
		c.mu.Unlock()
		switch t.kind {
		case taskEvent:
			s.handle(ctx, h, t)
		case taskConnect:
			for _, f := range h.onConnect {
				s.guard(ctx, "connect", func() error { f(ctx); return nil })
			}
		case taskConnectError:
			for _, f := range h.onConnectError {
				s.guard(ctx, "connect_error", func() error { f(ctx, t.err); return nil })
			}
		case taskDisconnect:
			for _, f := range h.onDisconnect {
				s.guard(ctx, "disconnect", func() error { f(ctx, t.reason); return nil })
			}
		case taskAnswer:
			t.then(ctx)
		}
	}
}

func (s *Socket) guard(ctx context.Context, event string, f func() error) {
	if err := protect(f); err != nil {
		s.client.report(ctx, s.name, event, err)
	}
}

func (s *Socket) handle(ctx context.Context, hs *handlers, t task) {
	for _, f := range hs.any {
		s.guard(ctx, t.event, func() error { f(ctx, t.event, undecoded(t.args)); return nil })
	}
	var out any
	var answered bool
	var err error
	switch h := hs.lookup(t.event); {
	case h != nil:
		err = protect(func() (err error) {
			out, answered, err = h.call(ctx, t.event, t.args, t.offsets && t.id == noAck)
			return err
		})
	case hs.unhandled != nil:
		err = protect(func() (err error) {
			out, err = hs.unhandled(ctx, t.event, undecoded(t.args))
			answered = err == nil && out != nil
			return err
		})
	default:
		return
	}
	told := (*Error)(nil)
	if err != nil {
		_, panicked := err.(*PanicError) // also with an *Error
		if panicked || !errors.As(err, &told) {
			s.client.report(ctx, s.name, t.event, err)
			told = &Error{Message: "internal error"}
		}
		if panicked {
			return // as on the server: its ack stays unanswered
		}
	}
	if t.id == noAck {
		return
	}
	var args []any
	switch {
	case told != nil:
		args = []any{failedAck{told}}
	case answered:
		args = arguments.Spread(out)
	}
	s.guard(ctx, t.event, func() error { return s.answer(t, args) })
}

// answer sends an ack, unless its connection has ended.
func (s *Socket) answer(t task, args []any) error {
	m, err := s.client.encodeAck(s.name, t.id, args)
	if err != nil {
		return err
	}
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	if s.link != t.link || s.state != connected {
		return nil
	}
	return t.link.conn.Send(m)
}
