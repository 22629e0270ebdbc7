package siotest

import "time"

// gap is how long no connection can be made after Cut: net/http would quietly repeat a poll on another one.
// It is shorter than a client waits before it reconnects.
const gap = 100 * time.Millisecond

// Cut ends the client's connection as a network does that breaks: both sides notice at once, and what is on its
// way is lost. Between two polls the server cannot notice before the heartbeat does. A client that is Reconnecting
// comes back.
func (c *Client) Cut() {
	c.wires.change(func() {
		c.wires.gap = time.Now().Add(gap)
		c.wires.cutLocked()
	})
}

// Down cuts the connection and lets the client make no other until Up.
func (c *Client) Down() {
	c.wires.change(func() {
		c.wires.down = true
		c.wires.cutLocked()
	})
}

// Freeze keeps what both sides say, and that one of them has closed, from the other, until Up: only
// heartbeats find out. Then all of it arrives; Cut before Up drops it. A side that says more than 256 KiB is
// held up, as by the buffers of a real connection.
func (c *Client) Freeze() { c.wires.change(func() { c.wires.frozen = true }) }

// Up ends Down and Freeze.
func (c *Client) Up() { c.wires.change(func() { c.wires.down, c.wires.frozen = false, false }) }

// Delay makes everything that is said from now on take that much longer, in each direction. 0 ends it.
func (c *Client) Delay(d time.Duration) { c.wires.change(func() { c.wires.delay = d }) }
