package core

import (
	"errors"
	"strconv"
	"time"

	"github.com/siokit/siokit/engineio"
	"github.com/siokit/siokit/wire/sio"
)

// An offset says how many events a namespace had sent to its clients: a client that comes back names
// the one it received last.
type offset uint64

// The text of an offset has always the same length, so that an event can be encoded before it is
// known which one it will be. It is longer than any number of events.
const (
	offsetDigits = 10
	noOffset     = "----------"
)

func (o offset) append(dst []byte) []byte {
	digits := strconv.AppendUint(nil, uint64(o), 36)
	dst = append(dst, noOffset[:offsetDigits-len(digits)]...)
	return append(dst, digits...)
}

var errOffset = errors.New("core: not an offset of this server")

func parseOffset(s string) (offset, error) {
	if s == "" {
		return 0, nil
	}
	if len(s) != offsetDigits {
		return 0, errOffset
	}
	i := 0
	for i < len(s) && s[i] == '-' {
		i++
	}
	n, err := strconv.ParseUint(s[i:], 36, 64)
	if err != nil || string(offset(n).append(nil)) != s {
		return 0, errOffset
	}
	return offset(n), nil
}

// logged is an event that was sent to clients.
type logged struct {
	at      offset
	sent    time.Time
	message *engineio.Message
	all     bool // the audience, as in Broadcast
	rooms   []string
	except  []string
	sender  string // id of the socket that is left out
}

// packetLog holds the last events of a namespace, in order. It is guarded by recovery.mu.
type packetLog struct {
	events  []logged
	head    int
	bytes   int
	last    offset // of the newest event
	dropped offset // of the newest event that is not kept any more
}

func (l *packetLog) add(e logged) {
	l.events = append(l.events, e)
	l.bytes += e.message.Size()
}

func (l *packetLog) kept() []logged { return l.events[l.head:] }

// prune forgets events that were sent before a time, and the oldest beyond the bounds.
func (l *packetLog) prune(before time.Time, packets, bytes int) {
	for l.head < len(l.events) {
		e := &l.events[l.head]
		if len(l.events)-l.head <= packets && l.bytes <= bytes && e.sent.After(before) {
			break
		}
		l.bytes -= e.message.Size()
		l.dropped = e.at
		*e = logged{}
		l.head++
	}
	if l.head > len(l.events)/2 {
		n := copy(l.events, l.events[l.head:])
		clear(l.events[n:])
		l.events, l.head = l.events[:n], 0
	}
}

// offsetPacket is an encoded event that waits for its offset.
type offsetPacket struct {
	frame sio.Frame
	at    int // of noOffset in frame.Data
}

func (s *Server) encodeWithOffset(ns string, ev sio.EncodedEvent) (offsetPacket, error) {
	frame, at, err := s.encoder.FrameWithOffset(make([]byte, engineio.Headroom, 128), ns, ev, noOffset)
	return offsetPacket{frame, at}, err
}

func (p offsetPacket) message(o offset) *engineio.Message {
	o.append(p.frame.Data[:p.at])
	return message(p.frame)
}
