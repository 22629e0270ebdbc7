package engineio

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// A Conn is one Engine.IO session: a client, whatever transport it is on. All methods may be
// called concurrently, from anywhere, except that Send, Close and Fail may call
// Receiver.Closed before they return: do not hold a lock that Closed takes.
type Conn struct {
	srv       *Server
	id        string // the session id, a secret
	ctx       context.Context
	cancel    context.CancelCauseFunc
	receiver  Receiver // set once by the handshake, before anything can be received
	heartbeat heartbeat
	closing   Timer    // cuts a connection that does not fetch the rest in time
	dialect   *dialect // how the client departs from Engine.IO 4; nil for most
	python    bool     // the client is python-engineio's
	born      bool     // on WebSocket: the session was never on polling

	recv      sync.Mutex  // held while Receiver.Receive runs, so that POSTs and frames never overlap
	receiving atomic.Bool // Receive is running
	blocked   atomic.Bool // it took long since the last ping: the pong may be behind other messages

	mu      sync.Mutex
	state   connState                // guarded by mu
	ws      *socket                  // the WebSocket the session is on, nil while on polling; guarded by mu
	probe   *socket                  // the WebSocket that is being probed; guarded by mu
	probing bool                     // an upgrade request holds the session's only place; guarded by mu
	noops   bool                     // the probe arrived: release polls; guarded by mu
	poll    *poll                    // the parked GET; guarded by mu
	posting bool                     // a POST is being read or taken; guarded by mu
	body    *http.ResponseController // of the POST whose body is still being read; guarded by mu
	outbox  outbox                   // guarded by mu
}

type connState uint8

const (
	stateOpen    connState = iota
	stateClosing           // ended for the Receiver; what is queued may still leave
	stateClosed            // nothing leaves any more
)

func newConn(s *Server, r *http.Request, q query, id string) *Conn {
	c := &Conn{srv: s, id: id, dialect: q.dialect(), python: fromPython(r), born: q.transport == WebSocket}
	c.ctx, c.cancel = context.WithCancelCause(context.WithoutCancel(r.Context()))
	c.heartbeat = heartbeat{conn: c, timer: Timer{f: nil}, waiting: q.revision3}
	c.heartbeat.timer.f = c.heartbeat.fire
	c.closing.f = c.cut
	return c
}

// Context lives as long as the connection: it carries the values of the handshake request's
// context, and its cause is a *CloseError once the connection has ended.
func (c *Conn) Context() context.Context { return c.ctx }

// Transport returns "polling" or "websocket", in Accept too.
func (c *Conn) Transport() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ws != nil || c.born {
		return WebSocket
	}
	return Polling
}

// Revision returns the client's revision of Engine.IO: 4, or 3 with Config.AllowEIO3.
func (c *Conn) Revision() int {
	if c.dialect.v3() {
		return 3
	}
	return 4
}

// Close ends the connection for the Receiver at once and for the client once what is queued has
// been written, at the latest after CloseTimeout.
func (c *Conn) Close(reason Reason) { c.end(reason, nil, stateClosing, nil) }

// CloseBecause is Close with the error behind it, for logs and the connection's context.
func (c *Conn) CloseBecause(reason Reason, err error) { c.end(reason, err, stateClosing, nil) }

// CloseWith is CloseBecause after the last messages, as far as there is room for them. A parked poll
// is answered with all of them and the close at once: after a logout the next poll may be refused.
func (c *Conn) CloseWith(reason Reason, err error, last ...*Message) {
	c.mu.Lock()
	for _, m := range last {
		if c.admitLocked(m) == nil {
			c.outbox.appendLocked(m) // end wakes the poll or schedules the write
		}
	}
	c.mu.Unlock()
	c.end(reason, err, stateClosing, nil)
}

// Fail ends the connection at once; what is queued is lost.
func (c *Conn) Fail(reason Reason, err error) { c.end(reason, err, stateClosed, nil) }

