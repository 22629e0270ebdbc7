package cluster_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/cluster/membus"
)

// cutBus is a bus of which either direction can be cut, and nobody is told. What is published meanwhile is
// kept and published afterwards, as buses over a broker do.
type cutBus struct {
	*membus.Bus
	deaf         atomic.Bool
	mu           sync.Mutex
	mute         bool     // guarded by mu
	kept         [][]byte // guarded by mu
	resubscribed atomic.Int64
}

func (b *cutBus) Publish(msg []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mute {
		b.kept = append(b.kept, msg)
		return nil
	}
	return b.Bus.Publish(msg)
}

func (b *cutBus) Subscribe(ctx context.Context, receive func([]byte)) error {
	return b.Bus.Subscribe(ctx, func(msg []byte) {
		if !b.deaf.Load() {
			receive(msg)
		}
	})
}

func (b *cutBus) Resubscribe() { b.resubscribed.Add(1) }

func (b *cutBus) setMute(mute bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mute = mute
	if !mute {
		for _, msg := range b.kept {
			_ = b.Bus.Publish(msg)
		}
		b.kept = nil
	}
}

// lines counts log records.
type lines struct{ errors, infos, warnings atomic.Int64 }

func (l *lines) Enabled(context.Context, slog.Level) bool { return true }
func (l *lines) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *lines) WithGroup(string) slog.Handler            { return l }
func (l *lines) Handle(_ context.Context, r slog.Record) error {
	switch r.Level {
	case slog.LevelError:
		l.errors.Add(1)
	case slog.LevelWarn:
		l.warnings.Add(1)
	default:
		l.infos.Add(1)
	}
	return nil
}

// F-09a: a node publishes and does not receive. F-09c: it is cut off altogether. With the default times: it is
// unhealthy after 10 s, says so once, and has the bus subscribe anew; the others stop to wait for it after 10 s,
// and their questions never take longer than 5 s; when it is well again all know it, and what was lost is
// counted.
func TestPartitions(t *testing.T) {
	for _, test := range []struct {
		name       string
		deaf, mute bool
	}{{"a_deaf", true, false}, {"c_cut", true, true}} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { partition(t, test.deaf, test.mute) })
		})
	}
}

func partition(t *testing.T, deaf, mute bool) {
	var hub membus.Hub
	bus, log := &cutBus{Bus: hub.Bus()}, new(lines)
	a, err := cluster.NewNode(bus, cluster.Options{Logger: slog.New(log)})
	check(t, err)
	local := &recorder{calls: make(chan string, 100)}
	check(t, a.Start(t.Context(), local))
	defer func() { check(t, a.Close(context.Background())) }()
	b, _ := newNode(t, &hub, cluster.Options{})
	c, atC := newNode(t, &hub, cluster.Options{})
	atC.sockets = []cluster.Socket{{ID: "S"}}
	synctest.Wait()
	time.Sleep(6 * time.Second)
	if len(a.Nodes()) != 2 || len(b.Nodes()) != 2 || a.Healthy() != nil {
		t.Fatal(a.Nodes(), b.Nodes(), a.Healthy())
	}

	bus.deaf.Store(deaf)
	bus.setMute(mute)
	cut := time.Now()
	everyone := cluster.Audience{Namespace: "/", All: true}
	b.Emit(&cluster.Emit{Audience: everyone, Event: "missed", Data: []byte("[]")})
	sockets, err := b.Fetch(t.Context(), everyone) // b still waits for a: a partial result and an error, at the timeout
	if silent, ok := errors.AsType[*cluster.SilentError](err); !ok || !slices.Equal(silent.Nodes, []string{a.ID()}) || len(sockets) != 1 {
		t.Errorf("Fetch: %+v, %v", sockets, err)
	}
	if took := time.Since(cut); took < 5*time.Second || took > 5500*time.Millisecond {
		t.Errorf("a question took %s", took)
	}
	asked := time.Now()
	err = a.ServerEmit(t.Context(), &cluster.Emit{Audience: everyone, Event: "load", Data: []byte("[]")}, func(cluster.Reply) {})
	if _, ok := errors.AsType[*cluster.SilentError](err); !ok || time.Since(asked) > 5500*time.Millisecond {
		t.Errorf("the node that is cut off asked for %s: %v", time.Since(asked), err)
	}

	time.Sleep(time.Until(cut.Add(10*time.Second + time.Millisecond)))
	if err := a.Healthy(); err == nil || !strings.Contains(err.Error(), "does not deliver") {
		t.Errorf("after 10 s: %v", err)
	}
	if mute && !slices.Equal(b.Nodes(), []string{c.ID()}) {
		t.Errorf("after 10 s the others wait for %v", b.Nodes())
	}
	if got := a.Nodes(); len(got) != 0 {
		t.Errorf("after 10 s it waits for %v", got)
	}
	time.Sleep(5 * time.Second) // a node that hears nothing can say so at its next heartbeat
	if !slices.Equal(b.Nodes(), []string{c.ID()}) {
		t.Errorf("after 15 s the others wait for %v", b.Nodes())
	}
	time.Sleep(time.Minute)
	if n := bus.resubscribed.Load(); n < 5 || n > 7 {
		t.Errorf("the bus was told %d times to subscribe anew", n)
	}
	if sockets, err := b.Fetch(t.Context(), everyone); err != nil || len(sockets) != 1 {
		t.Errorf("Fetch without it: %+v, %v", sockets, err)
	}
	if log.errors.Load() != 1 {
		t.Errorf("%d lines say that it is cut off", log.errors.Load())
	}

	healed := time.Now()
	bus.deaf.Store(false)
	bus.setMute(false)
	time.Sleep(5*time.Second + time.Millisecond) // its next heartbeat
	synctest.Wait()
	if a.Healthy() != nil || len(a.Nodes()) != 2 || len(b.Nodes()) != 2 || len(c.Nodes()) != 2 {
		t.Errorf("%s after it is well: %v, knows %v, known to %v and %v", time.Since(healed), a.Healthy(), a.Nodes(), b.Nodes(), c.Nodes())
	}
	b.Emit(&cluster.Emit{Audience: everyone, Event: "after", Data: []byte("[]")})
	for local.next(t) != "emit / after * []" { // after questions that were asked meanwhile
	}
	if a.Stats().Lost == 0 {
		t.Error("what was lost is not counted")
	}
	time.Sleep(6 * time.Second)
	if log.infos.Load() != 1 || log.errors.Load() != 1 {
		t.Errorf("%d lines say cut off, %d well again", log.errors.Load(), log.infos.Load())
	}
}

// F-08: a bus that was unsure repeats what it has published, however long it was away: it is taken once.
func TestRepeatedAfterAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, cluster.Options{})
		const msg = `{"method":"emit","event":"n%","host_id":"other","namespace":"/","data":[],"room":null,"go":{"seq":%}}`
		say := func(seq string) { p.inject(strings.ReplaceAll(msg, "%", seq)) }
		say("1")
		say("2")
		time.Sleep(50 * time.Minute)
		say("2")
		say("5")
		time.Sleep(time.Second)
		for _, want := range []string{"n1", "n2", "n5"} {
			if got := p.local.next(t); got != "emit / "+want+" * []" {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		if s := p.node.Stats(); s.Duplicates != 1 || s.Lost != 2 {
			t.Errorf("%+v", s)
		}
	})
}
