package client

import (
	"context"
	"time"

	"github.com/siokit/siokit/wire/sio"
)

// settled is how an event ended for who asked.
type settled struct {
	answer sio.Args
	err    error
}

// question is an event that wants an answer. Somebody waits on answer, or then runs on the namespace's
// dispatcher.
type question struct {
	answer chan settled // of capacity 1; nil with then
	socket *Socket      // with then
	then   func(ctx context.Context, got settled)

	// Guarded by client.mu.
	sent  bool
	over  bool        // settled; it is not settled twice
	timer *time.Timer // of then; nil until it runs
	retry *retry      // that the question is of; nil for none
}

func (q *question) settleLocked(got settled) {
	if q.over {
		return
	}
	q.over = true
	if q.retry != nil {
		q.retry.ackedLocked(got)
	}
	if q.timer != nil {
		q.timer.Stop()
	}
	if q.then == nil {
		q.answer <- got
		return
	}
	q.socket.enqueueLocked(task{kind: taskAnswer, then: func(ctx context.Context) { q.then(ctx, got) }})
}

// nextID returns the id of the next ack. Ids start at 0 and are the namespace's own.
func (s *Socket) nextID() (id int64) {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	id = s.lastID
	s.lastID = (id + 1) % sio.MaxID
	return id
}

// awaitLocked registers a question.
func (s *Socket) awaitLocked(id int64, q *question) {
	if s.pending == nil {
		s.pending = make(map[int64]*question)
	}
	s.pending[id] = q
	s.client.changed.Broadcast() // the reader may go on: see callSlack
}

// resolve hands an ack to who waits for it. Unknown and repeated ids are ignored.
func (s *Socket) resolve(id int64, got settled) {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	if q := s.pending[id]; q != nil {
		delete(s.pending, id)
		q.settleLocked(got)
		s.client.changed.Broadcast() // for Flush
	}
}

// giveUp forgets a question, and its event if that still waits for a connection: who asked has gone.
func (s *Socket) giveUp(id int64) {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	delete(s.pending, id)
	s.client.changed.Broadcast() // for Flush
	for i, b := range s.buffer {
		if b.id == id {
			s.bufferBytes -= b.message.Size()
			s.buffer = append(s.buffer[:i:i], s.buffer[i+1:]...)
			return
		}
	}
}
