package clustertest

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siokit/siokit/cluster"
	"go.uber.org/goleak"
)

// ahead is how many messages a publisher may be ahead of its slowest subscriber, so that no queue of the
// default size overflows.
const ahead = 4000

// D-06: two publishers at once reach ten subscribers: everything arrives everywhere, in each publisher's order.
func (s *suite) order(t *testing.T) {
	const publishers, subscribers = 2, 10
	name, each := channel(), int64(s.opts.Messages/publishers)
	var seen [subscribers][publishers]atomic.Int64
	var wrong atomic.Bool
	for i := range subscribers {
		subscribe(t, s.bus(t, Settings{Channel: name}), func(msg []byte) {
			from, n := msg[0], int64(binary.BigEndian.Uint64(msg[1:]))
			if next := seen[i][from].Load(); n != next && !wrong.Swap(true) {
				t.Errorf("subscriber %d got message %d of publisher %d, and %d was next", i, n, from, next)
			}
			seen[i][from].Store(n + 1)
		})
	}
	slowest := func(from int) int64 {
		least := each
		for i := range seen {
			least = min(least, seen[i][from].Load())
		}
		return least
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	var buses [publishers]cluster.Bus
	for from := range buses {
		buses[from] = s.bus(t, Settings{Channel: name})
	}
	for from, bus := range buses {
		wg.Go(func() {
			for n := range each {
				if n%500 == 0 {
					until(t, "subscribers keep up", func() bool { return wrong.Load() || slowest(from) >= n-ahead })
				}
				msg := binary.BigEndian.AppendUint64([]byte{byte(from)}, uint64(n))
				if err := bus.Publish(msg); err != nil {
					t.Errorf("Publish: %v", err)
					return
				}
			}
		})
	}
	for from, bus := range buses {
		arrived := int64(0)
		for arrived < each && !wrong.Load() && !t.Failed() { // as long as it goes on, however slowly
			last := arrived
			until(t, "all messages everywhere", func() bool {
				arrived = slowest(from)
				return arrived > last || wrong.Load() || t.Failed()
			})
		}
		if n := bus.Dropped(); n != 0 {
			t.Errorf("%d messages were dropped", n)
		}
		if err := bus.Healthy(); err != nil {
			t.Errorf("Healthy: %v", err)
		}
	}
}

// What a bus publishes comes back to it: a node for which nothing does takes itself for cut off, and tells the
// others not to wait for it.
func (s *suite) comesBack(t *testing.T) {
	bus := s.bus(t, Settings{Channel: channel()})
	got := make(chan string, 1)
	subscribe(t, bus, func(msg []byte) { got <- string(msg) })
	publish(t, bus, []byte("mine"))
	select {
	case msg := <-got:
		if msg != "mine" {
			t.Errorf("%q came back", msg)
		}
	case <-time.After(patience):
		t.Error("nothing came back")
	}
}

// channels on one broker do not hear each other, also when a name is a pattern that fits the other. A bus
// may refuse an odd name.
func (s *suite) channels(t *testing.T) {
	base := channel()
	type member struct {
		name string
		bus  cluster.Bus
		got  chan string
	}
	var members []member
	for _, tail := range []string{"", ".a", ".b", ".a.b", ".*", ".>", ".#", ".?", ".[ab]", " a", ".ü", ".u\u0308", "/a#", "*", ".a.*"} {
		m := member{base + tail, s.bus(t, Settings{Channel: base + tail}), make(chan string, 1000)}
		if err := trySubscribe(t, m.bus, func(msg []byte) { m.got <- string(msg) }); err != nil {
			if len(members) < 4 {
				t.Errorf("channel %q is refused: %v", m.name, err)
			}
			if m.bus.Publish([]byte("x")) == nil {
				t.Errorf("channel %q is refused by Subscribe and not by Publish", m.name)
			}
			continue
		}
		members = append(members, m)
	}
	t.Logf("%d of 15 names are possible", len(members))
	for range 2 { // what crossed in the first round has arrived by the end of the second
		for _, m := range members {
			publish(t, m.bus, []byte(m.name))
		}
		for _, m := range members {
			if got := <-m.got; got != m.name {
				t.Errorf("channel %q hears %q", m.name, got)
			}
		}
	}
	for _, m := range members {
		select {
		case got := <-m.got:
			t.Errorf("channel %q hears %q as well", m.name, got)
		default:
		}
	}
}

func (s *suite) anyBytes(t *testing.T) {
	name := channel()
	from, to := s.bus(t, Settings{Channel: name}), s.bus(t, Settings{Channel: name})
	got := make(chan []byte, 10)
	subscribe(t, to, func(msg []byte) { got <- msg })
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	big := make([]byte, 1_000_000)
	_, _ = rand.Read(big)
	for _, msg := range [][]byte{every, {0}, {0xff, 0xfe}, []byte("\r\n"), []byte("$5\r\nhello\r\n"), big, []byte("after")} {
		publish(t, from, slices.Clone(msg))
		if back := <-got; !bytes.Equal(back, msg) {
			t.Errorf("%d bytes came as %d others", len(msg), len(back))
		}
	}
}

// F-08c: one subscriber stands still: the others and the publishers do not notice, and it misses nothing.
func (s *suite) slowReceiver(t *testing.T) {
	const n = 2000
	name := channel()
	release := make(chan struct{})
	var slow, fast atomic.Int64
	subscribe(t, s.bus(t, Settings{Channel: name}), func(msg []byte) {
		<-release
		if got := int64(binary.BigEndian.Uint64(msg)); got != slow.Load() {
			t.Errorf("the slow subscriber got %d, and %d was next", got, slow.Load())
		}
		slow.Add(1)
	})
	defer sync.OnceFunc(func() { close(release) })()
	subscribe(t, s.bus(t, Settings{Channel: name}), func([]byte) { fast.Add(1) })
	from := s.bus(t, Settings{Channel: name})
	for i := range uint64(n) {
		publish(t, from, binary.BigEndian.AppendUint64(nil, i))
	}
	until(t, "the fast subscriber has everything", func() bool { return fast.Load() == n })
	if slow.Load() != 0 {
		t.Error("the slow subscriber was not slow")
	}
	for range n {
		release <- struct{}{}
	}
	until(t, "the slow subscriber has everything", func() bool { return slow.Load() == n })
}

// Close hands over what was published, ends what it started, and is the end.
func (s *suite) close(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Run("flushes", func(t *testing.T) {
		name := channel()
		var got atomic.Int64
		to := s.bus(t, Settings{Channel: name})
		subscribe(t, to, func([]byte) { got.Add(1) })
		if trySubscribe(t, to, func([]byte) {}) == nil {
			t.Error("Subscribe can be called twice")
		}
		from := s.bus(t, Settings{Channel: name})
		for i := range 1000 {
			publish(t, from, []byte{byte(i)})
		}
		closeBus(t, from)
		if from.Publish([]byte("late")) == nil {
			t.Error("Publish after Close has no error")
		}
		if trySubscribe(t, from, func([]byte) {}) == nil {
			t.Error("Subscribe after Close has no error")
		}
		until(t, "what was published before Close", func() bool { return got.Load() == 1000 })
		closeBus(t, to)
		other := s.bus(t, Settings{Channel: name})
		publish(t, other, []byte("nobody hears it"))
		closeBus(t, other)
		if got.Load() != 1000 {
			t.Error("a bus receives after Close")
		}
		closeBus(t, s.bus(t, Settings{Channel: name})) // never used
	})
	var left error // what a busy machine has not ended yet is no leak
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if left = goleak.Find(before); left == nil {
			return
		}
	}
	t.Error(left)
}
