package engineio

import (
	"compress/flate"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// Deflate switches on permessage-deflate (RFC 7692), the compression of WebSocket messages, for
// clients that offer it: browsers do. It trades CPU for bandwidth, and borrows about 1.2 MB for each
// message that is being compressed and 40 KB for each that is being read, but nothing for idle
// connections: each message is compressed on its own, without the context of earlier ones. A
// message to many clients is compressed once, by whoever writes it first, and those who did not
// negotiate compression get the uncompressed bytes, which are shared too.
//
// What a client sends may inflate to MaxPayload at most, whatever it weighs on the wire.
//
// Compression shows in the length of a message. Where a message carries a secret beside text that
// somebody else can choose, and that somebody can watch the wire, send it with Message.Uncompressed.
//
// In DialOptions it makes a client offer the same. Each message is then compressed when it is written, and
// what the server sends may inflate to DialOptions.MaxMessage.
type Deflate struct {
	// Threshold is the smallest frame, in bytes, that is compressed; attachments are frames of their
	// own. Default 1,024, as in Node. A frame that does not shrink is sent as it is.
	Threshold int
	// Level is 1 (fastest) to 9 (smallest). Default 1; Node's default corresponds to 6.
	Level int
}

// withDefaults returns a copy, so that a program's later change cannot reach running goroutines.
func (d *Deflate) withDefaults() (*Deflate, error) {
	if d == nil {
		return nil, nil
	}
	c := *d
	if c.Threshold == 0 {
		c.Threshold = 1024
	}
	if c.Level == 0 {
		c.Level = flate.BestSpeed
	}
	if c.Threshold < 1 {
		return nil, fmt.Errorf("engineio: PerMessageDeflate.Threshold must be at least 1 byte, got %d; leave PerMessageDeflate nil for no compression", c.Threshold)
	}
	if c.Level < flate.BestSpeed || c.Level > flate.BestCompression {
		return nil, fmt.Errorf("engineio: PerMessageDeflate.Level must be 1 to 9, got %d", c.Level)
	}
	return &c, nil
}

const permessageDeflate = "permessage-deflate"

// negotiateDeflate returns r as gorilla should see it, and whether compression was agreed on.
// gorilla takes any offer, also one with parameters that it then does not keep. The frames of a client
// with a dialect are its own, and not compressed.
func (cfg *Config) negotiateDeflate(r *http.Request, foreign bool) (*http.Request, bool) {
	if cfg.PerMessageDeflate == nil || foreign || !offersDeflate(r.Header) {
		return r, false
	}
	agreed := *r
	agreed.Header = r.Header.Clone()
	agreed.Header.Set("Sec-Websocket-Extensions", permessageDeflate)
	return &agreed, true
}

func offersDeflate(h http.Header) bool {
	for _, v := range h["Sec-Websocket-Extensions"] {
		for offer := range strings.SplitSeq(v, ",") {
			name, params, any := strings.Cut(offer, ";")
			if strings.TrimSpace(name) == permessageDeflate && (!any || acceptableDeflate(params)) {
				return true
			}
		}
	}
	return false
}

// agreesToDeflate reports whether a server's answer lets a client compress. A window that the server bounds,
// which it may not do unasked, would not be kept.
func agreesToDeflate(h http.Header) bool {
	for _, v := range h["Sec-Websocket-Extensions"] {
		for agreed := range strings.SplitSeq(v, ",") {
			name, params, _ := strings.Cut(agreed, ";")
			if strings.TrimSpace(name) == permessageDeflate {
				return !strings.Contains(params, "client_max_window_bits")
			}
		}
	}
	return false
}

// acceptableDeflate judges the parameters of one offer (RFC 7692, 7.1). Ours is a window of 15 bits:
// an offer that asks the server for less is declined, and so is one that is malformed.
func acceptableDeflate(params string) bool {
	var seen [4]bool
	for param := range strings.SplitSeq(params, ";") {
		name, value, hasValue := strings.Cut(param, "=")
		value = strings.Trim(strings.TrimSpace(value), `"`)
		bits, err := strconv.Atoi(value)
		windowBits := err == nil && bits >= 8 && bits <= 15 && value[0] != '0'
		var i int
		ok := false
		switch strings.TrimSpace(name) {
		case "server_no_context_takeover":
			i, ok = 0, !hasValue
		case "client_no_context_takeover":
			i, ok = 1, !hasValue
		case "server_max_window_bits":
			i, ok = 2, windowBits && bits == 15
		case "client_max_window_bits":
			i, ok = 3, !hasValue || windowBits
		}
		if !ok || seen[i] {
			return false
		}
		seen[i] = true
	}
	return true
}

// rsv1 marks the first frame of a compressed message.
const rsv1 = 0x40

// deflated are the frames of a message with those compressed that are worth it. They are made by
// the first who needs them and shared from then on.
type deflated struct {
	once   sync.Once
	frames []byte
}

// Uncompressed returns m as a message that is compressed on no transport. It shares the bytes of m.
// The answer to a poll that carries such a message is not compressed at all.
func (m *Message) Uncompressed() *Message {
	return &Message{buf: m.buf, start: m.start, attachments: m.attachments, size: m.size, plain: true, binary: m.binary}
}

// worthDeflating reports whether any frame of m reaches the threshold.
func (m *Message) worthDeflating(threshold int) bool {
	if m.plain {
		return false
	}
	if _, payload := m.payload(); len(payload) >= threshold {
		return true
	}
	for _, a := range m.attachments {
		if len(a) >= threshold {
			return true
		}
	}
	return false
}

// deflatedFrames returns m as WebSocket frames for clients that inflate. They must not be changed.
func (m *Message) deflatedFrames(d *Deflate) []byte {
	shared := m.deflated.Load()
	if shared == nil {
		shared = &deflated{}
		if !m.deflated.CompareAndSwap(nil, shared) {
			shared = m.deflated.Load()
		}
	}
	shared.once.Do(func() {
		op, payload := m.payload()
		shared.frames = d.appendFrame(nil, op, payload)
		for _, a := range m.attachments {
			shared.frames = d.appendFrame(shared.frames, opBinary, a)
		}
	})
	return shared.frames
}

var flateWriters [flate.BestCompression + 1]sync.Pool // by level

// appendFrame appends one frame, compressed if that makes it smaller.
func (d *Deflate) appendFrame(dst []byte, op byte, payload []byte) []byte {
	op, payload, buf := d.compress(op, payload)
	defer buf.release()
	return append(appendHeader(dst, op, len(payload)), payload...)
}

// appendMaskedFrame is appendFrame for what a client sends.
func (d *Deflate) appendMaskedFrame(dst []byte, op byte, payload []byte) []byte {
	op, payload, buf := d.compress(op, payload)
	defer buf.release()
	return appendMasked(dst, op, payload)
}

// compress returns what a frame carries: payload itself, if it is not worth compressing. The result is valid
// until buf is released.
func (d *Deflate) compress(op byte, payload []byte) (byte, []byte, *buffer) {
	if len(payload) < d.Threshold {
		return op, payload, nil
	}
	out := borrowBuffer()
	pool := &flateWriters[d.Level]
	z, ok := pool.Get().(*flate.Writer)
	if !ok {
		z, _ = flate.NewWriter(nil, d.Level) // the level was checked
	}
	z.Reset(out)
	_, _ = z.Write(payload) // a buffer takes everything
	_ = z.Flush()
	pool.Put(z)
	// What a flush ends with is not sent (RFC 7692, 7.2.1).
	if n := len(out.b) - len("\x00\x00\xff\xff"); n < len(payload) {
		return op | rsv1, out.b[:n], out
	}
	return op, payload, out
}

// appendFrames appends m as this client wants it.
func (s *socket) appendFrames(dst []byte, m *Message) []byte {
	if s.inflate != nil {
		if d := s.conn.srv.cfg.PerMessageDeflate; m.worthDeflating(d.Threshold) {
			return append(dst, m.deflatedFrames(d)...)
		}
	}
	return m.appendFrames(dst, s.conn.dialect)
}
