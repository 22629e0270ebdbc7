package delivery

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"
)

// patience is how long Want waits for the next message. It is long: machines are busy.
const patience = 30 * time.Second

// A Ledger judges what one receiver gets: in each stream of each sender the numbers are strictly increasing
// and without a gap, and every message has come as it was sent. All methods may be called concurrently.
type Ledger struct {
	repeats bool

	mu      sync.Mutex
	streams map[string]*stream // guarded by mu
	breaks  int                // guarded by mu
	head    *Message           // of Frame, whose attachments are due; guarded by mu
	got     int                // messages, without repeats; guarded by mu
	lost    int                // in excused gaps; guarded by mu
	again   int                // repeats; guarded by mu
	err     error              // the first mistake; guarded by mu
	changed chan struct{}      // of capacity 1
}

// stream is what has come of one.
type stream struct {
	next   int
	breaks int // of the ledger, when the last message came
}

// NewLedger returns one that forgives nothing.
func NewLedger() *Ledger {
	return &Ledger{streams: make(map[string]*stream), changed: make(chan struct{}, 1)}
}

// NewRepeating returns a ledger for delivery at least once: what has come may come again, later too, but
// nothing may be left out.
func NewRepeating() *Ledger {
	l := NewLedger()
	l.repeats = true
	return l
}

// Break notes that a connection has ended: once after it, in each stream, messages may be missing.
func (l *Ledger) Break() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.breaks++
}

// Take takes a message.
func (l *Ledger) Take(m Message) { l.Enter(m.Entry()) }

// Enter takes what a receiver elsewhere has noted.
func (l *Ledger) Enter(e Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.tell()
	l.enterLocked(e)
}

func (l *Ledger) enterLocked(e Entry) {
	if e.Parts != e.Count || e.Sum != e.Hash {
		l.failLocked("%s, %s %d: %d attachments of %d, sum %08x instead of %08x", e.Sender, e.Stream, e.Seq, e.Parts, e.Count, e.Sum, e.Hash)
		return
	}
	name := e.Sender + "\x00" + e.Stream
	s := l.streams[name]
	if s == nil {
		s = &stream{}
		l.streams[name] = s
	}
	switch {
	case e.Seq < s.next && l.repeats:
		l.again++
		return
	case e.Seq > s.next && s.breaks < l.breaks && !l.repeats:
		l.lost += e.Seq - s.next
	case e.Seq != s.next:
		l.failLocked("%s, %s: %d came where %d was due", e.Sender, e.Stream, e.Seq, s.next)
		return
	}
	s.next, s.breaks = e.Seq+1, l.breaks
	l.got++
}

// Frame takes one message of a transport; see Message.Frames.
func (l *Ledger) Frame(data []byte, binary bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.tell()
	switch {
	case binary && l.head == nil:
		l.failLocked("attachment %.60q where none was due", data)
		return
	case binary:
		l.head.Parts = append(l.head.Parts, append([]byte(nil), data...))
	case l.head != nil:
		l.failLocked("%.60q while %d of %d attachments of %s, %s %d have come", data, len(l.head.Parts), l.head.Count, l.head.Sender, l.head.Stream, l.head.Seq)
		return
	default:
		l.head = new(Message)
		if err := json.Unmarshal(data, l.head); err != nil {
			l.failLocked("%.60q: %v", data, err)
			return
		}
	}
	if len(l.head.Parts) >= l.head.Count {
		l.enterLocked(l.head.Entry())
		l.head = nil
	}
}

func (l *Ledger) failLocked(format string, args ...any) {
	if l.err == nil {
		l.err = fmt.Errorf("delivery: "+format, args...)
	}
}

func (l *Ledger) tell() {
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// Err returns the first mistake.
func (l *Ledger) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Got returns how many different messages have come.
func (l *Ledger) Got() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.got
}

// Lost returns how many are missing in gaps that a Break excuses.
func (l *Ledger) Lost() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost
}

// Repeats returns how many messages have come again; only a ledger of NewRepeating allows any.
func (l *Ledger) Repeats() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.again
}

// Next returns the number that is due in a stream.
func (l *Ledger) Next(sender, name string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.streams[sender+"\x00"+name]; s != nil {
		return s.next
	}
	return 0
}

// Await waits until n messages have come. It returns the first mistake, which one message more is too, and
// an error if nothing comes for a while. Only one goroutine may wait.
func (l *Ledger) Await(n int) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		got, err := l.Got(), l.Err()
		switch {
		case err != nil:
			return err
		case got > n:
			return fmt.Errorf("delivery: %d messages came, sent were %d", got, n)
		case got == n:
			return nil
		}
		select {
		case <-l.changed:
			timer.Reset(patience)
		case <-timer.C:
			return fmt.Errorf("delivery: %d messages of %d, and nothing more for %s", got, n, patience)
		}
	}
}

// Want is Await, and stops the test on an error.
func (l *Ledger) Want(t testing.TB, n int) {
	t.Helper()
	if err := l.Await(n); err != nil {
		t.Fatal(err)
	}
}
