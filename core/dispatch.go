package core

import (
	"context"
	"sync"
	"time"

	"github.com/siokit/siokit/engineio"
	"github.com/siokit/siokit/wire/arguments"
	"github.com/siokit/siokit/wire/sio"
)

// task is one thing a socket's dispatcher has to do.
type task struct {
	kind  taskKind
	event string
	args  sio.Args
	id    int64 // of the ack the client waits for, or noAck
	bytes int
}

type taskKind uint8

const (
	taskEvent taskKind = iota
	taskConnect
	taskDisconnect
	taskNothing // begins a dispatch of what is queued
)

// eventQueue holds what has arrived for one socket. Its fields are guarded by Socket.mu.
type eventQueue struct {
	tasks   []task
	head    int
	bytes   int
	running bool          // a dispatcher is at work
	event   string        // what it is at work on
	since   time.Duration // when it began with that, by sinceStart
	beside  *besides      // handlers beside the dispatcher; nil until there was one
	space   sync.Cond     // a reader waits for room in the queue
}

func (q *eventQueue) len() int { return len(q.tasks) - q.head }

// add appends t. A queue that never gets empty uses the room of what has been handled again.
func (q *eventQueue) add(t task) {
	if len(q.tasks) == cap(q.tasks) && q.head > len(q.tasks)/2 {
		n := copy(q.tasks, q.tasks[q.head:])
		clear(q.tasks[n:])
		q.tasks, q.head = q.tasks[:n], 0
	}
	q.tasks = append(q.tasks, t)
	q.bytes += t.bytes
}

// drop forgets what no handler has seen.
func (q *eventQueue) drop() {
	clear(q.tasks[q.head:])
	q.tasks, q.head, q.bytes = q.tasks[:0], 0, 0
}

// enqueue hands t to the dispatcher, starting one if there is none. For events it first waits
// until there is room, which stops the reader of this connection: back-pressure by TCP.
func (s *Socket) enqueue(t task) {
	s.mu.Lock()
	q := &s.queue
	if t.kind == taskEvent {
		waits := false
		for s.state.Load() == socketConnected && s.fullLocked() {
			if !waits { // whoever asks from now on knows; who has asked before is seen by another look
				s.client.held.Store(s)
				waits = true
				continue
			}
			q.space.Wait()
		}
		if waits {
			s.client.held.Store(nil)
		}
		if s.state.Load() != socketConnected {
			s.mu.Unlock()
			return
		}
	}
	if !q.running {
		q.running = true
		q.begin(&t)
		s.mu.Unlock()
		s.ns.srv.dispatchers.start(work{socket: s, first: t})
		return
	}
	q.add(t)
	s.mu.Unlock()
}

// callSlack is how many times longer the queue may grow while a Call waits, in this namespace or another: the ack
// it waits for comes behind those events, and the reader must not stop before it.
const callSlack = 16

// fullLocked reports whether the reader is to wait.
func (s *Socket) fullLocked() bool {
	events, bytes := s.ns.srv.cfg.QueueEvents, s.ns.srv.cfg.QueueBytes
	if s.client.asked.Load() > 0 {
		events, bytes = events*callSlack, bytes*callSlack
	}
	return s.queue.len() >= events || s.queue.bytes > bytes
}

// next takes the first task; ok is false when the queue is empty and the dispatcher must end.
func (s *Socket) next() (t task, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := &s.queue
	if q.head == len(q.tasks) {
		q.tasks, q.head, q.running, q.event = nil, 0, false, ""
		return task{}, false
	}
	t = q.tasks[q.head]
	q.tasks[q.head] = task{}
	q.begin(&t)
	q.head++
	q.bytes -= t.bytes
	if q.head == len(q.tasks) {
		q.tasks, q.head = q.tasks[:0], 0
	}
	q.space.Signal()
	return t, true
}

// idle reports whether nothing is queued and no handler of the socket is running.
func (s *Socket) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.queue.running && s.queue.beside.idle()
}

