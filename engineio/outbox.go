package engineio

import (
	"errors"
	"slices"
)

var (
	// ErrClosed is returned when the connection has ended.
	ErrClosed = errors.New("engineio: the connection is closed")
	// ErrSlowConsumer is returned by the Send that found the outbox full: the client has been
	// disconnected.
	ErrSlowConsumer = errors.New("engineio: the client does not keep up; its outbox is full and it has been disconnected")
)

// outbox holds what is to be written to one client. Its fields are guarded by Conn.mu.
type outbox struct {
	queue    []*Message
	spare    []*Message // the storage of the batch before, to append to next
	bytes    int        // queued and not yet written
	packets  int
	flush    flushState
	held     bool   // in Server.held: written soon even if nothing follows
	farewell []byte // WebSocket close frame to send last; default 1000 or 1001
}

// flushState says who writes an outbox.
type flushState uint8

const (
	flushIdle  flushState = iota // nobody; the next message schedules it
	flushReady                   // it stands in the ready list
	flushBusy                    // a worker, a dispatcher or a flusher is writing
)

// scheduleLocked reports whether the caller must put the connection in the ready list.
func (o *outbox) scheduleLocked() bool {
	if o.flush != flushIdle {
		return false
	}
	o.flush = flushReady
	return true
}

// prependLocked puts m before everything else.
func (o *outbox) prependLocked(m *Message) {
	o.queue = append([]*Message{m}, o.queue...)
	o.bytes += m.Size()
	o.packets += m.packets()
}

// takeLocked empties the queue. The bytes count until wroteLocked.
func (o *outbox) takeLocked() []*Message {
	batch := o.queue
	o.queue, o.spare = o.spare[:0], nil
	return batch
}

// takeAtMostLocked takes messages of no more packets than most, but one message at least.
func (o *outbox) takeAtMostLocked(most int) []*Message {
	n, packets := 0, 0
	for n < len(o.queue) && (n == 0 || packets+o.queue[n].packets() <= most) {
		packets += o.queue[n].packets()
		n++
	}
	if n == len(o.queue) {
		return o.takeLocked()
	}
	batch := slices.Clone(o.queue[:n])
	o.queue = slices.Delete(o.queue, 0, n)
	return batch
}

// wroteLocked gives a written batch back.
func (o *outbox) wroteLocked(batch []*Message) {
	for i, m := range batch {
		o.bytes -= m.Size()
		o.packets -= m.packets()
		batch[i] = nil
	}
	if cap(batch) <= 32 && o.bytes > 0 {
		o.spare = batch[:0] // busy connections keep the storage, idle ones hold none
	}
	if o.bytes == 0 {
		o.spare = nil
		if len(o.queue) == 0 {
			o.queue = nil
		}
	}
}

func (o *outbox) dropLocked() {
	o.queue, o.spare, o.bytes, o.packets = nil, nil, 0, 0
}

// admits reports whether m fits. One message larger than the whole outbox passes when nothing
// is queued.
func (o *outbox) admits(m *Message, maxBytes, maxPackets int) bool {
	return o.bytes == 0 || o.bytes+m.Size() <= maxBytes && o.packets+m.packets() <= maxPackets
}

func (o *outbox) appendLocked(m *Message) {
	o.queue = append(o.queue, m)
	o.bytes += m.Size()
	o.packets += m.packets()
}

// endsWithLocked reports whether m is the last message that waits.
func (o *outbox) endsWithLocked(m *Message) bool {
	return len(o.queue) > 0 && o.queue[len(o.queue)-1] == m
}

// queueLocked appends m, wakes a parked poll, and reports whether the caller must put c in the
// ready list once it has released c.mu.
func (c *Conn) queueLocked(m *Message) bool {
	c.outbox.appendLocked(m)
	if c.ws == nil {
		c.wakePollLocked()
		return false
	}
	return c.outbox.scheduleLocked()
}

// push queues m without scheduling a write, for the handshake.
func (c *Conn) push(m *Message) {
	c.mu.Lock()
	c.queueLocked(m)
	c.mu.Unlock()
}

// offer queues m if the connection is open and has room.
func (c *Conn) offer(m *Message) (ready bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.admitLocked(m); err != nil {
		return false, err
	}
	return c.queueLocked(m), nil
}

func (c *Conn) admitLocked(m *Message) error {
	if c.state != stateOpen {
		return ErrClosed
	}
	if !c.outbox.admits(m, c.srv.cfg.OutboxBytes, c.srv.cfg.OutboxPackets) {
		return ErrSlowConsumer
	}
	return nil
}

// Send queues m and returns. It never writes and never waits for the client. ErrSlowConsumer
// means that the outbox was full and the connection has just been ended for it.
func (c *Conn) Send(m *Message) error {
	ready, err := c.offer(m)
	if ready {
		c.srv.ready.push(c)
	}
	if err == ErrSlowConsumer {
		c.Fail(SlowConsumer, nil)
	}
	return err
}

// SendNow is Send by somebody with nothing else to do: when nobody else is writing it writes
// the outbox itself, as far as that does not block. It saves handing a single reply to another
// goroutine.
func (c *Conn) SendNow(m *Message) error {
	ready, err := c.offer(m)
	if ready {
		c.flushInline()
	}
	if err == ErrSlowConsumer {
		c.Fail(SlowConsumer, nil)
	}
	return err
}

// A Batch sends one message to many connections and wakes the flush workers once. It is for one
// goroutine; the zero Batch is ready to use.
type Batch struct {
	ready []*Conn
	slow  []*Conn
	sent  int
}

// Send queues m for c. The connection may be written to only after Done.
func (b *Batch) Send(c *Conn, m *Message) {
	ready, err := c.offer(m)
	if ready {
		b.ready = append(b.ready, c)
	}
	if err == nil {
		b.sent++
	}
	if err == ErrSlowConsumer {
		b.slow = append(b.slow, c)
	}
}

// Done lets the workers write, ends the connections whose outbox was full, and returns how many
// messages were queued. Call it without locks: it may call Receiver.Closed.
func (b *Batch) Done() int {
	if len(b.ready) > 0 {
		b.ready[0].srv.ready.push(b.ready...)
	}
	for _, c := range b.slow {
		c.Fail(SlowConsumer, nil)
	}
	return b.sent
}
