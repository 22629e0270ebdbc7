package core

import (
	"slices"

	"github.com/siokit/siokit/engineio"
	"github.com/siokit/siokit/wire/sio"
)

// noAck is the id of an event that wants no ack.
const noAck = -1

// All packets that the server sends are encoded here, with its Parser and its JSON codec. Both, and the
// MarshalJSON methods of arguments, are user code: they may panic.

func (s *Server) encodeEvent(ns string, id int64, event string, args []any) (*engineio.Message, error) {
	return encoded(s.encoder.Event(make([]byte, engineio.Headroom, 128), ns, id, event, args))
}

func (s *Server) encodeAck(ns string, id int64, args ...any) (*engineio.Message, error) {
	return encoded(s.encoder.Ack(make([]byte, engineio.Headroom, 128), ns, id, args))
}

// encodeConnect encodes the reply to a CONNECT.
func (s *Server) encodeConnect(ns, id, pid string) (*engineio.Message, error) {
	return encoded(s.encoder.Connect(make([]byte, engineio.Headroom, 64), ns, struct {
		SID string `json:"sid"`
		PID string `json:"pid,omitempty"`
	}{id, pid}))
}

func (s *Server) encodeConnectError(ns, message string, data any) (*engineio.Message, error) {
	return encoded(s.encoder.ConnectError(make([]byte, engineio.Headroom, 128), ns, message, data))
}

func (s *Server) encodeDisconnect(ns string) (*engineio.Message, error) {
	return encoded(s.encoder.Disconnect(make([]byte, engineio.Headroom, engineio.Headroom+len(ns)+2), ns))
}

// packet makes a message of an event that is encoded already. Its attachments are shared.
func (s *Server) packet(ns string, id int64, ev sio.EncodedEvent) (*engineio.Message, error) {
	f, err := s.encoder.Frame(make([]byte, engineio.Headroom, 128), ns, id, ev)
	if err != nil {
		return nil, err
	}
	return message(f), nil
}

func encoded(f sio.Frame, err error) (*engineio.Message, error) {
	if err != nil {
		return nil, err
	}
	return newMessage(f), nil
}

// newMessage copies the attachments: they are the caller's slices and are written later.
func newMessage(f sio.Frame) *engineio.Message {
	for i, a := range f.Attachments {
		f.Attachments[i] = slices.Clone(a)
	}
	return message(f)
}

func message(f sio.Frame) *engineio.Message {
	if f.Binary {
		return engineio.NewBinaryMessage(f.Data, f.Attachments...)
	}
	return engineio.NewMessage(f.Data, f.Attachments...)
}
