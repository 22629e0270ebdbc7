package core

import (
	"time"

	"github.com/siokit/siokit/engineio"
	"github.com/siokit/siokit/wire/sio"
)

// An asker takes the answer to one event, once, from any goroutine. It must not block: it is told by
// the reader of the connection and by the clock.
type asker interface {
	settle(answer sio.Args, err error)
}

// ackTable holds the events of one socket that wait for an answer. It is guarded by Socket.mu.
type ackTable struct {
	last    int64
	pending map[int64]pendingAck
}

type pendingAck struct {
	asker asker
	timer *engineio.Timer // nil when the asker looks at the time itself
}

// await registers an event that a wants answered, for d, or until giveUp if that is 0. Ids start at
// 0 and are this socket's own. early allows it before the CONNECT reply.
func (s *Socket) await(a asker, d time.Duration, early bool) (id int64, err error) {
	if id, err = s.addAsker(a, d, early); err == nil {
		s.client.letRead()
	}
	return id, err
}

func (s *Socket) addAsker(a asker, d time.Duration, early bool) (id int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.state.Load() {
	case socketConnecting:
		if !early {
			return 0, ErrNotConnected
		}
	case socketClosed:
		return 0, ErrDisconnected
	}
	if s.acks.pending == nil {
		s.acks.pending = make(map[int64]pendingAck)
	}
	id = s.acks.last
	s.acks.last = (id + 1) % sio.MaxID
	p := pendingAck{asker: a}
	if d > 0 {
		p.timer = s.client.srv.engine.AfterFunc(d, func() {
			if s.giveUp(id) {
				a.settle(sio.Args{}, ErrTimeout)
			}
		})
	}
	s.acks.pending[id] = p
	s.client.asked.Add(1)
	return id, nil
}

// letRead lets the reader go on if it waits for room in a queue: see callSlack.
func (c *client) letRead() {
	if s := c.held.Load(); s != nil {
		s.mu.Lock()
		s.queue.space.Broadcast()
		s.mu.Unlock()
	}
}

// resolve hands an ack to who waits for it. Unknown and repeated ids are ignored.
func (s *Socket) resolve(id int64, args sio.Args) {
	if p, ok := s.takeAsker(id); ok {
		p.asker.settle(args, nil)
	}
}

// giveUp forgets an event. It reports false when it has been settled already.
func (s *Socket) giveUp(id int64) bool {
	_, ok := s.takeAsker(id)
	return ok
}

func (s *Socket) takeAsker(id int64) (p pendingAck, ok bool) {
	s.mu.Lock()
	p, ok = s.acks.pending[id]
	delete(s.acks.pending, id)
	s.mu.Unlock()
	if ok {
		s.client.asked.Add(-1)
	}
	if ok && p.timer != nil {
		s.client.srv.engine.Stop(p.timer)
	}
	return p, ok
}

// abandon tells everybody who waited on a socket that it has ended.
func (s *Socket) abandon(pending map[int64]pendingAck) {
	s.client.asked.Add(-int32(len(pending)))
	for _, p := range pending {
		if p.timer != nil {
			s.client.srv.engine.Stop(p.timer)
		}
		p.asker.settle(sio.Args{}, ErrDisconnected)
	}
}
