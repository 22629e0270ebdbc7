package eio

import (
	"bytes"
	"iter"
)

// Separator joins the packets of a polling body: the ASCII record separator.
const Separator = 0x1e

// Packets iterates over the packets of a polling body. It stops after the first error,
// so that the packets before a broken one can still be delivered. An empty body, and a
// leading, trailing or doubled separator, yield ErrEmpty.
//
// Text packets cost no allocation and alias payload. The number of packets is not
// capped: a body of 1 MB can hold 500,000 of them, and real clients send thousands.
func Packets(payload []byte) iter.Seq2[Packet, error] {
	return func(yield func(Packet, error) bool) {
		rest := payload
		for {
			frame, more := rest, false
			if i := bytes.IndexByte(rest, Separator); i >= 0 {
				frame, rest, more = rest[:i:i], rest[i+1:], true
			}
			p, err := Decode(frame)
			if !yield(p, err) || err != nil || !more {
				return
			}
		}
	}
}
