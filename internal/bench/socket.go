//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
)

// socket is a Socket.IO client on a WebSocket, in the namespace "/".
type socket struct {
	*conn
	stage    func(msg []byte) error // takes the next Engine.IO message
	received func(msg []byte) error // takes messages once connected; must not keep msg
	closing  bool                   // our close frame is out
	answered bool                   // the server's close frame is in
}

// joinFrame asks the server to put this socket into the room, with ack 1.
var joinFrame = appendFrame(nil, opText, []byte(`421["join","board"]`))

var (
	connectFrame = appendFrame(nil, opText, []byte("40"))
	pongFrame    = appendFrame(nil, opText, []byte("3"))
	closeFrame   = appendFrame(nil, opClose, []byte{0x03, 0xe8}) // 1000, normal closure
)

// dialSocket starts to connect: WebSocket, Engine.IO handshake, namespace. ready
// is called when the server has accepted all three, and sets received.
func (l *loop) dialSocket(ready func(*socket) error) (*socket, error) {
	c, err := l.dial()
	if err != nil {
		return nil, err
	}
	s := &socket{conn: c}
	c.feed = s.response
	s.stage = func(open []byte) error {
		if !bytes.HasPrefix(open, []byte(`0{"sid":"`)) {
			return fmt.Errorf("bench: handshake %q is no OPEN packet", open)
		}
		s.stage = func(accept []byte) error {
			if !bytes.HasPrefix(accept, []byte(`40{"sid":"`)) {
				return fmt.Errorf("bench: %q does not accept CONNECT", accept)
			}
			s.stage = s.message
			return ready(s)
		}
		return s.write(connectFrame)
	}
	return s, c.write(fmt.Appendf(nil, "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: %s\r\n"+
		"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", l.addr))
}

// response consumes the answer to the upgrade request.
func (s *socket) response(b []byte) ([]byte, error) {
	head, rest, ok := bytes.Cut(b, []byte("\r\n\r\n"))
	if !ok {
		return b, nil
	}
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 101 ")) {
		return nil, fmt.Errorf("bench: the server refused the WebSocket: %q", head)
	}
	s.feed = s.frames
	return s.frames(rest)
}

// frames consumes whole WebSocket frames.
func (s *socket) frames(b []byte) ([]byte, error) {
	for {
		op, payload, rest, ok, err := cutFrame(b)
		if err != nil || !ok {
			return b, err
		}
		b = rest
		switch {
		case op == opText && len(payload) == 1 && payload[0] == '2':
			err = s.write(pongFrame)
		case op == opText:
			err = s.stage(payload)
		case op == opClose && s.closing:
			s.answered = true
		default:
			err = fmt.Errorf("bench: unexpected frame: opcode %d, %q", op, payload)
		}
		if err != nil {
			return nil, err
		}
	}
}

// message passes a message on; the indirection lets ready set received late.
func (s *socket) message(msg []byte) error {
	if s.received == nil {
		return fmt.Errorf("bench: unexpected message %q", msg)
	}
	return s.received(msg)
}

// bye closes the WebSocket in the orderly way and calls closed when the server
// has answered and hung up.
func (s *socket) bye(closed func() error) error {
	s.closing = true
	s.ended = func() error {
		if !s.answered {
			return errors.New("bench: the server hung up without answering the close frame")
		}
		s.close()
		return closed()
	}
	return s.write(closeFrame)
}

// connectAll connects n sockets, at most 64 of them at a time, and returns when
// all are ready. prepare, if not nil, runs on each and calls next once.
func (l *loop) connectAll(n int, prepare func(s *socket, next func() error) error) ([]*socket, error) {
	sockets := make([]*socket, 0, n)
	ready := 0
	var dialNext func() error
	next := func() error {
		ready++
		return dialNext()
	}
	dialNext = func() error {
		if len(sockets) == n {
			return nil
		}
		s, err := l.dialSocket(func(s *socket) error {
			if prepare == nil {
				return next()
			}
			return prepare(s, next)
		})
		sockets = append(sockets, s)
		return err
	}
	for range min(n, 64) {
		if err := dialNext(); err != nil {
			return nil, err
		}
	}
	return sockets, l.runUntil(func() bool { return ready == n },
		func() string { return fmt.Sprintf("%d of %d sockets connected", ready, n) })
}

// join puts s into the room and calls next when the server has acknowledged it.
func join(s *socket, next func() error) error {
	s.received = func(msg []byte) error {
		if !bytes.HasPrefix(msg, []byte("431[")) {
			return fmt.Errorf("bench: %q does not acknowledge the join", msg)
		}
		s.received = nil
		return next()
	}
	return s.write(joinFrame)
}
