package faulttest

import (
	"context"
	"errors"
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

// patience is how long an event may take on a machine that is busy.
const patience = time.Minute

// Until waits for what other goroutines bring about, and returns how long that took.
func Until(t testing.TB, what string, done func() bool) time.Duration {
	t.Helper()
	start := time.Now()
	for !done() {
		if time.Since(start) > patience {
			t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
	return time.Since(start)
}

// A Node is a process of the cluster whose server has one socket and writes down the events that it gets,
// which are numbers.
type Node struct {
	*cluster.Node
	Bus cluster.Bus
	t   testing.TB
	sid string
	log *alarm

	mu   sync.Mutex
	got  map[string][]int // numbers that have come, by who sent them; guarded by mu
	next int              // guarded by mu
	said time.Time        // when the last was sent; guarded by mu
}

// alarm is the log of a node, and keeps what has gone wrong.
type alarm struct {
	slog.Handler
	raised atomic.Bool
}

func (a *alarm) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }
func (a *alarm) Handle(context.Context, slog.Record) error        { a.raised.Store(true); return nil }

// NewNode starts a node that ends with the test.
func NewNode(t testing.TB, bus cluster.Bus, name string, opts cluster.Options) *Node {
	t.Helper()
	log := &alarm{Handler: slog.DiscardHandler}
	opts.Logger = slog.New(log)
	node, err := cluster.NewNode(bus, opts)
	if err != nil {
		t.Fatal(err)
	}
	n := &Node{Node: node, Bus: bus, t: t, sid: name, log: log, got: make(map[string][]int)}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := node.Close(ctx); err != nil {
			t.Errorf("closing %s: %v", name, err)
		}
	})
	if err := node.Start(ctx, server{n}); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

var everyone = cluster.Audience{Namespace: "/", All: true}

// Say sends the next number to the others.
func (n *Node) Say() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.next++
	n.said = time.Now()
	n.Emit(&cluster.Emit{Audience: everyone, Event: n.sid, Data: []byte("[" + strconv.Itoa(n.next) + "]")})
}

// Repeat says another number if none has been said for some seconds. On a busy machine a node may subscribe anew
// after all is well, and what is said meanwhile is lost: waiting for that would be in vain.
func (n *Node) Repeat() {
	n.mu.Lock()
	since := time.Since(n.said)
	n.mu.Unlock()
	if since > 3*time.Second {
		n.Say()
	}
}

// WasUnhealthy reports whether the node is unhealthy, or has said so in its log: it may be well again before
// anybody looks.
func (n *Node) WasUnhealthy() bool { return n.Healthy() != nil || n.log.raised.Load() }

// Said returns the last number that was sent.
func (n *Node) Said() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.next
}

// Heard returns the last number that has come from another node, and how many have.
func (n *Node) Heard(from *Node) (last, count int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	got := n.got[from.sid]
	if count = len(got); count > 0 {
		last = got[count-1]
	}
	return last, count
}

// server is the cluster.Local of a Node.
type server struct{ *Node }

func (s server) Emit(e *cluster.Emit) {
	i, err := strconv.Atoi(strings.Trim(string(e.Data), "[]"))
	s.mu.Lock()
	defer s.mu.Unlock()
	got := s.got[e.Event]
	if last := len(got) - 1; err != nil || last >= 0 && i <= got[last] {
		s.t.Errorf("%s: %s came from %s after %v", s.sid, e.Data, e.Event, got[max(last, 0):])
	}
	s.got[e.Event] = append(got, i)
}
func (s server) Fetch(cluster.Audience) []cluster.Socket { return []cluster.Socket{{ID: s.sid}} }
func (s server) Count(cluster.Audience) int              { return 1 }
func (s server) Has(_, sid string) bool                  { return sid == s.sid }
func (s server) Join(cluster.Audience, []string)         {}
func (s server) Leave(cluster.Audience, []string)        {}
func (s server) Disconnect(cluster.Audience, bool)       {}
func (s server) Revoked([]byte)                          {}
func (s server) Gather(_ context.Context, _ *cluster.Emit, each func(cluster.Reply)) (wait func()) {
	return func() { each(cluster.Reply{SID: s.sid, Data: []byte("[]")}) }
}
func (s server) ServerEvent(context.Context, string, *cluster.Emit) (cluster.Reply, bool) {
	return cluster.Reply{Data: []byte("[]")}, true
}

// Options are those of nodes in tests: all is ten times as fast as it is by default, unless SIOKIT_SOAK is
// set.
func Options() cluster.Options {
	if os.Getenv("SIOKIT_SOAK") != "" {
		return cluster.Options{Heartbeat: 5 * time.Second, DeadAfter: 10 * time.Second, RequestTimeout: 5 * time.Second}
	}
	return cluster.Options{Heartbeat: 500 * time.Millisecond, DeadAfter: time.Second, RequestTimeout: 500 * time.Millisecond}
}

// busy is what a machine that is busy may add to a time that is promised.
const busy = 8 * time.Second

