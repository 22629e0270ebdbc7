//go:build linux

package main

import (
	"bytes"
	"fmt"
)

// echo sends events that ask for an acknowledgement and counts the
// acknowledgements. Each client has depth of them in flight: it sends that many
// in one write and the next ones when all have been answered, so every server
// gets the same bytes in the same bursts.
type echo struct {
	clients, depth int

	talkers []*talker
	stopped bool
	count   int64
	flying  int
}

// talker is one client of echo.
type talker struct {
	*socket
	e        *echo
	number   int    // ack id of the first frame of the current burst
	burst    []byte // depth frames
	ids      []int  // where in burst their ack ids are
	want     []byte // the next acknowledgement
	expected int    // its number
	missing  int    // how many of the burst have not been answered
}

// The digits of the ack id stand behind the two of the packet types.
const ackIDAt = 2

func (e *echo) open(l *loop) error {
	sockets, err := l.connectAll(e.clients, nil)
	if err != nil {
		return err
	}
	for i, s := range sockets {
		t := &talker{socket: s, e: e, number: firstNumber, expected: firstNumber}
		body := say(i, firstNumber)
		for range e.depth {
			frame := appendFrame(nil, opText, fmt.Appendf(nil, `42%d["echo",%s]`, firstNumber, body))
			t.ids = append(t.ids, len(t.burst)+bytes.Index(frame, fmt.Appendf(nil, `42%d`, firstNumber))+ackIDAt)
			t.burst = append(t.burst, frame...)
		}
		t.want = fmt.Appendf(nil, `43%d[%s]`, firstNumber, body)
		s.received = t.acknowledged
		e.talkers = append(e.talkers, t)
	}
	return nil
}

func (e *echo) start() error {
	for _, t := range e.talkers {
		if err := t.send(); err != nil {
			return err
		}
	}
	return nil
}

func (t *talker) send() error {
	for _, at := range t.ids {
		setNumber(t.burst[at:], t.number)
		t.number = nextNumber(t.number)
	}
	t.missing = t.e.depth
	t.e.flying += t.e.depth
	return t.write(t.burst)
}

func (t *talker) acknowledged(msg []byte) error {
	setNumber(t.want[ackIDAt:], t.expected)
	if t.missing == 0 || !bytes.Equal(msg, t.want) {
		return fmt.Errorf("bench: echo: got %q, want %q with %d outstanding", msg, t.want, t.missing)
	}
	t.expected = nextNumber(t.expected)
	t.missing--
	t.e.flying--
	t.e.count++
	if t.missing > 0 || t.e.stopped {
		return nil
	}
	return t.send()
}

func (e *echo) stop()           { e.stopped = true }
func (e *echo) finished() int64 { return e.count }
func (e *echo) pending() int    { return e.flying }
func (e *echo) part() error     { return nil }
