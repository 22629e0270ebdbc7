package client

import (
	"fmt"
	"slices"
	"time"

	"github.com/siokit/siokit/engineio"
)

// retry is an event of Options.Retries. It is sent, the same each time, until it has been acked, and the
// next one waits. The ack of any try counts.
type retry struct {
	socket  *Socket
	event   string
	id      int64
	message *engineio.Message
	answer  *question     // of the ack; not ended by a disconnect
	asker   *question     // of a Call or EmitFunc; nil if nobody waits
	dropped chan struct{} // closed when it is not to be sent any more; under client.mu
}

// retry queues an event. asker is nil when nobody waits for the answer.
func (e Emitter) retry(event string, args []any, asker *question) (*retry, error) {
	s, c := e.socket, e.socket.client
	r := &retry{socket: s, event: event, id: s.nextID(), asker: asker, dropped: make(chan struct{})}
	r.answer = &question{answer: make(chan settled, 1), retry: r}
	var err error
	if r.message, err = e.encode(r.id, event, args); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s.observeLocked(event, args)
	switch {
	case c.run == nil && c.last != nil, c.run != nil && c.run.ctx.Err() != nil:
		err = ErrNotConnected
	case c.run != nil && !s.wanted:
		err = ErrDisconnected
	case len(s.retries) >= max(c.opts.BufferEvents, 1):
		err = ErrBufferFull
	}
	if err != nil {
		return nil, err
	}
	s.awaitLocked(r.id, r.answer)
	s.retries = append(s.retries, r)
	s.startRetriesLocked()
	return r, nil
}

// startRetriesLocked makes sure that somebody sends what is queued.
func (s *Socket) startRetriesLocked() {
	if len(s.retries) > 0 && !s.retrying && s.client.run != nil {
		s.retrying = true
		s.client.tasks.Go(s.runRetries)
	}
}

func (s *Socket) runRetries() {
	c := s.client
	for {
		c.mu.Lock()
		if len(s.retries) == 0 {
			s.retrying = false
			c.mu.Unlock()
			return
		}
		r, ctx := s.retries[0], s.ctx
		c.mu.Unlock()
		got, over := s.deliver(r)
		if over {
			continue // it has been taken out of the queue
		}
		c.mu.Lock()
		r.takeOutLocked()
		delete(s.pending, r.id)
		c.changed.Broadcast()
		if r.asker != nil {
			r.asker.settleLocked(got) // unless the ack has
		}
		c.mu.Unlock()
		if r.asker == nil && got.err != nil {
			c.report(ctx, s.name, r.event, fmt.Errorf("client: event %q: %w", r.event, got.err))
		}
	}
}

// deliver sends r until it has been acked, or too often. over is true if r has been dropped.
func (s *Socket) deliver(r *retry) (got settled, over bool) {
	for tries := 0; tries <= s.client.opts.Retries; tries++ {
		l, err := s.sendWhenConnected(r)
		if err != nil {
			return settled{err: err}, false
		}
		if l == nil {
			select {
			case got = <-r.answer.answer: // acked as the connection broke
				return got, false
			default:
				return settled{}, true
			}
		}
		timer := time.NewTimer(s.client.opts.AckTimeout)
		select {
		case got = <-r.answer.answer:
			timer.Stop()
			return got, false
		case <-r.dropped:
			timer.Stop()
			return settled{}, true
		case <-l.ended:
			timer.Stop()
		case <-timer.C:
		}
	}
	return settled{err: fmt.Errorf("no ack after %d tries: %w", s.client.opts.Retries+1, ErrTimeout)}, false
}

// sendWhenConnected returns the link that r was sent on, nil if it has been dropped or acked.
func (s *Socket) sendWhenConnected(r *retry) (*link, error) {
	c := s.client
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		select {
		case <-r.dropped:
			return nil, nil
		default:
		}
		if r.answer.over {
			return nil, nil
		}
		if l := s.link; s.state == connected && !l.over {
			switch err := l.conn.Send(r.message); err {
			case nil:
				return l, nil
			case engineio.ErrClosed: // l.Closed is about to say so
			default:
				return nil, err
			}
		}
		c.changed.Wait()
	}
}

// forgetRetry drops an event: who asked has gone.
func (s *Socket) forgetRetry(r *retry) {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	if r.takeOutLocked() {
		s.dropLocked(r)
	}
}

// takeOutLocked takes r out of the queue and reports whether it was there.
func (r *retry) takeOutLocked() bool {
	before := len(r.socket.retries)
	r.socket.retries = slices.DeleteFunc(r.socket.retries, func(other *retry) bool { return other == r })
	return len(r.socket.retries) < before
}

// ackedLocked makes room for the next event, and tells who asked, where the ack came: runRetries follows later.
func (r *retry) ackedLocked(got settled) {
	r.takeOutLocked()
	if r.asker != nil {
		r.asker.settleLocked(got)
	}
	r.socket.client.changed.Broadcast()
}

// dropLocked tells whoever sends r that it is over.
func (s *Socket) dropLocked(r *retry) {
	delete(s.pending, r.id)
	close(r.dropped)
	s.client.changed.Broadcast()
}

// dropRetriesLocked is the end of all that is queued.
func (s *Socket) dropRetriesLocked(err error) {
	for _, r := range s.retries {
		s.dropLocked(r)
		if r.asker != nil {
			r.asker.settleLocked(settled{err: err})
		}
	}
	s.retries = nil
}
