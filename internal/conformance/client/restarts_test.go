package client_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/internal/delivery"
)

// A survivor is a client that talks while its server is restarted, and keeps account of what becomes of it.
type survivor struct {
	name string
	c    *client.Client
	here *delivery.Ledger // of what the server sends
	wg   sync.WaitGroup

	mu       sync.Mutex
	sent     map[string]int          // by stream; guarded by mu
	broken   map[string]map[int]bool // Calls that ended with ErrDisconnected, by stream; guarded by mu
	answered int                     // guarded by mu
	err      error                   // the first mistake; guarded by mu
}

func newSurvivor(t *testing.T, url, name string, opts client.Options) *survivor {
	t.Helper()
	opts.Logger = slog.New(slog.DiscardHandler)
	opts.ReconnectDelay, opts.ReconnectDelayMax = 5*time.Millisecond, 20*time.Millisecond
	opts.RetryConnect = true
	c, err := client.New(url, opts)
	if err != nil {
		t.Fatal(err)
	}
	s := &survivor{name: name, c: c, here: delivery.NewLedger(), sent: map[string]int{}, broken: map[string]map[int]bool{}}
	client.On(c, "delivered", func(_ context.Context, m delivery.Message) error { s.here.Take(m); return nil })
	c.Of("/").OnDisconnect(func(context.Context, client.Reason) { s.here.Break() })
	if err := c.Connect(patience(t)); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *survivor) fail(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = fmt.Errorf(s.name+": "+format, args...)
	}
}

// speak makes Calls, one after another, until ctx ends. Each ends with its answer, or with ErrDisconnected.
func (s *survivor) speak(ctx context.Context, stream string) {
	for seq := 0; ctx.Err() == nil; seq++ {
		s.note(stream, seq, s.call("take", delivery.New(s.name, stream, seq, seq%3)))
		time.Sleep(time.Millisecond)
	}
}

// listen asks for a few messages of the server at a time.
func (s *survivor) listen(ctx context.Context) {
	const some = 5
	for seq := 0; ctx.Err() == nil; seq += some {
		s.note("", seq, s.call("deliver", map[string]any{"room": s.c.ID(), "stream": s.name, "from": seq, "count": some}))
		time.Sleep(time.Millisecond)
	}
}

// insist emits, with Options.Retries: nothing may be lost.
func (s *survivor) insist(ctx context.Context) {
	for seq := 0; ctx.Err() == nil; seq++ {
		m := delivery.New(s.name, "kept", seq, seq%3)
		if seq%4 > 0 {
			if err := s.c.Emit("take", m); err != nil {
				s.fail("Emit %d: %v", seq, err)
			}
		} else if err := s.call("take", m); err != nil {
			s.fail("Call %d, with Retries: %v", seq, err)
		}
		s.mu.Lock()
		s.sent["kept"] = seq + 1
		s.mu.Unlock()
	}
	if err := s.call("echo0"); err != nil { // behind all that was emitted
		s.fail("the last Call: %v", err)
	}
}

func (s *survivor) call(event string, args ...any) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := client.Call[client.None](ctx, s.c, event, args...)
	return err
}

func (s *survivor) note(stream string, seq int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent[stream] = seq + 1
	switch {
	case err == nil:
		s.answered++
	case errors.Is(err, client.ErrDisconnected):
		if s.broken[stream] == nil {
			s.broken[stream] = map[int]bool{}
		}
		s.broken[stream][seq] = true
	case s.err == nil:
		s.err = fmt.Errorf("%s: Call %d of %q: %w", s.name, seq, stream, err)
	}
}

// account compares what the server has got with what was sent: what was answered is there, once and in
// order, and what is missing was said to be.
func (s *survivor) account(t *testing.T, entries []delivery.Entry, atLeastOnce bool) (repeats int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	there := delivery.NewLedger()
	if atLeastOnce {
		there = delivery.NewRepeating()
	}
	missing := func(stream string, from, to int) {
		for seq := from; seq < to; seq++ {
			if !s.broken[stream][seq] {
				t.Errorf("%s, %s: %d is missing, and was answered", s.name, stream, seq)
			}
		}
	}
	for _, e := range entries {
		if !atLeastOnce {
			missing(e.Stream, there.Next(s.name, e.Stream), e.Seq)
			there.Break()
		}
		there.Enter(e)
	}
	for stream, sent := range s.sent {
		if stream != "" {
			missing(stream, there.Next(s.name, stream), sent)
		}
	}
	if err := errors.Join(s.err, there.Err(), s.here.Err()); err != nil {
		t.Errorf("%s: %v", s.name, err)
	}
	return there.Repeats()
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// level waits until no more goroutines and descriptors are in use than were before.
func level(t *testing.T, what string, goroutines, fds int) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		g, f := runtime.NumGoroutine(), descriptors(t)
		if g <= goroutines && f <= fds {
			t.Logf("%s: %d goroutines, %d descriptors", what, g, f)
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: %d goroutines and %d descriptors, at most %d and %d expected", what, g, f, goroutines, fds)
		}
	}
}