// dispatch runs the handlers of one socket, in order, until its queue is empty.
func (s *Socket) dispatch(t task) {
	for ok := true; ok; t, ok = s.next() {
		switch t.kind {
		case taskConnect:
			s.runConnect()
		case taskDisconnect:
			s.awaitBesides()
			s.runDisconnect()
		case taskNothing:
		default:
			if !s.client.revoked() {
				s.takeTurn(t)
			}
		}
	}
	if s.state.Load() == socketClosed {
		s.ns.srv.lingered(s)
	}
	s.client.quiesced()
}

// takeTurn handles one event, or starts its handler if that is Concurrent.
func (s *Socket) takeTurn(t task) {
	r := s.find(t.event)
	observed := len(r.here.onAny)+len(r.everywhere.onAny) > 0
	if r.handler == nil {
		s.ns.log.Debug("core: event without a handler", "event", clip(t.event), "socket", s.id)
		if len(r.everywhere.onAnyError) > 0 {
			s.ns.observeError(&Context{Socket: s, event: t.event, args: arguments.Undecoded(t.args)}, ErrNoHandler)
		}
		if !observed {
			return
		}
	}
	c := &Context{Socket: s, event: t.event, args: arguments.Undecoded(t.args)}
	if r.handler == nil {
		s.observe(c, r)
		if err := s.saveSession(c); err != nil {
			s.ns.report(c, err)
		}
		return
	}
	if d := r.timeout(); d > 0 {
		ctx, end := context.WithTimeout(s.ctx, d)
		c.limit = &timeLimit{ctx, end}
	}
	if observed {
		s.observe(c, r)
	}
	if n := r.concurrent(); n > 0 {
		s.runBeside(r, n, c, t.id)
	} else {
		s.runEvent(r, c, t.id)
	}
}

// runEvent runs the handler of one event and sends its ack.
func (s *Socket) runEvent(r route, c *Context, id int64) {
	defer c.over()
	var out any
	var answered bool
	err := protect(func() (err error) {
		out, answered, err = r.run(c)
		return err
	})
	saved := s.saveSession(c)
	shown, unanswerable := err, isPanic(err) // by default a panicking handler leaves its ack unanswered
	switch {
	case isAnswer(err):
	case err != nil:
		var mapped bool
		if shown, mapped = s.ns.shown(c, err); mapped {
			unanswerable = false
		}
		s.ns.reportShown(c, err, shown)
	}
	if saved != nil {
		s.ns.report(c, saved)
		if err == nil || isAnswer(err) {
			shown, unanswerable = saved, isPanic(saved)
		}
	}
	if id == noAck || unanswerable {
		return
	}
	if answered && shown == nil {
		s.ack(c, id, nil, arguments.Spread(out)...)
	} else {
		s.ack(c, id, shown)
	}
}

// ack answers an event. When that was the last one queued the dispatcher writes the answers out
// itself.
// The answer to a handler that failed is made of its error.
func (s *Socket) ack(c *Context, id int64, failed error, args ...any) {
	m, err := s.ns.encodeAnswer(id, failed, args)
	if err != nil {
		s.ns.report(c, err)
		if isPanic(err) {
			return
		}
		if m, err = s.ns.encodeAnswer(id, err, nil); err != nil {
			return
		}
	}
	if s.state.Load() != socketConnected || s.client.ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	more := s.queue.len() > 0
	s.mu.Unlock()
	if more {
		_ = s.client.conn.SendSoon(m) // the replies of a burst leave together
	} else {
		_ = s.client.conn.SendNow(m)
	}
}

// encodeAnswer guards against what encoding calls of the user's: MarshalJSON, ClientError and the codecs of Config.
func (ns *Namespace) encodeAnswer(id int64, failed error, args []any) (m *engineio.Message, err error) {
	err = protect(func() (err error) {
		if failed != nil {
			args = failedAck(failed)
		}
		m, err = ns.srv.encodeAck(ns.name, id, args...)
		return err
	})
	return m, err
}

func (s *Socket) saveSession(c *Context) error {
	if s.ns.srv.cfg.Sessions == nil {
		return nil
	}
	ctx := context.Context(c)
	if c.limit != nil {
		ctx = saving{c}
	}
	return protect(func() error { return s.ns.srv.cfg.Sessions.SaveSession(ctx) })
}

func sendError(err error) error {
	if err == nil {
		return nil
	}
	return ErrDisconnected
}
