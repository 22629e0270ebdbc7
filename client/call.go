package client

import (
	"context"
	"reflect"
	"time"

	"github.com/siokit/siokit/engineio"
	"github.com/siokit/siokit/wire/sio"
)

// An Emitter is a namespace with options for what is emitted next. It is a value; its methods may be called
// concurrently.
type Emitter struct {
	socket   *Socket
	timeout  time.Duration
	volatile bool
}

func (e Emitter) target() Emitter { return e }

// Volatile makes events that cannot leave at once be dropped instead: without a connection, or while others
// are still being written. A volatile Call returns ErrNotWritable then.
func (e Emitter) Volatile() Emitter { e.volatile = true; return e }

// Timeout bounds a Call, whatever its context says.
func (e Emitter) Timeout(d time.Duration) Emitter { e.timeout = d; return e }

// Emit is Socket.Emit with the Emitter's options.
func (e Emitter) Emit(event string, args ...any) error {
	if e.socket.client.opts.Retries > 0 && !e.volatile {
		_, err := e.socket.retry(event, args, nil)
		return err
	}
	_, err := e.send(noAck, event, args, nil)
	return err
}

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
	var out, zero Out
	answer, err := to.target().ask(ctx, event, args)
	if err != nil {
		return zero, err
	}
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

// settled is how an event ended for who asked.
type settled struct {
	answer sio.Args
	err    error
}

// question is an event that wants an answer.
type question struct {
	answer chan settled // of capacity 1
	sent   bool         // guarded by client.mu
}

func (q *question) settle(got settled) { q.answer <- got }

func (e Emitter) ask(ctx context.Context, event string, args []any) (sio.Args, error) {
	c := e.socket.client
	expired, stop := c.callTimeout(ctx, e.timeout)
	defer stop()
	q := &question{answer: make(chan settled, 1)}
	var giveUp func()
	if c.opts.Retries > 0 && !e.volatile {
		r, err := e.socket.retry(event, args, q)
		if err != nil {
			return sio.Args{}, err
		}
		giveUp = func() { e.socket.forgetRetry(r) }
	} else {
		id := e.socket.await(q)
		giveUp = func() { e.socket.giveUp(id) }
		sent, err := e.send(id, event, args, q)
		if err == nil && !sent {
			err = ErrNotWritable
		}
		if err != nil {
			giveUp()
			return sio.Args{}, err
		}
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

// send encodes an event and sends it, or lets it wait for a connection. sent is false for a volatile one that
// was dropped.
func (e Emitter) send(id int64, event string, args []any, q *question) (sent bool, err error) {
	s, c := e.socket, e.socket.client
	m, err := c.encodeEvent(s.name, id, event, args)
	if err != nil {
		return false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.state == connected {
		if e.volatile {
			sent, err = s.link.conn.SendVolatile(m)
		} else {
			sent, err = true, s.link.conn.Send(m)
		}
		if err != engineio.ErrClosed {
			if q != nil {
				q.sent = err == nil
			}
			return sent, err
		}
		// It has just ended, and l.Closed is about to say so: this waits for the next.
	}
	if e.volatile {
		return false, nil
	}
	return true, s.bufferLocked(event, id, m)
}

// bufferLocked keeps an event for the next connection.
func (s *Socket) bufferLocked(event string, id int64, m *engineio.Message) error {
	opts := &s.client.opts
	switch {
	case opts.BufferEvents < 0:
		return ErrNotConnected
	case s.client.run == nil && s.client.last != nil:
		return ErrNotConnected // it has ended
	case s.client.run != nil && !s.wanted && (s.client.run.ctx.Err() != nil || s.state == idle):
		return ErrDisconnected
	case len(s.buffer) >= opts.BufferEvents || s.bufferBytes+m.Size() > opts.BufferBytes:
		return ErrBufferFull
	}
	s.buffer = append(s.buffer, buffered{event, id, m})
	s.bufferBytes += m.Size()
	return nil
}

// await registers a question. Ids start at 0 and are the namespace's own.
func (s *Socket) await(q *question) (id int64) {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	if s.pending == nil {
		s.pending = make(map[int64]*question)
	}
	id = s.lastID
	s.lastID = (id + 1) % sio.MaxID
	s.pending[id] = q
	s.client.changed.Broadcast() // the reader may go on: see callSlack
	return id
}

// resolve hands an ack to who waits for it. Unknown and repeated ids are ignored.
func (s *Socket) resolve(id int64, got settled) {
	s.client.mu.Lock()
	q := s.pending[id]
	delete(s.pending, id)
	s.client.mu.Unlock()
	if q != nil {
		q.settle(got)
	}
}

// giveUp forgets a question, and its event if that still waits for a connection: who asked has gone.
func (s *Socket) giveUp(id int64) {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	delete(s.pending, id)
	for i, b := range s.buffer {
		if b.id == id {
			s.bufferBytes -= b.message.Size()
			s.buffer = append(s.buffer[:i:i], s.buffer[i+1:]...)
			return
		}
	}
}
