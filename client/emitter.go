package client

import (
	"slices"
	"time"

	"github.com/siokit/siokit/engineio"
)

// An Emitter is a namespace with options for what is emitted next. It is a value; its methods may be called
// concurrently.
type Emitter struct {
	socket       *Socket
	timeout      time.Duration
	volatile     bool
	uncompressed bool
}

func (e Emitter) target() Emitter { return e }

// Volatile makes events that cannot leave at once be dropped instead: without a connection, or while others
// are still being written. A volatile Call or EmitFunc returns ErrNotWritable then.
func (e Emitter) Volatile() Emitter { e.volatile = true; return e }

// Timeout bounds a Call or EmitFunc, whatever else says so. It does nothing for Emit.
func (e Emitter) Timeout(d time.Duration) Emitter { e.timeout = d; return e }

// Compress says whether compression is worth its time for what is emitted next: Compress(false) for data
// that is compressed already, or that carries a secret beside text that somebody else can choose. It matters
// only with Options.PerMessageDeflate.
func (e Emitter) Compress(on bool) Emitter { e.uncompressed = !on; return e }

// Emit is Socket.Emit with the Emitter's options.
func (e Emitter) Emit(event string, args ...any) error {
	if e.retried() {
		_, err := e.retry(event, args, nil)
		return err
	}
	_, err := e.send(noAck, event, args, nil)
	return err
}

// Send emits the event "message".
func (e Emitter) Send(args ...any) error { return e.Emit("message", args...) }

// retried reports whether what is emitted next is sent again until it is acked.
func (e Emitter) retried() bool { return e.socket.client.opts.Retries > 0 && !e.volatile }

// pose sends an event whose answer is for q, or lets it wait for a connection. giveUp says that nobody wants
// it any more. After an error q is not settled.
func (e Emitter) pose(event string, args []any, q *question) (giveUp func(), err error) {
	s := e.socket
	if e.retried() {
		r, err := e.retry(event, args, q)
		if err != nil {
			return nil, err
		}
		return func() { s.forgetRetry(r) }, nil
	}
	id := s.nextID()
	sent, err := e.send(id, event, args, q)
	if err == nil && !sent {
		err = ErrNotWritable
	}
	return func() { s.giveUp(id) }, err
}

// encode makes the message of an event, with the id of its ack or noAck.
func (e Emitter) encode(id int64, event string, args []any) (*engineio.Message, error) {
	m, err := e.socket.client.encodeEvent(e.socket.name, id, event, args)
	if err == nil && e.uncompressed {
		m = m.Uncompressed()
	}
	return m, err
}

// send encodes an event and sends it, or lets it wait for a connection. sent is false for a volatile one that
// was dropped.
func (e Emitter) send(id int64, event string, args []any, q *question) (sent bool, err error) {
	s, c := e.socket, e.socket.client
	m, err := e.encode(id, event, args)
	if err != nil {
		return false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s.observeLocked(event, args)
	if s.state == connected {
		if e.volatile {
			sent, err = s.link.conn.SendVolatile(m)
		} else {
			sent, err = true, s.link.conn.Send(m)
		}
		if err != engineio.ErrClosed {
			if q != nil && sent && err == nil {
				q.sent = true
				s.awaitLocked(id, q)
			}
			return sent, err
		}
		// It has just ended, and l.Closed is about to say so: this waits for the next.
	}
	if e.volatile {
		return false, nil
	}
	if err := s.bufferLocked(event, id, m); err != nil {
		return false, err
	}
	if q != nil {
		s.awaitLocked(id, q)
	}
	return true, nil
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

// OnEmit adds a function that sees every event that the program emits to the namespace, with Call and EmitFunc
// too: for logs and counts. It runs once for each, before the event is queued, on the goroutine that emits,
// which waits for it. args may be kept; what they point to is the emitter's. It is not called for acks, nor for
// events that cannot be encoded; it is for events that are then dropped, because they are volatile or too many
// wait. A function that emits to the same namespace is called for that too. (JavaScript: onAnyOutgoing.)
func (s *Socket) OnEmit(f func(event string, args []any)) {
	s.change(func(h *handlers) { h.onEmit = append(slices.Clip(h.onEmit), f) })
}

// observeLocked tells the functions of OnEmit. It lets client.mu go meanwhile.
func (s *Socket) observeLocked(event string, args []any) {
	observers, ctx := s.handlers.onEmit, s.ctx
	if len(observers) == 0 {
		return
	}
	s.client.mu.Unlock()
	defer s.client.mu.Lock()
	kept := slices.Clone(args) // so that the caller's need not be on the heap when nobody observes
	for _, f := range observers {
		s.guard(ctx, event, func() error { f(event, kept); return nil })
	}
}
