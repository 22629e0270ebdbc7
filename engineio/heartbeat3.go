package engineio

import "github.com/siokit/siokit/wire/eio"

var pongMessage = control(eio.Pong, "")

// In Engine.IO 3 the client pings, every PingInterval, and the server answers. A client that has not
// pinged for PingInterval and PingTimeout together is gone: the heartbeat waits for a ping all the
// time, and never sends one.

// ping is called by the reader of the transport.
func (h *heartbeat) ping() {
	c := h.conn
	c.mu.Lock()
	open := c.state == stateOpen
	if open {
		h.start() // under mu: not after the end has stopped it
	}
	c.mu.Unlock()
	if open {
		_ = c.Send(pongMessage) // bounded like all else: pings do not fill the memory
	}
}
