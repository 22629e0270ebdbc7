package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/siokit/siokit/engineio"
	"github.com/siokit/siokit/wire/sio"
)

// A link is one connection of a run. It is the engineio.Receiver of its connection: Receive runs on the
// transport's reader and runs no user code but Options.Parser and the observers of OnArrival.
type link struct {
	run     *run
	conn    *engineio.ClientConn
	decoder sio.Decoder   // owned by Receive
	settled chan struct{} // closed when every namespace that was asked for has answered
	ended   chan struct{} // closed when the connection has ended

	// Guarded by client.mu.
	pending int // namespaces that have not answered, and the loop that asks for them
	asked   int // how many were asked for and not left before they had answered
	refused []error
	joined  int
	over    bool

	reason Reason // set before ended is closed, and so is err
	err    error
}

// Receive takes one message of the server.
func (l *link) Receive(data []byte, binary bool) {
	err := protect(func() error { return l.receive(data, binary) })
	if err == nil {
		return
	}
	if p, ok := err.(*PanicError); ok {
		l.run.client.report(l.run.ctx, "", "packet", p)
	}
	l.conn.Fail(engineio.ParseError, err)
}

func (l *link) receive(data []byte, binary bool) error {
	decode := l.decoder.Text
	if binary {
		decode = l.decoder.Binary
	}
	p, complete, err := decode(data)
	if err != nil || !complete {
		return err
	}
	s := l.run.client.find(p.Namespace)
	if s == nil {
		return nil // nobody asked for it: nothing that is sent to it can matter
	}
	switch p.Type {
	case sio.Connect:
		return s.takeConnect(l, p.Data)
	case sio.ConnectError:
		s.takeRefusal(l, p.Data)
	case sio.Disconnect:
		s.takeDisconnect(l)
	case sio.Event:
		return s.takeEvent(l, p)
	case sio.Ack:
		return s.takeAck(p)
	}
	return nil
}

func (c *Client) find(namespace string) *Socket {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.sockets {
		if name, _, _ := strings.Cut(s.name, "?"); s.name == namespace || name == namespace {
			return s
		}
	}
	return nil
}

// settleLocked notes that a namespace has answered.
func (l *link) settleLocked() {
	if l.pending--; l.pending == 0 {
		select {
		case <-l.settled: // a namespace that was joined later
		default:
			close(l.settled)
		}
	}
}

// outcome returns whether namespaces were joined, whether the connection ended before all had answered, and why
// some were refused.
func (l *link) outcome() (joined, cut bool, refused error) {
	l.run.client.mu.Lock()
	defer l.run.client.mu.Unlock()
	joined, cut = l.joined > 0, l.over && l.joined < l.asked
	if len(l.refused) == 1 {
		return joined, cut, l.refused[0]
	}
	return joined, cut, errors.Join(l.refused...)
}

// Closed ends the namespaces of the connection.
func (l *link) Closed(reason engineio.Reason, err error) {
	c := l.run.client
	c.mu.Lock()
	l.over = true
	l.reason, l.err = Reason(reason), err
	if l.run.ctx.Err() != nil || reason == engineio.ForcedClose {
		l.reason = ClientDisconnect
	}
	for _, s := range c.sockets {
		if s.link == l {
			s.leaveLocked(l.reason)
		}
	}
	if l.run.link == l {
		l.run.link = nil
	}
	c.changed.Broadcast()
	c.mu.Unlock()
	close(l.ended)
}

// abandonIfUnused closes the connection, and reports that, when no namespace wants it any more.
func (l *link) abandonIfUnused() bool {
	c := l.run.client
	c.mu.Lock()
	used := c.wantedLocked()
	c.mu.Unlock()
	if !used {
		l.conn.Close()
	}
	return !used
}

// greeting is the payload of a server's CONNECT.
type greeting struct {
	SID string `json:"sid"`
	PID string `json:"pid"`
}

