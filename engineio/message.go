package engineio

import (
	"encoding/binary"

	"github.com/siokit/siokit/wire/eio"
)

// Headroom is the space that a caller of NewMessage leaves at the start of its buffer, for the
// frame header and the packet type.
const Headroom = maxHeader + 1

const maxHeader = 10 // longest header of an unmasked WebSocket frame

// A Message is one Engine.IO message, or a text with the binary attachments that must follow it
// at once, encoded for both transports. It is immutable after NewMessage and may be sent to any
// number of connections: they share its bytes.
type Message struct {
	buf         []byte // headroom, then the text packet, type digit first
	attachments [][]byte
	size        int // bytes it counts for in an outbox

	start        uint8 // where the WebSocket frame begins in buf
	uncompressed bool  // see Uncompressed
}

// NewMessage makes the message whose text is buf[Headroom:]. It takes over buf and the
// attachments: the caller must not change them afterwards.
func NewMessage(buf []byte, attachments ...[]byte) *Message {
	return newPacket(eio.Message, buf, attachments)
}

// Uncompressed returns the same message for transports that compress, with the wish not to: for
// data that is compressed already. The bytes are shared.
func (m *Message) Uncompressed() *Message {
	plain := *m
	plain.uncompressed = true
	return &plain
}

func newPacket(t eio.Type, buf []byte, attachments [][]byte) *Message {
	buf[maxHeader] = '0' + byte(t)
	m := &Message{buf: buf, attachments: attachments}
	var head [maxHeader]byte
	h := appendHeader(head[:0], opText, len(buf)-maxHeader)
	m.start = uint8(maxHeader - len(h))
	copy(buf[m.start:], h)
	m.size = len(buf) - int(m.start)
	for _, a := range attachments {
		m.size += len(a) + maxHeader
	}
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
	return &Message{buf: frame, size: len(frame)}
}

// Size is how many bytes the message counts for in an outbox.
func (m *Message) Size() int { return m.size }

func (m *Message) packets() int { return 1 + len(m.attachments) }

// text is the packet as polling sends it.
func (m *Message) text() []byte { return m.buf[maxHeader:] }

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
	dst = append(dst, m.buf[m.start:]...)
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
	dst = append(dst, m.text()...)
	for _, a := range m.attachments {
		dst = append(dst, eio.Separator)
		dst = eio.Append(dst, eio.Packet{Type: eio.Message, Binary: true, Data: a})
	}
	return dst
}
