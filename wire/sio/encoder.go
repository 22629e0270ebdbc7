package sio

import (
	"bytes"
	"fmt"
)

// An Encoder writes packets in the way that all connections of a server, or a client, have been
// configured to. The zero value does what the Append functions do, whose comments say what becomes of the
// arguments. An Encoder must not change once it is in use; its methods may be called by any number
// of goroutines at once.
//
// A panic of the Parser or the JSON codec is not recovered, as little as one of a MarshalJSON method.
type Encoder struct {
	// Parser is the form of the packets; nil is the protocol's text.
	Parser Parser
	// JSON encodes the arguments of events and acks; nil is the built-in codec.
	JSON JSON
	// Attachments is the most binary attachments of one packet. Default (0) 10, which is also the limit of
	// the reference implementation's peers. Binary values that a Parser writes into its message do not count.
	Attachments int
}

var standard Encoder

func (e *Encoder) attachments() int {
	l := Limits{Attachments: e.Attachments}
	return l.attachments()
}

// Event encodes an event, as AppendEvent does.
func (e *Encoder) Event(dst []byte, ns string, id int64, event string, args []any) (Frame, error) {
	if e.Parser != nil {
		p, err := e.event(id, event, args)
		if err != nil {
			return Frame{Data: dst}, err
		}
		return e.parse(dst, ns, p)
	}
	if err := notReserved(event); err != nil {
		return Frame{Data: dst}, err
	}
	out, attachments, err := e.appendArgs(dst, Event, ns, id, &event, args)
	if err != nil {
		return Frame{Data: dst}, describeEvent(err, event)
	}
	return Frame{Data: out, Attachments: attachments}, nil
}

// event encodes an event's arguments for a Parser.
func (e *Encoder) event(id int64, event string, args []any) (Packet, error) {
	if err := notReserved(event); err != nil {
		return Packet{}, err
	}
	p := Packet{Type: Event, ID: max(id, 0), HasID: id >= 0}
	if err := e.payload(&p, &event, args); err != nil {
		return Packet{}, describeEvent(err, event)
	}
	return p, nil
}

func notReserved(event string) error {
	if Reserved(event) {
		return fmt.Errorf("sio: event name %q is reserved: peers would refuse it, choose another", event)
	}
	return nil
}

func describeEvent(err error, event string) error {
	return describe(err, fmt.Sprintf("event %q", event))
}

// Ack encodes an ack, as AppendAck does.
func (e *Encoder) Ack(dst []byte, ns string, id int64, args []any) (Frame, error) {
	if id < 0 {
		return Frame{Data: dst}, fmt.Errorf("sio: an ack needs the id of its event, got %d", id)
	}
	if e.Parser == nil {
		out, attachments, err := e.appendArgs(dst, Ack, ns, id, nil, args)
		return Frame{Data: out, Attachments: attachments}, describe(err, "an ack")
	}
	p := Packet{Type: Ack, ID: id, HasID: true}
	if err := e.payload(&p, nil, args); err != nil {
		return Frame{Data: dst}, describe(err, "an ack")
	}
	return e.parse(dst, ns, p)
}

// payload encodes arguments apart from their packet. If the application's own data holds what looks like a placeholder,
// it encodes them once more with a marker that is not in that data.
func (e *Encoder) payload(p *Packet, name *string, args []any) error {
	if e.Parser == nil { // in the protocol's text nothing tells such data from placeholders
		var err error
		p.Data, p.Attachments, err = e.appendPayload(nil, name, args, e.attachments(), defaultMarker)
		return err
	}
	const attempts = 3 // a MarshalJSON method may say something else each time
	for range attempts {
		marker := p.Marker
		if marker == "" {
			marker = defaultMarker
		}
		var err error
		p.Data, p.Attachments, err = e.appendPayload(nil, name, args, maxInline, marker)
		n := len(p.Attachments)
		if err != nil || n == 0 {
			p.Marker = ""
			return err
		}
		if bytes.Count(p.Data, []byte(marker)) == n && !bytes.Contains(p.Data, []byte(`\u`)) {
			return nil // so none is the application's
		}
		if found, err := findPlaceholders(p.Data, n, marker); err == nil && len(found) == n {
			return nil
		}
		if p.Marker, err = freshMarker(p.Data); err != nil {
			return fmt.Errorf("sio: %w", err)
		}
	}
	return fmt.Errorf("sio: the arguments encode differently each time and hold placeholders like %s: rename those members", p.Marker)
}

// maxInline bounds the binary values of a packet whose parser may write them into its message.
const maxInline = 1 << 20

// Connect encodes a CONNECT, as AppendConnect does.
func (e *Encoder) Connect(dst []byte, ns string, data any) (Frame, error) {
	if e.Parser == nil {
		out, err := AppendConnect(dst, ns, data)
		return Frame{Data: out}, err
	}
	p := Packet{Type: Connect}
	if data != nil {
		var err error
		if p.Data, err = appendConnectData(nil, data); err != nil {
			return Frame{Data: dst}, err
		}
	}
	return e.parse(dst, ns, p)
}

// ConnectError encodes a CONNECT_ERROR, as AppendConnectError does.
func (e *Encoder) ConnectError(dst []byte, ns, message string, data any) (Frame, error) {
	if e.Parser == nil {
		out, err := AppendConnectError(dst, ns, message, data)
		return Frame{Data: out}, err
	}
	payload, err := appendRefusal(nil, message, data)
	if err != nil {
		return Frame{Data: dst}, err
	}
	return e.parse(dst, ns, Packet{Type: ConnectError, Data: payload})
}

// Disconnect encodes a DISCONNECT. Only a Parser's error is possible.
func (e *Encoder) Disconnect(dst []byte, ns string) (Frame, error) {
	if e.Parser == nil {
		return Frame{Data: AppendDisconnect(dst, ns)}, nil
	}
	return e.parse(dst, ns, Packet{Type: Disconnect})
}

// parse has the Parser encode p.
func (e *Encoder) parse(dst []byte, ns string, p Packet) (Frame, error) {
	if p.Namespace = ns; ns == "" {
		p.Namespace = "/"
	}
	if err := validNamespace(p.Namespace); err != nil {
		return Frame{Data: dst}, err
	}
	if p.ID > MaxID {
		return Frame{Data: dst}, fmt.Errorf("sio: ack id %d is larger than 2^53-1", p.ID)
	}
	f, err := e.Parser.Encode(dst, p)
	switch {
	case err != nil:
		return Frame{Data: dst}, fmt.Errorf("sio: the parser cannot encode a packet: %w", err)
	case len(f.Data) < len(dst):
		return Frame{Data: dst}, fmt.Errorf("sio: the parser %T returned less than it was given: it must append to dst", e.Parser)
	case len(f.Attachments) > e.attachments():
		return Frame{Data: dst}, fmt.Errorf("sio: the packet has %d binary attachments, the limit is %d: send fewer at once, join them into one, or raise the limit on both sides", len(f.Attachments), e.attachments())
	}
	return f, nil
}
