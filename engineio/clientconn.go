package engineio

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/siokit/siokit/wire/eio"
)

// A ClientConn is a client's end of an Engine.IO session. All methods may be called concurrently, from
// anywhere, but Wait not by the Receiver. Nothing restores a ClientConn that has ended: Dial again.
type ClientConn struct {
	opts     DialOptions
	endpoint *url.URL // without user; its query is the caller's
	http     http.Client
	own      *http.Transport // nil if the caller's is used
	ctx      context.Context
	cancel   context.CancelCauseFunc

	handshake eio.Handshake // set once before anything runs, and so are these two
	receiver  Receiver      // of DialOptions.Open
	heartbeat *time.Timer

	running sync.WaitGroup // the goroutines of the connection
	live    chan struct{}  // closed when the session is on a WebSocket
	busy    atomic.Bool    // the Receiver is at work

	mu      sync.Mutex
	changed sync.Cond // on mu
	state   connState
	ws      *clientSocket // nil on polling; guarded by mu
	polling bool          // the poll loop runs; guarded by mu
	writing bool          // guarded by mu
	pausing bool          // an upgrade waits for polling to come to rest; guarded by mu
	outbox  outbox        // guarded by mu
	pong    []byte        // answer to a WebSocket ping; guarded by mu
	closing *time.Timer   // guarded by mu
}

// Context lives as long as the connection. Its cause is a *CloseError then.
func (c *ClientConn) Context() context.Context { return c.ctx }

// Transport returns "polling" or "websocket".
func (c *ClientConn) Transport() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ws != nil {
		return WebSocket
	}
	return Polling
}

// MaxPayload is the largest packet or polling body in bytes that the server takes, 0 if it did not say.
func (c *ClientConn) MaxPayload() int64 { return c.handshake.MaxPayload }

// Close sends what is queued and ends the connection, at the latest after CloseTimeout. It returns at
// once; Wait waits.
func (c *ClientConn) Close() {
	c.mu.Lock()
	if c.state == stateOpen {
		c.state = stateClosing
		c.closing = time.AfterFunc(c.opts.CloseTimeout, func() { c.end(ForcedClose, nil) })
	}
	c.changed.Broadcast()
	c.mu.Unlock()
}

// Fail ends the connection at once; what is queued is lost.
func (c *ClientConn) Fail(reason Reason, err error) { c.end(reason, err) }

// Wait waits until the connection has ended and nothing of it runs any more. The Receiver must not
// call it.
func (c *ClientConn) Wait() {
	c.running.Wait()
	c.release()
}

// release gives the idle HTTP connections back that only this session used.
func (c *ClientConn) release() {
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
}

// end ends everything and tells the Receiver, once.
func (c *ClientConn) end(reason Reason, err error) {
	c.mu.Lock()
	if c.state == stateClosed {
		c.mu.Unlock()
		return
	}
	if c.state == stateClosing { // however the rest went
		reason, err = ForcedClose, nil
	}
	c.state = stateClosed
	c.outbox.dropLocked()
	ws, closing := c.ws, c.closing
	c.changed.Broadcast()
	c.mu.Unlock()
	c.heartbeat.Stop()
	if closing != nil {
		closing.Stop()
	}
	c.cancel(&CloseError{reason, err})
	if ws != nil {
		_ = ws.nc.Close()
	}
	c.receiver.Closed(reason, err)
}

// beatMissed runs when the server has been silent for too long. While the Receiver blocks, the pings are
// still to be read.
func (c *ClientConn) beatMissed() {
	if c.busy.Load() {
		c.heartbeat.Reset(c.patience())
		return
	}
	c.end(PingTimeout, fmt.Errorf("engineio: the server was silent for %s", c.patience()))
}

var errText = errors.New("engineio: invalid UTF-8 in a text message of the server")

// beat notes that the server is alive. It reports whether the connection is still open.
func (c *ClientConn) beat() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == stateClosed {
		return false
	}
	c.heartbeat.Reset(c.patience())
	return true
}

// take handles one packet of the server. It reports whether the connection is still open. One goroutine
// at a time calls it.
func (c *ClientConn) take(p eio.Packet) bool {
	if !c.beat() {
		return false
	}
	switch p.Type {
	case eio.Message:
		if !p.Binary && !utf8.Valid(p.Data) {
			c.end(ParseError, errText)
			return false
		}
		c.busy.Store(true)
		c.receiver.Receive(p.Data, p.Binary)
		c.busy.Store(false)
		return c.beat()
	case eio.Ping:
		c.mu.Lock()
		// One pong that waits says enough: a server that pings and does not read must not fill the memory.
		if c.state == stateOpen && !c.outbox.endsWithLocked(pongMessage) {
			c.outbox.appendLocked(pongMessage)
			c.changed.Broadcast()
		}
		c.mu.Unlock()
	case eio.Close:
		c.end(TransportClose, nil)
		return false
	case eio.Noop:
	default:
		c.end(ParseError, fmt.Errorf("engineio: the server sent a packet %q in the middle of a session", p.Type))
		return false
	}
	return true
}

var upgradeMessage = control(eio.Upgrade, "")