// end is the one way out of stateOpen. farewell is a WebSocket close frame to send, if any.
func (c *Conn) end(reason Reason, err error, to connState, farewell []byte) {
	c.mu.Lock()
	if c.state != stateOpen {
		c.mu.Unlock()
		if to == stateClosed {
			c.cut()
		}
		return
	}
	c.state = to
	if farewell != nil {
		c.outbox.farewell = farewell
	}
	c.wakePollLocked()
	ready := to == stateClosing && c.ws != nil && c.outbox.scheduleLocked()
	probe, receiver := c.probe, c.receiver
	if c.noops && to == stateClosing {
		probe = nil // the client may have stopped polling: its "5" will fetch what is left, or CloseTimeout ends it
	}
	c.cancel(&CloseError{Reason: reason, Err: err}) // before setReceiver can look for the reason
	c.mu.Unlock()

	c.srv.clock.stop(&c.heartbeat.timer)
	if reason == SlowConsumer {
		c.srv.stats.slow.Add(1)
	}
	if probe != nil {
		probe.hangUp()
	}
	if to == stateClosed {
		c.cut()
	} else {
		c.srv.clock.reset(&c.closing, c.srv.cfg.CloseTimeout)
		if ready {
			c.srv.ready.push(c)
		}
	}
	if receiver != nil {
		receiver.Closed(reason, err)
	}
}

// endInput ends the connection for what the peer has sent. A WebSocket learns why from a close
// frame; a polling session is gone at once, and its next request is answered "unknown".
func (c *Conn) endInput(reason Reason, err error) {
	if c.Transport() == WebSocket {
		c.CloseBecause(reason, err)
	} else {
		c.Fail(reason, err)
	}
}

// setReceiver completes the handshake. A connection that ended meanwhile tells r at once.
func (c *Conn) setReceiver(r Receiver) {
	c.mu.Lock()
	c.receiver = r
	ended := c.state != stateOpen
	c.mu.Unlock()
	if ended {
		r.Closed(c.reason(), nil)
	}
}

// reason returns why the connection ended.
func (c *Conn) reason() Reason {
	if e, ok := context.Cause(c.ctx).(*CloseError); ok {
		return e.Reason
	}
	return ServerClose
}

// cut drops the session and its transport. It is safe to call more than once.
func (c *Conn) cut() {
	c.mu.Lock()
	c.state = stateClosed
	c.wakePollLocked()
	ws, probe := c.ws, c.probe
	c.outbox.dropLocked()
	if c.body != nil {
		_ = c.body.SetReadDeadline(time.Now()) // its body has no session to go to
	}
	c.mu.Unlock()
	c.srv.clock.stop(&c.closing)
	if ws != nil {
		ws.hangUp()
	}
	if probe != nil {
		probe.hangUp()
	}
	c.srv.remove(c)
}

// giveUp cuts a connection that is only waiting for its client to fetch the rest: the client has
// come back, but as nobody who may.
func (c *Conn) giveUp() {
	c.mu.Lock()
	closing := c.state == stateClosing
	c.mu.Unlock()
	if closing {
		c.cut()
	}
}

// abandon undoes a handshake that was refused. No Receiver knows the connection.
func (c *Conn) abandon(err error) {
	c.cancel(&CloseError{Reason: ForcedClose, Err: err})
	c.cut()
}

// deliver hands one message to the Receiver. It reports whether the connection is still open.
func (c *Conn) deliver(data []byte, binary bool) bool {
	if !c.isOpen() {
		return false
	}
	began := time.Now()
	c.receiving.Store(true)
	c.receiver.Receive(data, binary)
	c.receiving.Store(false)
	if time.Since(began) > blocked {
		c.blocked.Store(true)
	}
	return c.isOpen()
}

func (c *Conn) isOpen() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state == stateOpen
}

// Receiver returns what Config.Accept returned for this connection, nil while Accept runs.
func (c *Conn) Receiver() Receiver {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.receiver
}
