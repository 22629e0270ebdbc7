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

	"github.com/go-json-experiment/json/jsontext"
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
	opts Options
	id   string
	log  *slog.Logger

	local Local // set by Start

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup // requests of others that are being answered, and the heartbeat
	slots  chan struct{}  // bounds them

	sent, received, invalid, lost, duplicates atomic.Int64

	sendMu sync.Mutex // orders seq and Publish
	seq    int64      // guarded by sendMu

	mu       sync.Mutex
	peers    map[string]*peer    // guarded by mu
	requests map[string]*request // guarded by mu
	echoed   time.Time           // when our own last message came back; guarded by mu
	started  bool                // guarded by mu
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
	if len(opts.Key) > 0 && len(opts.Key) < 16 {
		return nil, fmt.Errorf("cluster: Options.Key must have at least 16 bytes, got %d", len(opts.Key))
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	n := &Node{
		bus: bus, opts: opts, id: newID(), log: opts.Logger,
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
	started := n.started
	n.mu.Unlock()
	if started {
		n.send(&message{Method: methodBye})
	}
	n.mu.Lock()
	n.closed = true
	for _, r := range n.requests {
		r.end()
	}
	n.mu.Unlock()
	n.cancel()
	err := n.bus.Close(ctx)
	done := make(chan struct{})
	go func() { n.work.Wait(); close(done) }()
	select {
	case <-done:
		return err
	case <-ctx.Done():
		return errors.Join(err, ctx.Err())
	}
}

// send numbers and publishes a message.
func (n *Node) send(m *message) {
	m.Host = cmp(m.Host, n.id)
	if m.Go == nil {
		m.Go = &extension{}
	}
	n.sendMu.Lock()
	defer n.sendMu.Unlock()
	n.seq++
	m.Go.Seq = n.seq
	data, err := n.encode(m)
	if err != nil {
		n.log.Error("cluster: a message cannot be encoded", "method", m.Method, "error", err)
		return
	}
	if err := n.bus.Publish(data); err == nil {
		n.sent.Add(1)
	}
}

func cmp(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// OpenNamespace implements Link. One channel is for all namespaces.
func (n *Node) OpenNamespace(string) {}

// CloseNamespace implements Link.
func (n *Node) CloseNamespace(string) {}

// Emit implements Link.
func (n *Node) Emit(e *Emit) { n.sendEmit(methodEmit, e, &extension{}) }

// sendEmit publishes an event, with what else the method needs in ext.
func (n *Node) sendEmit(method string, e *Emit, ext *extension) {
	if !e.All && len(e.Rooms) == 0 && method != methodServerEmit {
		return
	}
	m := &message{Method: method, Event: &e.Event, Go: ext}
	ext.Volatile, ext.Plain = e.Volatile, e.Plain
	if !m.setAudience(e.Audience) && method == methodEmit {
		m.Method = methodGoEmit
	}
	m.Data, m.Binary = pack(e.Data, e.Attachments)
	if n.opts.LegacyData && m.Method == methodEmit && !m.Binary {
		if args, err := sio.ParseArgs(e.Data, sio.Limits{}); err == nil && len(args) == 1 {
			m.Data, m.Go.Legacy = jsontext.Value(args[0]), true
		}
	}
	n.send(m)
}

// Join implements Link.
func (n *Node) Join(a Audience, rooms []string) {
	if sid, ok := single(a); ok && looksLikeSID(sid) {
		for _, room := range rooms {
			n.send(&message{Method: methodEnterRoom, SID: &sid, Room: quote(room), Namespace: &a.Namespace})
		}
		return
	}
	n.sendAudience(methodJoin, a, &extension{Rooms: rooms})
}

// Leave implements Link.
func (n *Node) Leave(a Audience, rooms []string) {
	if name, ok := single(a); ok {
		switch {
		case looksLikeSID(name):
			for _, room := range rooms {
				n.send(&message{Method: methodLeaveRoom, SID: &name, Room: quote(room), Namespace: &a.Namespace})
			}
			return
		case len(rooms) == 1 && rooms[0] == name:
			n.send(&message{Method: methodCloseRoom, Room: quote(name), Namespace: &a.Namespace})
			return
		}
	}
	n.sendAudience(methodLeave, a, &extension{Rooms: rooms})
}

// Disconnect implements Link.
func (n *Node) Disconnect(a Audience, transport bool) {
	if sid, ok := single(a); ok && looksLikeSID(sid) && !transport {
		n.send(&message{Method: methodDisconnect, SID: &sid, Namespace: &a.Namespace})
		return
	}
	n.sendAudience(methodGoDisconnect, a, &extension{Transport: transport})
}

// single reports whether an audience is one room or socket.
func single(a Audience) (name string, ok bool) {
	if a.All || len(a.Rooms) != 1 || len(a.Except) > 0 {
		return "", false
	}
	return a.Rooms[0], true
}

func (n *Node) sendAudience(method string, a Audience, ext *extension) {
	if !a.All && len(a.Rooms) == 0 {
		return
	}
	m := &message{Method: method, Go: ext}
	m.setAudience(a)
	n.send(m)
}

// Revoke implements Link.
func (n *Node) Revoke(data []byte) {
	n.send(&message{Method: methodRevoke, Go: &extension{Blob: data}})
}

// Stats implements Link.
func (n *Node) Stats() Stats {
	return Stats{
		Sent: n.sent.Load(), Received: n.received.Load(), Dropped: n.bus.Dropped(),
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
	if silent := time.Since(n.echoed); silent > n.opts.DeadAfter {
		return fmt.Errorf("cluster: nothing that was published has come back for %s: the broker takes messages and does not deliver them", silent.Round(time.Second))
	}
	return nil
}

var _ Link = (*Node)(nil)

// noData is an empty list of arguments.
var noData = json.RawMessage("[]")
