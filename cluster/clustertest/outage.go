package clustertest

import (
	"context"
	"encoding/binary"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siokit/siokit/cluster"
)

// lines counts what a bus logs.
type lines struct {
	mu   sync.Mutex
	text []string // guarded by mu
}

func (l *lines) Enabled(context.Context, slog.Level) bool { return true }
func (l *lines) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *lines) WithGroup(string) slog.Handler            { return l }
func (l *lines) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := r.Level.String() + " " + r.Message
	r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	l.text = append(l.text, text)
	return nil
}

func (l *lines) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.text, "\n")
}

func (l *lines) count(prefix string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.text {
		if strings.HasPrefix(line, prefix) {
			n++
		}
	}
	return n
}

// atOnce fails when calls have blocked. Half of them must take 20 ms at most: a busy machine may interrupt
// the rest, and a bus that blocks blocks more than those, for as long as the broker is away.
func atOnce(t *testing.T, n int, call func(i int)) {
	t.Helper()
	took := make([]time.Duration, n)
	for i := range took {
		start := time.Now()
		call(i)
		took[i] = time.Since(start)
	}
	slices.Sort(took)
	if took[n/2] > 20*time.Millisecond || took[n-1] > 10*time.Second {
		t.Errorf("Publish takes %s, at most %s: it must not wait for the broker", took[n/2], took[n-1])
	}
}

// F-08: the broker stands still with its connections open.
func (s *suite) frozen(t *testing.T) {
	broker, ok := s.opts.Broker.(freezer)
	if !ok {
		t.Skip("this broker cannot be frozen")
	}
	name := channel()
	from, to := s.bus(t, Settings{Channel: name}), s.bus(t, Settings{Channel: name})
	var got atomic.Uint64
	subscribe(t, to, func(msg []byte) { got.Store(max(got.Load(), binary.BigEndian.Uint64(msg))) })
	publish(t, from, binary.BigEndian.AppendUint64(nil, 1))
	until(t, "a message", func() bool { return got.Load() == 1 })
	broker.Freeze(t)
	thaw := sync.OnceFunc(func() { broker.Thaw(t) })
	defer thaw()
	atOnce(t, 2000, func(i int) {
		publish(t, from, append(binary.BigEndian.AppendUint64(nil, uint64(i+2)), make([]byte, 2000)...))
	})
	thaw()
	until(t, "everything after the thaw", func() bool { return got.Load() == 2001 })
}

// F-08: the broker is killed and comes back, with SIOKIT_SOAK after a minute with 1,000 events a second. Local calls do not notice; what is lost is counted; nothing comes
// twice or in another order; each change is logged once; and messages go both ways soon after.
func (s *suite) outage(t *testing.T) {
	if s.opts.Broker == nil {
		t.Skip("no Options.Broker")
	}
	name := channel()
	var logs [2]lines
	busA := s.bus(t, Settings{Channel: name, Logger: slog.New(&logs[0])})
	busB := s.bus(t, Settings{Channel: name, Logger: slog.New(&logs[1])})
	a, _ := s.node(t, busA, "A", cluster.Options{})
	b, atB := s.node(t, busB, "B", cluster.Options{})
	know(t, a, 1)
	know(t, b, 1)

	next := 0 // the number of the next event
	emit := func() {
		a.Emit(&cluster.Emit{Audience: everyone(), Event: "n", Data: []byte("[" + strconv.Itoa(next) + "]")})
		next++
	}
	got := map[int]bool{}
	last := -1
	read := func() { // what has arrived at B
		for len(atB.calls) > 0 {
			text := strings.TrimSuffix(strings.TrimPrefix(<-atB.calls, "emit n / * ["), "]")
			n, err := strconv.Atoi(text)
			if err != nil || n <= last {
				t.Errorf("event %s came after %d", text, last)
			}
			got[n], last = true, n
		}
	}
	for range 100 {
		emit()
	}
	until(t, "events before the outage", func() bool { read(); return last == 99 })
	if len(got) != 100 {
		t.Fatalf("%d of 100 events arrived", len(got))
	}

	s.opts.Broker.Stop(t)
	back := sync.OnceFunc(func() { s.opts.Broker.Start(t) })
	defer back()
	atOnce(t, 1000, func(int) { emit() })
	if os.Getenv("SIOKIT_SOAK") != "" {
		for range 60 {
			time.Sleep(time.Second)
			atOnce(t, 1000, func(int) { emit() })
		}
		if busA.Dropped() == 0 && !s.opts.NoLog {
			t.Error("61,000 events without a broker, and none is counted as dropped")
		}
	}
	until(t, "both buses notice", func() bool { return busA.Healthy() != nil && busB.Healthy() != nil })
	late, heard := s.startDuringOutage(t, name)
	back()

	started, after := time.Now(), next
	for last < after || (late != nil && heard.Load() == 0) {
		if time.Since(started) > patience {
			t.Fatalf("no event since the broker is back: %v, %v", busA.Healthy(), busB.Healthy())
		}
		emit()
		time.Sleep(20 * time.Millisecond)
		read()
	}
	if took := time.Since(started); took > s.opts.Recovery {
		t.Errorf("messages go both ways %s after the broker is back, want %s at most", took, s.opts.Recovery)
	} else {
		t.Logf("messages go both ways %s after the broker is back", took)
	}
	until(t, "both buses are healthy", func() bool { return busA.Healthy() == nil && busB.Healthy() == nil })
	for range 1000 {
		emit()
	}
	until(t, "events after the outage", func() bool { read(); return last == next-1 })
	for n := next - 1000; n < next; n++ {
		if !got[n] {
			t.Errorf("event %d was lost after everything was well again", n)
			break
		}
	}
	missing, st := int64(next-len(got)), b.Stats()
	t.Logf("%d of %d events were lost; A dropped %d, B %+v", missing, next, busA.Dropped(), st)
	if missing > st.Lost { // what A dropped shows as a gap too
		t.Errorf("%d events were lost, and B counts only %d", missing, st.Lost)
	}
	for i := range logs {
		if s.opts.NoLog {
			break
		}
		// A bus may be healthy a moment before it says so.
		for deadline := time.Now().Add(patience); logs[i].count("ERROR") != logs[i].count("INFO") && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
		if down, up := logs[i].count("ERROR"), logs[i].count("INFO"); down < 1 || down > 2 || up != down {
			t.Errorf("one outage, two directions, and these lines:\n%s", logs[i].all())
		}
	}
}

// startDuringOutage starts buses while the broker is away: one may not, and one must. heard counts what
// the latter receives.
func (s *suite) startDuringOutage(t *testing.T, name string) (late cluster.Bus, heard *atomic.Int64) {
	strict := s.bus(t, Settings{Channel: name})
	if err := trySubscribe(t, strict, func([]byte) {}); err == nil {
		t.Error("Subscribe succeeds without a broker")
	}
	if s.opts.NoLog {
		return nil, nil
	}
	heard = new(atomic.Int64)
	late = s.bus(t, Settings{Channel: name, StartWithoutBroker: true})
	if err := trySubscribe(t, late, func([]byte) { heard.Add(1) }); err != nil {
		t.Errorf("Subscribe with StartWithoutBroker: %v", err)
	}
	if late.Healthy() == nil {
		t.Error("healthy without a broker")
	}
	return late, heard
}
