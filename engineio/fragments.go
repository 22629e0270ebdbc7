package engineio

import (
	"errors"
	"io"
)

// fragmentGuard bounds how many frames one message may be cut into. gorilla/websocket bounds
// the bytes of a message but accepts any number of empty continuation frames. The guard sees
// only bytes: what a message cost on the wire beyond its payload is the sum of its headers, at
// least 6 bytes for each masked frame.
type fragmentGuard struct {
	raw       int64 // bytes read from the network
	start     int64 // raw when the message began, plus one; 0 between messages
	delivered int64 // payload bytes of the message so far
}

const (
	maxFragments = 16384 // as the ws package of Node
	maskedHeader = 6     // the shortest header a client may send
)

var errFragments = errors.New("too many fragments in one message")

func (g *fragmentGuard) begin() { g.start, g.delivered = g.raw+1, 0 }
func (g *fragmentGuard) end()   { g.start = 0 }

func (g *fragmentGuard) check() error {
	if g.start > 0 && g.raw+1-g.start-g.delivered > maxFragments*maskedHeader {
		return errFragments
	}
	return nil
}

// guardedReader counts the payload of a message.
type guardedReader struct {
	r io.Reader
	g *fragmentGuard
}

func (r guardedReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.g.delivered += int64(n)
	return n, err
}
