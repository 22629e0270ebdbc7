package engineio

import (
	"encoding/binary"
	"math"
	"sync/atomic"

	"github.com/siokit/siokit/wire/eio"
)

// Headroom is the space that a caller of NewMessage leaves at the start of its buffer, for the
// frame header and the packet type.
const Headroom = maxHeader + 1

const maxHeader = 10 // longest header of an unmasked WebSocket frame

// A Message is one Engine.IO message with the binary attachments, if any, that must follow it
// at once, encoded for both transports. It is immutable after NewMessage and may be sent to any
// number of connections: they share its bytes.
type Message struct {
	buf         []byte // headroom, then the text packet, type digit first, or the binary data
	attachments [][]byte
	deflated    atomic.Pointer[deflated] // nil until a client needs it
	size        uint32                   // bytes it counts for in an outbox, at most math.MaxInt32
	start       uint8                    // where the WebSocket frame begins in buf
	plain       bool                     // not to be compressed
	binary      bool                     // the message is binary, which has no type digit
}

// NewMessage makes the message whose text is buf[Headroom:]. It takes over buf and the
// attachments: the caller must not change them afterwards.
func NewMessage(buf []byte, attachments ...[]byte) *Message {
	return newPacket(eio.Message, buf, attachments)
}

// NewBinaryMessage is NewMessage for a binary message: its data is buf[Headroom:].
func NewBinaryMessage(buf []byte, attachments ...[]byte) *Message {
	m := newFrame(opBinary, buf, Headroom, attachments)
	m.binary = true
	return m
}

func newPacket(t eio.Type, buf []byte, attachments [][]byte) *Message {
	buf[maxHeader] = '0' + byte(t)
	return newFrame(opText, buf, maxHeader, attachments)
}

// newFrame puts the frame header before buf[from:].
func newFrame(op byte, buf []byte, from int, attachments [][]byte) *Message {
	m := &Message{buf: buf, attachments: attachments}
	var head [maxHeader]byte
	h := appendHeader(head[:0], op, len(buf)-from)
	m.start = uint8(from - len(h))
	copy(buf[m.start:], h)
	size := len(buf) - int(m.start)
	for _, a := range attachments {
		size += len(a) + maxHeader
	}
	m.size = uint32(min(size, math.MaxInt32))
	return m
}

// control makes a message of an engine packet that carries a short text.
func control(t eio.Type, text string) *Message {
	buf := make([]byte, Headroom, Headroom+len(text))
	return newPacket(t, append(buf, text...), nil)
}

var (
	pingMessage = control(eio.Ping, "")
	noopBatch   = []*Message{control(eio.Noop, "")}
	closeBatch  = []*Message{control(eio.Close, "")}
)

// rawFrame makes a message of bytes that already are WebSocket frames.
func rawFrame(frame []byte) *Message {
	return &Message{buf: frame, size: uint32(len(frame)), plain: true}
}

// Size is how many bytes the message counts for in an outbox.
func (m *Message) Size() int { return int(m.size) }

func (m *Message) packets() int { return 1 + len(m.attachments) }

// text is the packet of a text message as polling sends it.
func (m *Message) text() []byte { return m.buf[maxHeader:] }

// data is the data of a binary message.
func (m *Message) data() []byte { return m.buf[Headroom:] }

// payload is what a WebSocket frame of the message holds.
func (m *Message) payload() (op byte, payload []byte) {
	if m.binary {
		return opBinary, m.data()
	}
	return opText, m.text()
}

// WebSocket opcodes, with the FIN bit.
const (
	opText   = 0x81
	opBinary = 0x82
	opClose  = 0x88
)

// appendHeader appends the header of an unmasked, unfragmented frame (RFC 6455, 5.2).
func appendHeader(dst []byte, op byte, n int) []byte {
	switch {
	case n < 126:
		return append(dst, op, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, op, 126), uint16(n))
	default:
		return binary.BigEndian.AppendUint64(append(dst, op, 127), uint64(n))
	}
}

// appendFrames appends m as WebSocket frames.
func (m *Message) appendFrames(dst []byte, d *dialect) []byte {
	if m.binary && d != nil {
		dst = d.appendAttachments(dst, [][]byte{m.data()})
	} else {
		dst = append(dst, m.buf[m.start:]...)
	}
	if len(m.attachments) > 0 {
		dst = d.appendAttachments(dst, m.attachments)
	}
	return dst
}

// appendPayload appends m to a polling payload of Engine.IO 4.
func (m *Message) appendPayload(dst []byte) []byte {
	if len(dst) > 0 {
		dst = append(dst, eio.Separator)
	}
	if m.binary {
		dst = eio.Append(dst, eio.Packet{Type: eio.Message, Binary: true, Data: m.data()})
	} else {
		dst = append(dst, m.text()...)
	}
	for _, a := range m.attachments {
		dst = append(dst, eio.Separator)
		dst = eio.Append(dst, eio.Packet{Type: eio.Message, Binary: true, Data: a})
	}
	return dst
}
