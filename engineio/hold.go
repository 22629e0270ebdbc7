package engineio

import (
	"sync"
	"time"
)

// holdFor is the longest that SendSoon keeps a message back.
const holdFor = time.Millisecond

// holdList makes sure that what SendSoon kept back is written even if nothing follows. One
// timer serves all connections of a server.
type holdList struct {
	srv   *Server
	mu    sync.Mutex
	conns []*Conn // guarded by mu
	timer Timer
}

func (l *holdList) init(s *Server) {
	l.srv = s
	l.timer.f = l.fire
}

func (l *holdList) add(c *Conn) {
	l.mu.Lock()
	l.conns = append(l.conns, c)
	first := len(l.conns) == 1
	l.mu.Unlock()
	if first {
		l.srv.clock.reset(&l.timer, holdFor)
	}
}

// fire runs on the clock goroutine.
func (l *holdList) fire() {
	l.mu.Lock()
	conns := l.conns
	l.conns = nil
	l.mu.Unlock()
	for _, c := range conns {
		c.mu.Lock()
		c.outbox.held = false
		ready := len(c.outbox.queue) > 0 && c.ws != nil && c.outbox.scheduleLocked()
		c.mu.Unlock()
		if ready {
			l.srv.ready.push(c)
		}
	}
}

// SendSoon is Send for a message that others will follow at once: it is written together with
// them, at the latest after a millisecond. It saves a write for each reply when a client's
// requests arrive in bursts.
func (c *Conn) SendSoon(m *Message) error {
	c.mu.Lock()
	err := c.admitLocked(m)
	hold := false
	if err == nil && c.ws != nil {
		c.outbox.appendLocked(m)
		hold = !c.outbox.held && c.outbox.flush == flushIdle
		c.outbox.held = c.outbox.held || hold
	} else if err == nil {
		c.queueLocked(m)
	}
	c.mu.Unlock()
	if hold {
		c.srv.held.add(c)
	}
	if err == ErrSlowConsumer {
		c.Fail(SlowConsumer, nil)
	}
	return err
}
