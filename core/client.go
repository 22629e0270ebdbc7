package core

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/siokit/siokit/engineio"
	"github.com/siokit/siokit/wire/sio"
)

// client is one connection, with the sockets of the namespaces it has joined. It is the
// engineio.Receiver of its connection: Receive runs on the transport's reader and must not run
// user code.
type client struct {
	srv       *Server
	conn      *engineio.Conn
	ctx       context.Context // carries session and identity; ends with the connection or the login
	handshake *Handshake
	principal string
	protocol4 bool        // Socket.IO 1 or 2 on the other side
	quiet     bool        // one of Check's: not logged
	decoder   sio.Decoder // owned by Receive

	joinTimer   *engineio.Timer // closes a connection that joins nothing
	attachTimer *engineio.Timer // owned by Receive; nil until the first binary packet

	asked atomic.Int32           // events that wait for an answer of this client, in all namespaces
	held  atomic.Pointer[Socket] // for room in whose queue Receive waits

	mu       sync.Mutex
	sockets  []*Socket // one per namespace, also those the server has ended; guarded by mu
	refused  int       // CONNECTs; guarded by mu
	closed   bool      // guarded by mu
	draining bool      // takes no more packets but acks: the server shuts down; guarded by mu
}

// maxRefused is how many refused CONNECTs one connection may cause.
const maxRefused = 20

var (
	errNoNamespace   = errors.New("core: packet for a namespace that the client has not joined")
	errTwice         = errors.New("core: second CONNECT for a namespace")
	errTooMany       = errors.New("core: too many namespaces on one connection; see Config.MaxNamespaces")
	errRefusedOften  = errors.New("core: too many refused CONNECTs on one connection")
	errNoAttachments = errors.New("core: the attachments of a packet did not arrive in time")
)

// Receive takes one message of the client. No user code runs here but Config.Parser; a panic costs one
// connection.
func (c *client) Receive(data []byte, binary bool) {
	err := protect(func() error { return c.receive(data, binary) })
	if p, ok := errors.AsType[*PanicError](err); ok {
		c.srv.panics.Add(1)
		culprit := "please report it"
		if c.srv.cfg.Parser != nil {
			culprit = fmt.Sprintf("the parser %T may have caused it", c.srv.cfg.Parser)
		}
		c.srv.cfg.Logger.Error("core: panic while reading a packet; "+culprit, "panic", p.Value, "stack", string(p.Stack))
	}
	if err != nil {
		c.srv.cfg.Logger.Debug("core: closing a connection", "error", err)
		reason := engineio.ParseError
		if err == errRefusedOften || err == errTooMany { // it is understood, but too much
			reason = engineio.ForcedClose
		}
		c.conn.CloseBecause(reason, err)
	}
}

func (c *client) receive(data []byte, binary bool) error {
	var p sio.Packet
	var complete bool
	var err error
	if binary {
		p, complete, err = c.decoder.Binary(data)
	} else {
		p, complete, err = c.decoder.Text(data)
	}
	if err == nil && p.Namespace != "" { // an attachment that is not the last says nothing
		err = c.take(p, complete)
	}
	return err
}

// take handles a packet, or the header of one whose attachments are still to come. An error
// closes the connection.
func (c *client) take(p sio.Packet, complete bool) error {
	if c.protocol4 {
		var err error
		if p, err = fromProtocol4(p); err != nil {
			return err
		}
	}
	// Before anything is ignored: attachments that nobody is there for any more have arrived all the same.
	if complete && c.attachTimer != nil && (len(p.Attachments) > 0 || c.srv.cfg.Parser != nil) {
		c.srv.engine.Stop(c.attachTimer)
	}
	s, known := c.find(p.Namespace)
	switch {
	case c.ignores(p.Type):
		return nil
	case p.Type == sio.Connect:
		return c.join(p.Namespace, p.Data, known)
	case s == nil && known: // in flight while the server ended the socket: not the client's mistake
		if !complete {
			c.awaitAttachments()
		}
		return nil
	case s == nil || !s.accepted():
		return errNoNamespace
	case !complete:
		c.awaitAttachments()
		return nil
	}
	switch p.Type {
	case sio.Event:
		return s.takeEvent(p)
	case sio.Ack:
		return s.takeAck(p)
	case sio.Disconnect:
		c.remove(s)
		s.close(ClientNamespaceDisconnect, nil)
		c.vacated()
	}
	return nil
}

