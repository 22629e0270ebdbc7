package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/siokit/siokit/engineio"
)

// A Socket is one namespace of a Client. All methods may be called concurrently, from anywhere; Connect not
// from a callback.
type Socket struct {
	client *Client
	name   string

	// The rest is guarded by client.mu.
	auth        func(ctx context.Context) (any, error) // nil: Options.Auth
	wanted      bool                                   // to be joined on every connection
	state       socketState
	link        *link // that it is joined on, or being joined; nil while idle
	id          string
	pid, offset string // of connection state recovery
	recovered   bool
	joining     []chan error // Connect waits

	handlers    *handlers
	ctx         context.Context // of the callbacks
	queue       []task
	dispatching bool
	early       []task // events that came before CONNECT

	lastID      int64
	pending     map[int64]*question // what waits for its ack
	buffer      []buffered          // waits for a connection
	bufferBytes int

	retries  []*retry
	retrying bool
}

type socketState uint8

const (
	idle socketState = iota
	connecting
	connected
)

// buffered is an event that waits for a connection.
type buffered struct {
	event   string
	id      int64
	message *engineio.Message
}

func (s *Socket) target() Emitter { return Emitter{socket: s} }

// Namespace returns the name, such as "/chat".
func (s *Socket) Namespace() string { return s.name }

// ID returns the socket's id, which the server sees as its own, and "" while it is not connected.
func (s *Socket) ID() string {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	if s.state != connected {
		return ""
	}
	return s.id
}

// Connected reports whether the namespace is joined right now.
func (s *Socket) Connected() bool {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	return s.state == connected
}

// Recovered reports whether the server has restored the session of before, with its id, its rooms and the
// events that were missed (connection state recovery).
func (s *Socket) Recovered() bool {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	return s.recovered
}

// Active reports whether the namespace is joined, or will be on the next connection without being asked to:
// in OnDisconnect it tells a connection that broke from the end.
func (s *Socket) Active() bool {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	return s.wanted && s.client.run != nil && (s.state != idle || !s.client.opts.DisableReconnection)
}

// SetAuth makes f say what this namespace is joined with, instead of Options.Auth.
func (s *Socket) SetAuth(f func(ctx context.Context) (any, error)) {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	s.auth = f
}

// Emit sends an event and returns. It does not wait for the server: without a connection the event waits
// for one, as far as Options.BufferEvents and BufferBytes allow. []byte values travel as binary, anywhere in
// the arguments, which are encoded before Emit returns.
//
// Errors: the arguments cannot be encoded, ErrBufferFull, ErrNotConnected, ErrDisconnected, and an
// *engineio.TooLargeError for an event that is larger than the server takes.
func (s *Socket) Emit(event string, args ...any) error { return s.target().Emit(event, args...) }

// Volatile returns an Emitter whose events are dropped when they would have to wait.
func (s *Socket) Volatile() Emitter { return s.target().Volatile() }

// Send emits the event "message".
func (s *Socket) Send(args ...any) error { return s.target().Send(args...) }

// Compress returns an Emitter that says whether compression is worth its time. See Emitter.Compress.
func (s *Socket) Compress(on bool) Emitter { return s.target().Compress(on) }

// Timeout returns an Emitter whose Calls wait at most d, whatever their context says, and so do the
// functions of EmitFunc.
func (s *Socket) Timeout(d time.Duration) Emitter { return s.target().Timeout(d) }

