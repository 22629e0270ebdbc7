package engineio

import (
	"encoding/base64"
	"iter"
	"unicode/utf8"

	"github.com/siokit/siokit/wire/eio"
)

// A dialect is how a client departs from plain Engine.IO 4. The handshake decides it, and it holds
// for the whole session, also after an upgrade. A plain client has none: its methods work on nil.
type dialect struct {
	revision3  bool   // Engine.IO 3: the client pings, and payloads have another form
	base64Only bool   // the client cannot read binary frames and bodies
	jsonp      string // its polls are scripts that call ___eio[jsonp]; "" when they are not
}

func (q query) dialect() *dialect {
	if !q.revision3 && !q.base64 && q.jsonp == "" {
		return nil
	}
	// A script is text, whatever the client says.
	return &dialect{revision3: q.revision3, base64Only: q.base64 || q.jsonp != "", jsonp: q.jsonp}
}

// v3 reports whether the client speaks Engine.IO 3.
func (d *dialect) v3() bool { return d != nil && d.revision3 }

// script returns the index of the function that the client's polls call, "" for other clients.
func (d *dialect) script() string {
	if d == nil {
		return ""
	}
	return d.jsonp
}

// acceptsBinaryBodies reports whether the client may POST application/octet-stream.
func (d *dialect) acceptsBinaryBodies() bool { return d.v3() && d.jsonp == "" }

// frame reads one WebSocket message.
func (d *dialect) frame(binary bool, data []byte) (eio.Packet, error) {
	switch {
	case d.v3() && binary:
		return eio.DecodeBinary3(data)
	case d.v3():
		return eio.Decode3(data)
	case binary:
		return eio.Packet{Type: eio.Message, Binary: true, Data: data}, nil
	}
	return eio.Decode(data)
}

// packets iterates over the body of a POST.
func (d *dialect) packets(body []byte, binary bool) (iter.Seq2[eio.Packet, error], error) {
	if d.acceptsBinaryBodies() && binary {
		return eio.BinaryPackets3(body), nil
	}
	if d.script() != "" {
		var err error
		if body, err = eio.DecodeJSONP(body); err != nil {
			return nil, err
		}
	}
	body = validUTF8(body)
	if d.v3() {
		return eio.Packets3(body), nil
	}
	return eio.Packets(body), nil
}

// takeForeignPayload is takePayload for a client that has a dialect.
func (c *Conn) takeForeignPayload(body []byte, binary bool) {
	packets, err := c.dialect.packets(body, binary)
	if err != nil {
		c.endInput(ParseError, err)
		return
	}
	for p, err := range packets {
		if binary && !p.Binary {
			p.Data = validUTF8(p.Data)
		}
		if !c.takeNext(p, err) {
			return
		}
	}
}

// validUTF8 replaces each bad byte by U+FFFD, as a browser decodes.
func validUTF8(text []byte) []byte {
	if utf8.Valid(text) {
		return text
	}
	return []byte(string([]rune(string(text))))
}

// appendAttachments appends binary messages as WebSocket frames.
func (d *dialect) appendAttachments(dst []byte, attachments [][]byte) []byte {
	for _, a := range attachments {
		switch {
		case d == nil || !d.revision3 && !d.base64Only:
			dst = append(appendHeader(dst, opBinary, len(a)), a...)
		case !d.base64Only:
			dst = eio.AppendBinary3(appendHeader(dst, opBinary, 1+len(a)), a)
		case d.revision3:
			dst = appendHeader(dst, opText, 2+base64.StdEncoding.EncodedLen(len(a)))
			dst = eio.Append3(dst, eio.Packet{Type: eio.Message, Binary: true, Data: a})
		default:
			dst = appendHeader(dst, opText, 1+base64.StdEncoding.EncodedLen(len(a)))
			dst = eio.Append(dst, eio.Packet{Type: eio.Message, Binary: true, Data: a})
		}
	}
	return dst
}

// appendPayload appends the answer to a poll.
func (d *dialect) appendPayload(dst []byte, batch []*Message) []byte {
	start := len(dst)
	if d.v3() {
		dst = d.appendPayload3(dst, batch)
	} else {
		for _, m := range batch {
			dst = m.appendPayload(dst)
		}
	}
	if d.script() != "" {
		payload := append([]byte(nil), dst[start:]...)
		dst = eio.AppendJSONP(dst[:start], d.jsonp, payload)
	}
	return dst
}

// appendPayload3 is binary as a whole as soon as one packet is.
func (d *dialect) appendPayload3(dst []byte, batch []*Message) []byte {
	appendTo := eio.AppendPayload3
	for _, m := range batch {
		if (m.binary || len(m.attachments) > 0) && !d.base64Only {
			appendTo = eio.AppendBinaryPayload3
			break
		}
	}
	for _, m := range batch {
		if m.binary {
			dst = appendTo(dst, eio.Packet{Type: eio.Message, Binary: true, Data: m.data()})
		} else {
			text := m.text()
			dst = appendTo(dst, eio.Packet{Type: eio.Type(text[0] - '0'), Data: text[1:]})
		}
		for _, a := range m.attachments {
			dst = appendTo(dst, eio.Packet{Type: eio.Message, Binary: true, Data: a})
		}
	}
	return dst
}

var (
	headerBinary = []string{"application/octet-stream"}
	headerScript = []string{"text/javascript; charset=UTF-8"} // browsers run no other under nosniff
)

// contentType returns the type of an answer that appendPayload made. A text payload of Engine.IO 3
// begins with a digit, a binary one with the byte 0 or 1.
func (d *dialect) contentType(payload []byte) []string {
	switch {
	case d == nil:
		return headerPayload
	case d.jsonp != "":
		return headerScript
	case d.revision3 && len(payload) > 0 && payload[0] < '0':
		return headerBinary
	}
	return headerPayload
}
