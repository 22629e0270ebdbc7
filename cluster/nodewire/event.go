package nodewire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tinylib/msgp/msgp"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/wire/msgpack"
	"github.com/siokit/siokit/wire/sio"
)

// A broadcast is the MessagePack array [uid, packet, opts].

// sender reads who sent a broadcast, and returns what follows. Ids that are not strings are no member's.
func (c codec) sender(msg []byte) (uid string, rest []byte, err error) {
	n, rest, err := msgp.ReadArrayHeaderBytes(msg)
	if err != nil || n != 3 {
		return "", nil, errors.New("nodewire: a broadcast must be an array of three")
	}
	if uid, after, err := msgp.ReadStringBytes(rest); err == nil {
		return uid, after, nil
	}
	_, rest, err = c.value(rest)
	return "", rest, err
}

// broadcast reads what follows the sender.
func (c codec) broadcast(msg []byte) (*cluster.Emit, error) {
	p, attachments, rest, err := c.packet(msg)
	if err != nil {
		return nil, err
	}
	v, rest, err := c.value(rest)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("nodewire: %d bytes follow the broadcast", len(rest))
	}
	var opts options
	if len(v.JSON) > 0 {
		if err := jsonv2.Unmarshal(v.JSON, &opts, lenient...); err != nil {
			return nil, fmt.Errorf("nodewire: opts: %w", err)
		}
	}
	return c.emit(&p, attachments, &opts)
}

// packet reads the packet at the start of msg. Its payload, which may be large, is read once only.
func (c codec) packet(msg []byte) (p packet, attachments [][]byte, rest []byte, err error) {
	n, b, err := msgp.ReadMapHeaderBytes(msg)
	if err != nil {
		return p, nil, nil, fmt.Errorf("nodewire: a packet must be a map: %w", err)
	}
	for ; n > 0; n-- { // each turn takes bytes or fails, whatever n claims
		var field []byte
		if field, b, err = msgp.ReadStringZC(b); err != nil {
			return p, nil, nil, fmt.Errorf("nodewire: a packet's field: %w", err)
		}
		switch string(field) {
		case "type":
			p.Type, b, err = msgp.ReadIntBytes(b)
		case "nsp":
			var namespace string
			namespace, b, err = msgp.ReadStringBytes(b)
			p.Namespace = &namespace
		default:
			var v msgpack.Value
			if v, b, err = c.value(b); err == nil && string(field) == "data" {
				p.Data, attachments = jsontext.Value(v.JSON), v.Attachments
			}
		}
		if err != nil {
			return p, nil, nil, fmt.Errorf("nodewire: field %.32q of a packet: %w", field, err)
		}
	}
	return p, attachments, b, nil
}

// emit checks a packet. Some emitters write BINARY_EVENT although the binary values are in their places.
func (c codec) emit(p *packet, attachments [][]byte, opts *options) (*cluster.Emit, error) {
	if t := sio.Type(p.Type); p.Type < 0 || p.Type > 255 || t != sio.Event && t != sio.BinaryEvent {
		return nil, fmt.Errorf("nodewire: a packet of type %d: want an event", p.Type)
	}
	namespace := "/"
	if p.Namespace != nil {
		namespace = *p.Namespace
	}
	e, err := c.event(p.Data)
	if err != nil {
		return nil, err
	}
	e.Audience, e.Attachments = opts.audience(namespace), attachments
	e.Volatile, e.Plain = opts.Flags.Volatile, opts.Flags.Plain
	return e, nil
}

// event splits name and arguments, and checks both as a client's.
func (c codec) event(data jsontext.Value) (*cluster.Emit, error) {
	name, args, err := sio.ParseEvent(data, c.limits)
	if err != nil {
		return nil, fmt.Errorf("nodewire: %w", err)
	}
	return &cluster.Emit{Event: name, Data: join(args)}, nil
}

// join makes one JSON array of values.
func join(values []json.RawMessage) json.RawMessage {
	size := 2
	for _, v := range values {
		size += len(v) + 1
	}
	out := append(make(json.RawMessage, 0, size), '[')
	for i, v := range values {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, v...)
	}
	return append(out, ']')
}