// Connect joins the namespace of a client that is connected already: one that Of has named since, or that the
// server has refused or ended. It waits for the answer, at most Options.Timeout; an error is a
// *ConnectError, ErrNotConnected, ErrDisconnected when the namespace is left or the client ends meanwhile, or
// ctx's. When the connection breaks it goes on waiting, for the next.
func (s *Socket) Connect(ctx context.Context) error {
	c := s.client
	ctx, cancel := context.WithTimeoutCause(ctx, c.opts.Timeout, fmt.Errorf("client: the server did not answer CONNECT for %q within %s", s.name, c.opts.Timeout))
	defer cancel()
	auth, err := s.credentials(ctx)
	if err != nil {
		return err
	}
	answer := make(chan error, 1)
	c.mu.Lock()
	switch {
	case c.run == nil || c.run.over || c.run.ctx.Err() != nil:
		c.mu.Unlock()
		return ErrNotConnected
	case s.state == connected:
		c.mu.Unlock()
		return nil
	}
	s.wanted = true
	s.ctx = context.WithValue(c.run.ctx, socketKey{}, s)
	s.joining = append(s.joining, answer)
	s.startRetriesLocked()
	l, ask := c.run.link, s.state == idle
	c.mu.Unlock()
	if l != nil && ask {
		if err := s.join(l, auth); err != nil {
			return err
		}
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Disconnect leaves the namespace. What waits for a connection is dropped, and Calls end with
// ErrDisconnected. The client ends with its last namespace.
func (s *Socket) Disconnect() {
	c := s.client
	c.mu.Lock()
	s.wanted = false
	r, l := c.run, s.link
	last := false
	if r != nil {
		r.final = nil
		last = r.link == nil && !c.wantedLocked()
	}
	s.abandonLocked(ErrDisconnected)
	s.settledLocked(ErrDisconnected)
	c.mu.Unlock()
	s.depart()
	switch {
	case l != nil:
		l.abandonIfUnused()
	case last: // there is nothing to connect for
		r.stop(errClosed)
	}
}

// depart tells the server and the handlers that the namespace is left.
func (s *Socket) depart() {
	c := s.client
	m, err := c.encodeDisconnect(s.name)
	c.mu.Lock()
	l := s.link
	if l == nil || s.state == idle {
		c.mu.Unlock()
		return
	}
	s.dropQueueLocked()
	if err == nil && s.state == connected {
		_ = l.conn.Send(m)
	}
	s.leaveLocked(ClientDisconnect)
	c.changed.Broadcast()
	c.mu.Unlock()
}

// dropQueueLocked forgets the events that no handler has seen.
func (s *Socket) dropQueueLocked() {
	s.queue = slices.DeleteFunc(s.queue, func(t task) bool { return t.kind == taskEvent })
}

// credentials calls the user's Auth.
func (s *Socket) credentials(ctx context.Context) (auth any, err error) {
	c := s.client
	c.mu.Lock()
	f, pid, offset := s.auth, s.pid, s.offset
	c.mu.Unlock()
	if f == nil {
		f = c.opts.Auth
	}
	if f != nil {
		if err := protect(func() (err error) { auth, err = f(ctx); return err }); err != nil {
			return nil, fmt.Errorf("client: Auth for %q: %w", s.name, err)
		}
	}
	return withSession(auth, pid, offset)
}

// join asks for the namespace on l.
func (s *Socket) join(l *link, auth any) error {
	c := s.client
	m, err := c.encodeConnect(s.name, auth)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.over || !s.wanted || s.state != idle {
		return nil
	}
	s.state, s.link = connecting, l
	l.pending++
	l.asked++
	if err := l.conn.Send(m); errors.Is(err, engineio.ErrClosed) {
		return nil // l.Closed is about to say so
	} else if err != nil {
		s.state, s.link = idle, nil
		l.pending--
		l.asked--
		return err
	}
	return nil
}

// leaveLocked ends the namespace on its link.
func (s *Socket) leaveLocked(reason Reason) {
	was := s.state
	if was == connecting {
		if !s.link.over {
			s.link.asked--
		}
		s.link.settleLocked()
		if !s.wanted { // otherwise it is joined on the next connection
			s.settledLocked(ErrDisconnected)
		}
	}
	s.state, s.link, s.early = idle, nil, nil
	for _, id := range slices.Sorted(maps.Keys(s.pending)) {
		if q := s.pending[id]; q.sent {
			delete(s.pending, id)
			q.settleLocked(settled{err: ErrDisconnected})
		}
	}
	if was == connected {
		s.enqueueLocked(task{kind: taskDisconnect, reason: reason})
	}
}

// settledLocked tells those who wait in Connect.
func (s *Socket) settledLocked(err error) {
	for _, answer := range s.joining {
		answer <- err
	}
	s.joining = nil
}

// abandonLocked drops what waits for a connection that will not come.
func (s *Socket) abandonLocked(err error) {
	s.reportDroppedLocked(err)
	s.buffer, s.bufferBytes = nil, 0
	s.dropRetriesLocked(err) // first: their questions are nobody's
	for _, id := range slices.Sorted(maps.Keys(s.pending)) {
		q := s.pending[id]
		delete(s.pending, id)
		q.settleLocked(settled{err: err})
	}
}

// endLocked is the end of the run.
func (s *Socket) endLocked() {
	s.wanted = false
	s.pid, s.offset, s.recovered = "", "", false
	s.abandonLocked(ErrDisconnected)
	s.settledLocked(ErrDisconnected)
}

// failedEvent is a buffered event that could not be sent.
type failedEvent struct {
	event string
	err   error
}

// flushLocked sends what waited for the connection.
func (s *Socket) flushLocked() (failed []failedEvent) {
	for i, b := range s.buffer {
		err := s.link.conn.Send(b.message)
		if err == engineio.ErrClosed && s.wanted { // it has just ended, and l.Closed is about to say so: the rest waits for the next
			s.buffer = slices.Clone(s.buffer[i:])
			return failed
		}
		s.bufferBytes -= b.message.Size()
		q := s.pending[b.id]
		switch {
		case err == nil && q != nil:
			q.sent = true
		case err != nil && q != nil:
			delete(s.pending, b.id)
			q.settleLocked(settled{err: err})
		case err != nil:
			failed = append(failed, failedEvent{b.event, fmt.Errorf("client: event %q, which waited for a connection, was not sent: %w", b.event, err)})
		}
	}
	s.buffer, s.bufferBytes = nil, 0
	return failed
}
