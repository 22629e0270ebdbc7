package cluster

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siokit/siokit/wire/sio"
)

// Options configures a Node. The zero value of every field is its default.
type Options struct {
	// Heartbeat is how often a node says that it is there. One that has been silent for two of them, or
	// for DeadAfter, is not waited for any more. Defaults 5 s and 10 s.
	Heartbeat time.Duration
	DeadAfter time.Duration
	// RequestTimeout bounds Fetch, and ServerEmit with answers, when their context has no deadline.
	// Default 5 s.
	RequestTimeout time.Duration

	// Key signs every message (HMAC-SHA256), and messages without a valid signature, or older than a
	// minute, are ignored. All processes must have it and clocks that agree; Python processes cannot take
	// part. Default none: whoever can publish is trusted.
	Key []byte

	// OnlyEmits ignores what other processes say about joining, leaving and disconnecting, for channels
	// on which workers publish that should not be able to do that. Default false.
	OnlyEmits bool

	// LegacyData sends the bare value instead of a list when an event has exactly one argument, for
	// fleets with python-socketio before 5.15.1. Default false.
	LegacyData bool

	// Limits bound the arguments that other processes send to our clients. Default: those for clients'.
	Limits sio.Limits

	// Logger gets one line when the state of something changes, never one per message. Default
	// slog.Default().
	Logger *slog.Logger
}

// A Node is the Link over a Bus: one process among those that use a channel.
type Node struct {
	bus  Bus
	out  *Sender
	opts Options
	id   string // of out
	log  *slog.Logger

	local Local // set by Start

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup // requests of others that are being answered, and the heartbeat
	slots  chan struct{}  // bounds them

	received, invalid, lost, duplicates atomic.Int64

	unsent sync.Once // logs that something could not be sent

	mu       sync.Mutex
	peers    map[string]*peer    // guarded by mu
	requests map[string]*request // guarded by mu
	madeRoom time.Time           // when makeRoomLocked last looked; guarded by mu
	echoed   time.Time           // when our own last message came back; guarded by mu
	deaf     bool                // we told the others not to wait for us; guarded by mu
	started  bool                // guarded by mu
	greeted  bool                // hello has been said; guarded by mu
	closed   bool                // guarded by mu
	warned   map[string]bool     // kinds of bad messages that have been logged; guarded by mu
}

// maxAnswering bounds how many requests of others are answered at the same time.
const maxAnswering = 256

// NewNode returns a node that will use bus, which belongs to it from now on.
func NewNode(bus Bus, opts Options) (*Node, error) {
	for _, f := range []struct {
		name  string
		value *time.Duration
		def   time.Duration
	}{{"Heartbeat", &opts.Heartbeat, 5 * time.Second}, {"DeadAfter", &opts.DeadAfter, 10 * time.Second}, {"RequestTimeout", &opts.RequestTimeout, 5 * time.Second}} {
		if *f.value == 0 {
			*f.value = f.def
		}
		if *f.value < 0 {
			return nil, fmt.Errorf("cluster: Options.%s must not be negative, got %s", f.name, *f.value)
		}
	}
	if opts.DeadAfter < opts.Heartbeat {
		return nil, fmt.Errorf("cluster: Options.DeadAfter (%s) must be longer than Heartbeat (%s)", opts.DeadAfter, opts.Heartbeat)
	}
	out, err := NewSender(bus, opts)
	if err != nil {
		return nil, err
	}
	n := &Node{
		bus: bus, out: out, opts: opts, id: out.id, log: out.log,
		slots: make(chan struct{}, maxAnswering),
		peers: make(map[string]*peer), requests: make(map[string]*request), warned: make(map[string]bool),
	}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	return n, nil
}

// newID returns 32 hex characters, as Python's host ids are.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// ID returns the node's id, by which others know it.
func (n *Node) ID() string { return n.id }

// Start subscribes and says hello. See Bus.Subscribe for when the broker cannot be reached.
func (n *Node) Start(ctx context.Context, local Local) error {
	n.mu.Lock()
	if n.started || n.closed {
		n.mu.Unlock()
		return errors.New("cluster: Start was called twice, or after Close")
	}
	n.started, n.local, n.echoed = true, local, time.Now()
	n.mu.Unlock()
	if err := n.bus.Subscribe(ctx, n.receive); err != nil {
		return fmt.Errorf("cluster: subscribing to the bus: %w", err)
	}
	n.mu.Lock()
	n.greeted = true
	n.mu.Unlock()
	n.hello(true)
	n.work.Go(n.beat)
	return nil
}

// Close says goodbye, ends what is being answered and closes the bus.
func (n *Node) Close(ctx context.Context) error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return nil
	}
	greeted := n.greeted
	n.mu.Unlock()
	if greeted { // else the goodbye would wait for a broker that could not be reached
		n.send(&message{Method: methodBye})
	}
	n.mu.Lock()
	n.closed = true
	for _, r := range n.requests {
		r.end()
	}
	n.mu.Unlock()
	n.cancel()
	err := n.out.Close(ctx)
	done := make(chan struct{})
	go func() { n.work.Wait(); close(done) }()
	select {
	case <-done:
		return err
	case <-ctx.Done():
		return errors.Join(err, ctx.Err())
	}
}

// send is Sender.send where nobody can be told of an error.
func (n *Node) send(m *message) { n.check(n.out.send(m)) }

// check logs the first message that could not be sent.
func (n *Node) check(err error) {
	if err != nil && !errors.Is(err, ErrClosed) {
		n.unsent.Do(func() {
			n.log.Error("cluster: a message cannot be sent to other processes; no more such lines will follow", "error", err)
		})
	}
}

// OpenNamespace implements Link. One channel is for all namespaces.
func (n *Node) OpenNamespace(string) {}

// CloseNamespace implements Link.
func (n *Node) CloseNamespace(string) {}

// Emit implements Link.
func (n *Node) Emit(e *Emit) { n.check(n.out.Emit(e)) }

// Join implements Link.
func (n *Node) Join(a Audience, rooms []string) { n.check(n.out.Join(a, rooms)) }

// Leave implements Link.
func (n *Node) Leave(a Audience, rooms []string) { n.check(n.out.Leave(a, rooms)) }

// Disconnect implements Link.
func (n *Node) Disconnect(a Audience, transport bool) { n.check(n.out.Disconnect(a, transport)) }

// Revoke implements Link.
func (n *Node) Revoke(data []byte) { n.check(n.out.Revoke(data)) }

// Stats implements Link.
func (n *Node) Stats() Stats {
	return Stats{
		Sent: n.out.sent.Load(), Received: n.received.Load(), Dropped: n.bus.Dropped(),
		Invalid: n.invalid.Load(), Lost: n.lost.Load(), Duplicates: n.duplicates.Load(),
	}
}

// Healthy implements Link. Beside what the bus knows of its connection, it notices when what the node
// publishes does not come back to it.
func (n *Node) Healthy() error {
	if err := n.bus.Healthy(); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if silent := n.deafForLocked(); silent > n.opts.DeadAfter {
		return fmt.Errorf("cluster: nothing that was published has come back for %s: the broker takes messages and does not deliver them", silent.Round(time.Second))
	}
	return nil
}

var _ Link = (*Node)(nil)

// noData is an empty list of arguments.
var noData = json.RawMessage("[]")
