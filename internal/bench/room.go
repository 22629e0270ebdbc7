//go:build linux

package main

import (
	"bytes"
	"fmt"
	"net/netip"
)

// room has one client outside a room ask for broadcasts to it, and counts the
// deliveries at the members. depth broadcasts are in flight; one is over when
// all members have it.
type room struct {
	members, depth int
	outside        netip.AddrPort // the server that the sender connects to; zero for the members'

	sender  *socket
	cast    []byte // the sender's frame
	castAt  int    // where its number is
	queued  []byte // frames for the sender's next write
	next    int    // number of the next broadcast
	sent    int64  // broadcasts asked for
	over    int64  // broadcasts that all members have
	left    []int  // of broadcast i: how many members lack it, at i % depth
	stopped bool
	count   int64 // deliveries
}

// member is one client in the room.
type member struct {
	r      *room
	want   []byte // the next broadcast
	wantAt int    // where its number is
	number int
	seen   int64 // broadcasts received
}

func (r *room) open(l *loop) error {
	members, err := l.connectAll(r.members, join)
	if err != nil {
		return err
	}
	body := say(0, firstNumber)
	for _, s := range members {
		m := &member{r: r, number: firstNumber}
		m.want = fmt.Appendf(nil, `42["board",%s]`, body)
		m.wantAt = numberAt(m.want)
		s.received = m.delivered
	}
	if r.outside.IsValid() {
		l.addr = r.outside
	}
	outside, err := l.connectAll(1, nil)
	if err != nil {
		return err
	}
	r.sender = outside[0]
	r.next = firstNumber
	r.cast = appendFrame(nil, opText, fmt.Appendf(nil, `42["cast",%s]`, body))
	r.castAt = numberAt(r.cast)
	r.left = make([]int, r.depth)
	l.quiet = r.flush
	return nil
}

// numberAt returns where the message's running number is.
func numberAt(msg []byte) int { return bytes.Index(msg, []byte(`"n":`)) + len(`"n":`) }

func (r *room) start() error {
	r.fill()
	return r.flush()
}

// fill queues as many broadcasts as may be in flight.
func (r *room) fill() {
	for !r.stopped && r.sent-r.over < int64(r.depth) {
		setNumber(r.cast[r.castAt:], r.next)
		r.next = nextNumber(r.next)
		r.left[r.sent%int64(r.depth)] = r.members
		r.sent++
		r.queued = append(r.queued, r.cast...)
	}
}

// flush writes what fill has queued, after all that has arrived was looked at.
func (r *room) flush() error {
	if len(r.queued) == 0 {
		return nil
	}
	err := r.sender.write(r.queued)
	r.queued = r.queued[:0]
	return err
}

func (m *member) delivered(msg []byte) error {
	r := m.r
	setNumber(m.want[m.wantAt:], m.number)
	if m.seen == r.sent || !bytes.Equal(msg, m.want) {
		return fmt.Errorf("bench: room: got %q, want %q with %d outstanding", msg, m.want, r.sent-m.seen)
	}
	m.number = nextNumber(m.number)
	slot := m.seen % int64(r.depth)
	m.seen++
	r.count++
	if r.left[slot]--; r.left[slot] == 0 {
		r.over++ // in order: who has this one has all before it
		r.fill()
	}
	return nil
}

func (r *room) stop()           { r.stopped = true }
func (r *room) finished() int64 { return r.count }
func (r *room) pending() int    { return int(r.sent-r.over) * r.members }
func (r *room) part() error     { return nil }