// A Fault happens between a node and its broker.
type Fault struct {
	Name string
	// Begin and End bring it about and take it away. Without End the node must get well by itself.
	Begin, End func(t *testing.T)
}

// Faults are those of a network: F-09a, F-09c, and a firewall that forgets its connections.
func (p *Proxy) Faults() []Fault {
	well := func(*testing.T) { p.Hold(false, false) }
	return []Fault{
		{"F-09a deaf", func(*testing.T) { p.Hold(true, false) }, well},
		{"F-09c cut", func(*testing.T) { p.Hold(true, true) }, well},
		{"lost connections", func(*testing.T) { p.Lose() }, nil},
	}
}

// Partition runs a fault. open returns a bus of the node that has it, or, if it is false, of one that has not. It is
// the bar of F-09: the node is unhealthy in time, nobody waits for it, questions end in time with what the others said
// and an error, and when it is over all is well by itself, nothing came twice, and what was lost is
// counted.
func Partition(t *testing.T, open func(t *testing.T, faulty bool) cluster.Bus, fault Fault) {
	opts := Options()
	a := NewNode(t, open(t, true), "A", opts)
	b := NewNode(t, open(t, false), "B", opts)
	c := NewNode(t, open(t, false), "C", opts)
	t.Cleanup(func() {
		if t.Failed() {
			atA, countA := a.Heard(b)
			atC, countC := c.Heard(a)
			t.Logf("B said %d, A heard %d up to %d; A said %d, C heard %d up to %d; A %v %+v, C %v %+v",
				b.Said(), countA, atA, a.Said(), countC, atC, a.Healthy(), a.Stats(), c.Healthy(), c.Stats())
		}
	})
	known := func() bool { return len(a.Nodes()) == 2 && len(b.Nodes()) == 2 && len(c.Nodes()) == 2 }
	Until(t, "the nodes know each other", known)
	// A's first subscription may still be being replaced: a replica is deaf until it has been synchronised.
	Until(t, "an event", func() bool { b.Say(); last, _ := a.Heard(b); return last > 0 })

	a.log.raised.Store(false)
	fault.Begin(t)
	began := time.Now()
	for range 10 {
		b.Say()
	}
	ask := func(n *Node) (ids []string, silent []string, took time.Duration) {
		start := time.Now()
		sockets, err := n.Fetch(t.Context(), everyone)
		for _, s := range sockets {
			ids = append(ids, s.ID)
		}
		if e, ok := errors.AsType[*cluster.SilentError](err); ok {
			silent = e.Nodes
		} else if err != nil {
			t.Errorf("Fetch: %v", err)
		}
		return ids, silent, time.Since(start)
	}
	unnamed := 0
	Until(t, "the others get C's answer", func() bool { // which on a busy machine may come too late, so they ask again
		waits := slices.Contains(b.Nodes(), a.ID())
		ids, silent, took := ask(b)
		if took > opts.RequestTimeout*21/20+busy {
			t.Errorf("the others ask for %s and get %q, silent %q", took, ids, silent)
		}
		if waits && !slices.Contains(ids, "A") && !slices.Contains(silent, a.ID()) {
			if unnamed++; unnamed > 1 { // once B may have given A up just before
				t.Errorf("A is neither in the result %q nor silent %q", ids, silent)
			}
			return false
		}
		return slices.Contains(ids, "C")
	})
	Until(t, "A is unhealthy", a.WasUnhealthy)
	if took := time.Since(began); took > opts.DeadAfter+busy {
		t.Errorf("A was unhealthy after %s, want %s", took, opts.DeadAfter)
	}
	t.Logf("A after %s: %v", time.Since(began), a.Healthy())
	if _, _, took := ask(a); took > opts.RequestTimeout*21/20+busy {
		t.Errorf("A asked for %s", took)
	}
	if fault.End != nil {
		Until(t, "B waits for A no more", func() bool { return slices.Equal(b.Nodes(), []string{c.ID()}) })
		if took := time.Since(began); took > opts.DeadAfter+opts.Heartbeat+busy {
			t.Errorf("A was dropped from the counts after %s", took)
		}
		Until(t, "A waits for nobody", func() bool { return len(a.Nodes()) == 0 })
		Until(t, "without A the others get C's answer, and nobody is silent", func() bool {
			ids, silent, _ := ask(b)
			return slices.Equal(ids, []string{"C"}) && len(silent) == 0
		})
		fault.End(t)
	}

	over := time.Now()
	Until(t, "all is well again", func() bool { return a.Healthy() == nil && known() })
	t.Logf("all is well after %s", time.Since(over))
	for range 10 {
		a.Say()
		b.Say()
	}
	both := func() bool {
		a.Repeat()
		b.Repeat()
		atA, _ := a.Heard(b)
		atC, _ := c.Heard(a)
		return atA == b.Said() && atC == a.Said()
	}
	Until(t, "events in both directions", both)
	if _, count := a.Heard(b); int64(b.Said()-count) > a.Stats().Lost {
		t.Errorf("%d of %d events came to A, and only %d are counted as lost", count, b.Said(), a.Stats().Lost)
	}
}
