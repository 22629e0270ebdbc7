package client

import (
	"context"
	"fmt"
)

// Flush waits until nothing that was emitted is outstanding: what waited for a connection has been given to one,
// and what wants an ack (Call, EmitFunc, and with Options.Retries every event) has got it, or has been given up.
// It waits through reconnects, and for what is emitted meanwhile. Flush and then Close is how a program ends that
// must not lose anything; ctx says how long it tries:
//
//	err := c.Flush(ctx)
//	c.Close()
//
// An event that wants no ack may still be lost with its connection, and Node's server forgets such events when it
// reads them together with the goodbye of Close.
//
// Errors: ctx's, with the number of events that are outstanding; ErrNotConnected when something waits and there is no
// connection to come; ErrDisconnected when events were dropped meanwhile because the server refused or ended
// their namespace, or the client ended.
func (c *Client) Flush(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.changed.Broadcast()
	})
	defer stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for dropped := c.dropped; ; c.changed.Wait() {
		n := c.outstandingLocked()
		switch {
		case c.dropped > dropped:
			return fmt.Errorf("client: Flush: %d events were dropped, and %d are outstanding: %w", c.dropped-dropped, n, ErrDisconnected)
		case n == 0:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("client: Flush: %d events are outstanding: %w", n, context.Cause(ctx))
		case c.run == nil:
			return ErrNotConnected
		}
	}
}

// outstandingLocked counts the events that wait for a connection or for an ack.
func (c *Client) outstandingLocked() (n int) {
	for _, s := range c.sockets {
		n += len(s.buffer) + len(s.retries)
		for _, q := range s.pending {
			if q.sent { // the others are in the buffer, or of a retry
				n++
			}
		}
	}
	return n
}

// reportDroppedLocked tells of events that are about to be dropped and that nobody else hears of.
func (s *Socket) reportDroppedLocked(why error) {
	var events []string
	for _, b := range s.buffer {
		if s.pending[b.id] == nil {
			events = append(events, b.event)
		}
	}
	for _, r := range s.retries {
		if r.asker == nil {
			events = append(events, r.event)
		}
	}
	c := s.client
	c.dropped += len(events)
	c.changed.Broadcast()
	if len(events) == 0 {
		return
	}
	err := fmt.Errorf("client: %d events of %q were dropped before they were sent or acked, the first %q (before Close, Client.Flush waits for them): %w", len(events), s.name, events[0], why)
	s.enqueueLocked(task{kind: taskAnswer, then: func(ctx context.Context) { c.report(ctx, s.name, events[0], err) }})
}