func (s *Socket) takeConnect(l *link, data []byte) error {
	var got greeting
	if err := json.Unmarshal(data, &got); err != nil || got.SID == "" {
		return fmt.Errorf("client: the server's CONNECT for %q names no sid", s.name)
	}
	c := s.client
	c.mu.Lock()
	if s.link != l || s.state != connecting {
		gone := s.state == idle && !s.wanted
		c.mu.Unlock()
		if gone { // it was left before the server had answered, which does not know
			if m, err := c.encodeDisconnect(s.name); err == nil {
				_ = l.conn.Send(m) // or it ends
			}
		}
		return nil
	}
	s.recovered = got.PID != "" && got.PID == s.pid
	if !s.recovered {
		s.offset = ""
	}
	s.id, s.pid, s.state = got.SID, got.PID, connected
	s.enqueueLocked(task{kind: taskConnect, link: l})
	for _, t := range s.early {
		s.takenLocked(t)
	}
	s.early = nil
	failed := s.flushLocked()
	l.joined++
	l.settleLocked()
	s.settledLocked(nil)
	c.changed.Broadcast()
	ctx := s.ctx
	c.mu.Unlock()
	for _, f := range failed {
		c.report(ctx, s.name, f.event, f.err)
	}
	return nil
}

func (s *Socket) takeRefusal(l *link, data []byte) {
	refusal := &ConnectError{Namespace: s.name}
	var object struct {
		Message string          `json:"message"`
		Data    json.RawMessage `json:"data"`
	}
	if json.Unmarshal(data, &object) == nil {
		refusal.Message, refusal.Data = object.Message, object.Data
	} else if json.Unmarshal(data, &refusal.Message) != nil { // python-socketio sends one text
		refusal.Message = "(no reason given)"
	}
	if refusal.Message == "Invalid namespace" || refusal.Message == "Unable to connect" {
		refusal.hint = ": does the server know it? The path of the address is a namespace; where the server is mounted is Options.Path"
	}
	c := s.client
	c.mu.Lock()
	if s.link != l || s.state != connecting {
		c.mu.Unlock()
		return
	}
	s.wanted, s.state, s.link, s.early = false, idle, nil, nil
	s.pid, s.offset = "", ""
	l.run.final = refusal
	l.refused = append(l.refused, refusal)
	l.settleLocked()
	s.settledLocked(refusal)
	s.abandonLocked(refusal)
	s.enqueueLocked(task{kind: taskConnectError, err: refusal})
	c.changed.Broadcast()
	began := l.run.beganLocked()
	c.mu.Unlock()
	if began {
		l.abandonIfUnused()
	}
}

// beganLocked reports whether Connect has returned.
func (r *run) beganLocked() bool {
	select {
	case <-r.ready:
		return true
	default:
		return false
	}
}

func (s *Socket) takeDisconnect(l *link) {
	c := s.client
	c.mu.Lock()
	if s.link != l {
		c.mu.Unlock()
		return
	}
	s.wanted = false
	l.run.final = &DisconnectError{Reason: ServerDisconnect, Err: fmt.Errorf("namespace %q", s.name)}
	s.leaveLocked(ServerDisconnect)
	s.abandonLocked(ErrDisconnected)
	c.changed.Broadcast()
	c.mu.Unlock()
	l.abandonIfUnused()
}

// maxEarly bounds what a server may send to a namespace before its CONNECT.
const maxEarly = 8192

func (s *Socket) takeEvent(l *link, p sio.Packet) error {
	if p.Data == nil {
		return nil // "42" is legal and names no event
	}
	c := s.client
	name, raw, err := sio.ParseEvent(bytes.Clone(p.Data), sio.Limits{})
	if err != nil {
		return err
	}
	t := task{event: name, args: p.Args(raw, c.opts.JSON), id: noAck, link: l}
	if p.HasID {
		t.id = p.ID
	}
	c.mu.Lock()
	if s.link != l {
		c.mu.Unlock()
		return nil
	}
	arrival, ctx := s.handlers.arrival, s.ctx
	if n := len(raw); n > 0 && !p.HasID && s.pid != "" && isString(raw[n-1]) {
		t.offsets = true
		_ = json.Unmarshal(raw[n-1], &t.offset)
	}
	early := s.state == connecting // Node's server sends what was missed before its CONNECT
	if early && len(s.early) == maxEarly {
		c.mu.Unlock()
		return fmt.Errorf("client: the server sent more than %d events for %q before its CONNECT", maxEarly, s.name)
	} else if early {
		s.early = append(s.early, t)
	}
	c.mu.Unlock()
	for _, f := range arrival {
		s.guard(ctx, name, func() error { f(name, undecoded(t.args)); return nil })
	}
	if !early {
		s.enqueue(t)
	}
	return nil
}

func (s *Socket) takeAck(p sio.Packet) error {
	raw, err := sio.ParseArgs(bytes.Clone(p.Data), sio.Limits{})
	if err != nil {
		return err
	}
	if p.HasID {
		s.resolve(p.ID, settled{answer: p.Args(raw, s.client.opts.JSON)})
	}
	return nil
}