func (s *Socket) takeEvent(p sio.Packet) error {
	if p.Data == nil {
		return nil // "42" is legal and names no event
	}
	data := bytes.Clone(p.Data) // the message's buffer is the transport's
	name, raw, err := sio.ParseEvent(data, sio.Limits{})
	if err != nil {
		return err
	}
	t := task{event: name, args: p.Args(raw, s.ns.srv.cfg.JSON), id: noAck, bytes: len(data)}
	if p.HasID {
		t.id = p.ID
	}
	for _, a := range p.Attachments {
		t.bytes += len(a)
	}
	s.enqueue(t)
	return nil
}

func (s *Socket) takeAck(p sio.Packet) error {
	raw, err := sio.ParseArgs(bytes.Clone(p.Data), sio.Limits{})
	if err != nil {
		return err
	}
	if p.HasID {
		s.resolve(p.ID, p.Args(raw, s.ns.srv.cfg.JSON))
	}
	return nil
}

// awaitAttachments bounds how long a half-received packet may be held.
func (c *client) awaitAttachments() {
	d := c.srv.cfg.AttachmentTimeout
	if c.attachTimer == nil {
		c.attachTimer = c.srv.engine.AfterFunc(d, func() {
			go c.conn.CloseBecause(engineio.ParseError, errNoAttachments)
		})
		return
	}
	c.srv.engine.Reset(c.attachTimer, d)
}

// find returns the client's live socket in a namespace. known is also true for one that the
// server has ended.
func (c *client) find(namespace string) (s *Socket, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.sockets {
		if s.ns.name == namespace {
			if s.left {
				return nil, true
			}
			return s, true
		}
	}
	return nil, false
}

// ignores reports whether packets of a type are dropped because the connection has ended or the
// server shuts down. Until then handlers may wait for acks.
func (c *client) ignores(t sio.Type) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed || c.draining && t != sio.Ack && t != sio.BinaryAck
}

// forget marks a socket that the server ends.
func (c *client) forget(s *Socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.left = true
}

func (c *client) remove(s *Socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sockets = slices.DeleteFunc(c.sockets, func(other *Socket) bool { return other == s })
}

// vacated arms the join timer again when the last namespace has been left.
func (c *client) vacated() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed && !slices.ContainsFunc(c.sockets, func(s *Socket) bool { return !s.left }) {
		c.srv.engine.Reset(c.joinTimer, c.srv.cfg.ConnectTimeout)
	}
}

// live returns the sockets that have not ended.
func (c *client) live() []*Socket {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.sockets), func(s *Socket) bool { return s.left })
}

// disconnect ends every socket and then the connection.
func (c *client) disconnect(cause error) {
	var last []*engineio.Message
	for _, s := range c.live() {
		farewell, _ := s.dismiss(cause)
		last = append(last, farewell...)
	}
	c.conn.CloseWith(engineio.ServerClose, cause, last...)
}

// revoked reports whether the identity ended before the connection did: then nothing that the
// client has sent counts any more.
func (c *client) revoked() bool {
	if c.ctx.Err() == nil {
		return false
	}
	_, closed := errors.AsType[*engineio.CloseError](context.Cause(c.ctx))
	return !closed
}

// contextEnded runs when c.ctx has ended. If that was not the connection's end, the login was
// revoked.
func (c *client) contextEnded() {
	if c.revoked() {
		c.disconnect(context.Cause(c.ctx))
	}
}

// Closed ends all sockets: the connection is gone.
func (c *client) Closed(reason engineio.Reason, err error) {
	c.mu.Lock()
	c.closed = true
	sockets := c.sockets
	c.sockets = nil
	c.mu.Unlock()
	c.srv.engine.Stop(c.joinTimer)
	for _, s := range sockets {
		s.close(Reason(reason), err)
	}
	c.srv.removeClient(c)
	c.logClosed(reason, err)
}

// gone reports whether the connection has ended.
func (c *client) gone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// quiesce makes the client take no more packets but acks and closes it as soon as its handlers are
// through.
func (c *client) quiesce() {
	c.mu.Lock()
	c.draining = true
	c.mu.Unlock()
	c.quiesced()
}

// quiesced closes a draining connection whose handlers have all ended.
func (c *client) quiesced() {
	c.mu.Lock()
	due := c.draining && !c.closed
	sockets := slices.Clone(c.sockets)
	c.mu.Unlock()
	if due && !slices.ContainsFunc(sockets, func(s *Socket) bool { return !s.idle() }) {
		c.conn.Close(engineio.ServerShutdown)
	}
}
