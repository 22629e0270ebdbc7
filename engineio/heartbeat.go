package engineio

import "time"

// heartbeat pings one client and ends its connection when the pong stays away. In Engine.IO 4
// the server pings. Only an awaited pong counts: others neither postpone nor start anything.
type heartbeat struct {
	conn    *Conn
	timer   Timer
	waiting bool // a ping is out, or in Engine.IO 3 one is to come; guarded by conn.mu
}

func (h *heartbeat) start() {
	d := h.conn.srv.cfg.PingInterval
	if h.conn.dialect.v3() {
		d += h.conn.srv.cfg.PingTimeout
	}
	h.conn.srv.clock.reset(&h.timer, d)
}

// fire runs on the clock goroutine.
func (h *heartbeat) fire() {
	c := h.conn
	c.mu.Lock()
	if c.state != stateOpen {
		c.mu.Unlock()
		return
	}
	if h.waiting && !c.receiving.Load() && !c.blocked.Swap(false) {
		c.mu.Unlock()
		if c.srv.clock.late(&h.timer) > stall {
			c.srv.clock.reset(&h.timer, graceAfterStall)
			return
		}
		c.srv.spawned.run(func() { c.Fail(PingTimeout, nil) }) // Closed must not hold up the clock
		return
	}
	// While the Receiver blocks, or where it has, the pong is still to be read: ping again, so
	// that a dead link shows as a failing write, and wait once more.
	h.waiting = true
	ready := !c.dialect.v3() && c.queueLocked(pingMessage)
	c.srv.clock.reset(&h.timer, c.srv.cfg.PingTimeout) // under mu: a quick pong must find it armed
	c.mu.Unlock()
	if ready {
		c.srv.ready.push(c)
	}
}

// pong is called by the reader of the transport.
func (h *heartbeat) pong() {
	c := h.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if h.waiting && c.state == stateOpen {
		h.waiting = false
		h.start()
	}
}

// A process that was stopped (a suspended laptop, a frozen container, a starved CPU) finds all
// timers overdue at once, while the pongs may already wait in the kernel: it reads first.
const (
	blocked         = 10 * time.Millisecond // a Receive that takes longer has slowed the client down
	stall           = time.Second
	graceAfterStall = 2 * time.Second
)
