package sio

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// parseHeader splits a text message:
//
//	<type>[<attachments>-][<namespace>,][<ack id>][<payload>]
//
// Every step looks at a bounded number of bytes or goes forward only, so that a
// megabyte of digits costs no more than a megabyte of anything else.
func parseHeader(msg []byte, limits *Limits) (p Packet, attachments int, err error) {
	if len(msg) == 0 {
		return Packet{}, 0, errors.New("sio: empty message: a packet begins with a type digit 0 to 6")
	}
	p.Type = Type(msg[0] - '0')
	if p.Type > BinaryAck {
		return Packet{}, 0, fmt.Errorf("sio: unknown packet type %q: want a digit 0 to 6", msg[0])
	}
	rest := msg[1:]
	if p.Type >= BinaryEvent {
		if attachments, rest, err = parseAttachments(rest, limits.attachments()); err != nil {
			return Packet{}, 0, err
		}
	}
	p.Namespace = "/"
	if len(rest) > 0 && rest[0] == '/' {
		if p.Namespace, rest, err = parseNamespace(rest, limits.namespace()); err != nil {
			return Packet{}, 0, err
		}
	}
	if len(rest) > 0 && isDigit(rest[0]) {
		if p.ID, rest, err = parseID(rest); err != nil {
			return Packet{}, 0, err
		}
		p.HasID = true
	}
	switch p.Type {
	case Connect, Disconnect, ConnectError:
		p.ID, p.HasID = 0, false
	}
	if len(rest) > 0 {
		p.Data = rest
	}
	return p, attachments, nil
}

// parseAttachments reads "<count>-": digits only, no leading zero. JavaScript's Number
// would also take "0x1", " 1" and "1e1"; no client sends those.
func parseAttachments(rest []byte, limit int) (n int, after []byte, err error) {
	i := 0
	for ; i < len(rest) && i < 9 && isDigit(rest[i]); i++ {
		n = n*10 + int(rest[i]-'0')
	}
	if i == 0 || rest[0] == '0' || i == len(rest) || rest[i] != '-' {
		return 0, nil, errors.New("sio: a binary packet must begin with its number of attachments and a dash, such as 51-")
	}
	if n > limit {
		return 0, nil, fmt.Errorf("sio: a packet announces %d attachments, the limit is %d: raise Limits.Attachments or send less at once", n, limit)
	}
	return n, rest[i+1:], nil
}

// parseNamespace reads a name up to the comma or the end of the message.
func parseNamespace(rest []byte, limit int) (ns string, after []byte, err error) {
	head := rest[:min(len(rest), limit+1)]
	end := bytes.IndexByte(head, ',')
	after = rest[len(head):]
	switch {
	case end >= 0:
		after = rest[end+1:]
	case len(head) > limit:
		return "", nil, fmt.Errorf("sio: a namespace is longer than %d bytes, it begins with %q", limit, head[:limit])
	default:
		end = len(head)
	}
	if end == 1 {
		return "/", after, nil
	}
	ns = string(rest[:end])
	if !utf8.ValidString(ns) {
		// The name is echoed in text frames, which must be UTF-8.
		ns = strings.ToValidUTF8(ns, "\uFFFD")
	}
	return ns, after, nil
}

// parseID reads an ack id. Leading zeros are fine: "4312[...]" is id 12.
func parseID(rest []byte) (id int64, after []byte, err error) {
	const maxDigits = 16 // of MaxID
	i := 0
	for ; i < len(rest) && isDigit(rest[i]); i++ {
		if i == maxDigits {
			return 0, nil, fmt.Errorf("sio: an ack id has more than %d digits", maxDigits)
		}
		id = id*10 + int64(rest[i]-'0')
	}
	if id > MaxID {
		return 0, nil, fmt.Errorf("sio: ack id %d is larger than 2^53-1", id)
	}
	return id, rest[i:], nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