// restarts restarts the server again and again under clients that talk, on each transport one that sends
// everything once and one with Retries. ways are those of the fixture's control to end a server.
func restarts(t *testing.T, a addresses, times int, ways ...string) {
	_ = open(t, a.restart, client.Options{}, nil).Close() // siokit's server starts its workers with the first client
	goroutines, fds := runtime.NumGoroutine(), descriptors(t)
	random := delivery.Random(t)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var all []*survivor
	for name, opts := range transports {
		s := newSurvivor(t, a.restart, fmt.Sprintf("once on %s, %x", name, random.Uint32()), opts)
		s.wg.Go(func() { s.speak(ctx, "a") })
		s.wg.Go(func() { s.speak(ctx, "b") })
		s.wg.Go(func() { s.listen(ctx) })
		opts.Retries, opts.AckTimeout = 100, 5*time.Second
		r := newSurvivor(t, a.restart, fmt.Sprintf("kept on %s, %x", name, random.Uint32()), opts)
		r.wg.Go(func() { r.insist(ctx) })
		all = append(all, s, r)
	}
	started := time.Now()
	warm, warmFDs := 0, 0
	for i := range times {
		time.Sleep(time.Duration(random.Int64N(int64(30 * time.Millisecond))))
		ids := make([]string, len(all))
		for k, s := range all {
			ids[k] = s.c.ID()
		}
		control(t, a, ways[random.IntN(len(ways))])
		for k, s := range all {
			awaitReturn(t, s.c, ids[k])
		}
		if i == min(9, times-1) {
			warm, warmFDs = runtime.NumGoroutine(), descriptors(t)
		}
	}
	took := time.Since(started)
	level(t, "after the last restart", warm+30, warmFDs+15)
	stop()
	for _, s := range all {
		s.wg.Wait()
	}
	notes := take(t, a.restart, all)
	sent, answered, broken, got, lost, repeats := 0, 0, 0, 0, 0, 0
	for k, s := range all {
		repeats += s.account(t, notes[s.name], k%2 == 1)
		for _, n := range s.sent {
			sent += n
		}
		for _, list := range s.broken {
			broken += len(list)
		}
		answered, got, lost = answered+s.answered, got+s.here.Got(), lost+s.here.Lost()
		_ = s.c.Close()
	}
	t.Logf("%d restarts in %s under %d clients: %d Calls answered, %d ended with ErrDisconnected, none otherwise; %d events of the server came, %d were lost with connections; events with Retries came %d times again",
		times, took.Round(time.Millisecond), len(all), answered, broken, got, lost, repeats)
	if answered < times || got < times {
		t.Errorf("only %d Calls were answered and %d events came", answered, got)
	}
	level(t, "after Close", goroutines+5, fds+5) // connections of the test's own may be idle
}

// awaitReturn waits until a client is connected as somebody else.
func awaitReturn(t *testing.T, c *client.Client, before string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); c.ID() == before || c.ID() == ""; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("a client did not come back: id %q, before %q", c.ID(), before)
		}
	}
}

// take asks the server for everything that it has got of the survivors.
func take(t *testing.T, url string, all []*survivor) map[string][]delivery.Entry {
	t.Helper()
	c := open(t, url, client.Options{Transports: []string{"websocket"}}, nil)
	defer func() { _ = c.Close() }()
	notes := map[string][]delivery.Entry{}
	for _, s := range all {
		for {
			some := call[[]delivery.Entry](t, c, "taken", s.name)
			if len(some) == 0 {
				break
			}
			notes[s.name] = append(notes[s.name], some...)
		}
	}
	return notes
}