// eventData is event's counterpart: the JSON array that begins with the name.
func eventData(e *cluster.Emit) json.RawMessage {
	data, err := jsontext.AppendQuote([]byte{'['}, e.Event)
	if err != nil { // invalid UTF-8, which no client's handler can be for
		data, _ = jsontext.AppendQuote([]byte{'['}, string(bytes.ToValidUTF8([]byte(e.Event), []byte("\uFFFD"))))
	}
	args := bytes.TrimSpace(e.Data)
	if len(args) < 2 {
		return append(data, ']')
	}
	if args = bytes.TrimSpace(args[1 : len(args)-1]); len(args) > 0 {
		data = append(append(data, ','), args...)
	}
	return append(data, ']')
}

// appendBroadcast writes a broadcast.
func appendBroadcast(dst []byte, uid string, e *cluster.Emit) ([]byte, error) {
	dst = msgp.AppendArrayHeader(dst, 3)
	dst = msgp.AppendString(dst, uid)
	dst, err := appendPacket(dst, e)
	if err != nil {
		return nil, err
	}
	return appendOptions(dst, e, 0), nil
}

// appendQuestion writes the request for an event with acks.
func appendQuestion(dst []byte, uid, requestID string, e *cluster.Emit, timeout time.Duration) ([]byte, error) {
	dst = msgp.AppendMapHeader(dst, 5)
	dst = msgp.AppendString(msgp.AppendString(dst, "uid"), uid)
	dst = msgp.AppendString(msgp.AppendString(dst, "requestId"), requestID)
	dst = msgp.AppendUint64(msgp.AppendString(dst, "type"), uint64(kindBroadcast))
	dst, err := appendPacket(msgp.AppendString(dst, "packet"), e)
	if err != nil {
		return nil, err
	}
	return appendOptions(msgp.AppendString(dst, "opts"), e, timeout), nil
}

// appendAck writes the response that carries the first argument of a client's ack. Without one it is
// left out, as undefined is.
func appendAck(dst []byte, requestID string, args json.RawMessage, attachments [][]byte) ([]byte, error) {
	values, err := sio.ParseArgs(args, sio.Limits{})
	if err != nil {
		return nil, err
	}
	dst = msgp.AppendMapHeader(dst, uint32(2+min(1, len(values))))
	dst = msgp.AppendUint64(msgp.AppendString(dst, "type"), uint64(kindAck))
	dst = msgp.AppendString(msgp.AppendString(dst, "requestId"), requestID)
	if len(values) == 0 {
		return dst, nil
	}
	return msgpack.AppendValue(msgp.AppendString(dst, "packet"), msgpack.Value{JSON: values[0], Attachments: attachments})
}

// appendPacket writes the type EVENT also when there are binary values: Node's adapters make nonsense of
// the other.
func appendPacket(dst []byte, e *cluster.Emit) ([]byte, error) {
	dst = msgp.AppendMapHeader(dst, 3)
	dst = msgp.AppendUint64(msgp.AppendString(dst, "type"), uint64(sio.Event))
	dst, err := msgpack.AppendValue(msgp.AppendString(dst, "data"), msgpack.Value{JSON: eventData(e), Attachments: e.Attachments})
	if err != nil {
		return nil, fmt.Errorf("nodewire: event %q: %w", e.Event, err)
	}
	return msgp.AppendString(msgp.AppendString(dst, "nsp"), e.Namespace), nil
}

func appendOptions(dst []byte, e *cluster.Emit, timeout time.Duration) []byte {
	opts := optionsOf(e.Audience)
	dst = msgp.AppendMapHeader(dst, 3)
	dst = appendNames(msgp.AppendString(dst, "rooms"), opts.Rooms)
	dst = appendNames(msgp.AppendString(dst, "except"), opts.Except)
	dst = msgp.AppendString(dst, "flags")
	var members []byte
	n := uint32(0)
	if e.Volatile {
		n, members = n+1, msgp.AppendBool(msgp.AppendString(members, "volatile"), true)
	}
	if e.Plain {
		n, members = n+1, msgp.AppendBool(msgp.AppendString(members, "compress"), false)
	}
	if timeout > 0 {
		n, members = n+1, msgp.AppendUint64(msgp.AppendString(members, "timeout"), uint64(max(1, timeout.Milliseconds())))
	}
	return append(msgp.AppendMapHeader(dst, n), members...)
}

func appendNames(dst []byte, list names) []byte {
	dst = msgp.AppendArrayHeader(dst, uint32(len(list)))
	for _, s := range list {
		dst = msgp.AppendString(dst, s)
	}
	return dst
}
