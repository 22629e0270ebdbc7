package nodewire

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/redis/go-redis/v9"
	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/cluster/internal/pump"
	"github.com/siokit/siokit/wire/sio"
)

// Options configures an Adapter. The zero value of every field is its default.
type Options struct {
	// Prefix is what all channels begin with, the option "key" of the Node adapter and emitter. Default
	// "socket.io".
	Prefix string
	// RequestTimeout is how long the other servers may take to answer when the context of a question has no
	// deadline. It is the adapter's requestsTimeout. Default 5 s.
	RequestTimeout time.Duration
	// SpecificResponses sends answers to the server that asked instead of to all, as the adapter's
	// publishOnSpecificResponseChannel. Node servers must have version 8 of it. Default false.
	SpecificResponses bool

	// OnlyEmits ignores what others say about joining, leaving and disconnecting. Default false.
	OnlyEmits bool

	// Limits bound the arguments that others send to our clients. Default: those for clients'. Attachments
	// should be core.Config.MaxAttachments.
	Limits sio.Limits

	// MaxMessages and MaxBytes bound what waits while Redis is away; beyond them the oldest are dropped
	// and counted. Defaults 10,000 and 8 MiB.
	MaxMessages int
	MaxBytes    int
	// StartWithoutBroker lets a server start while Redis cannot be reached; it serves its own clients
	// until it can. Default false: starting is an error.
	StartWithoutBroker bool

	// Logger gets a line when the state of something changes, never one per message. Default
	// slog.Default().
	Logger *slog.Logger
}

// An Adapter is a cluster.Link: one member of a cluster of Node servers.
type Adapter struct {
	opts  Options
	names channels
	codec codec
	log   *slog.Logger
	redis *connection
	bus   *pump.Pump

	local cluster.Local // set by Start

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup // requests of others that are being answered, and the look-out for members
	slots  chan struct{}  // bounds them

	sent, received, invalid atomic.Int64
	hashes                  atomic.Bool // a namespace's name has a '#': see channels.room

	mu        sync.Mutex
	questions map[string]*question // by request id; guarded by mu
	members   []string             // ids of the others; guarded by mu
	opened    map[string]bool      // namespaces of the server; guarded by mu
	asked     map[string]*interest // namespaces of questions; guarded by mu
	started   bool                 // guarded by mu
	closed    bool                 // guarded by mu
	warned    map[string]bool      // kinds of bad messages that have been logged; guarded by mu
}

var _ cluster.Link = (*Adapter)(nil)

// maxAnswering bounds how many requests of others are answered at the same time.
const maxAnswering = 256

// New returns a member that will use rdb, a client of one Redis, of Sentinel or of a Redis Cluster. It
// remains the caller's: Close does not close it. A *redis.Ring does not do: Start refuses it.
func New(rdb redis.UniversalClient, opts Options) *Adapter {
	if opts.Prefix == "" {
		opts.Prefix = "socket.io"
	}
	if opts.RequestTimeout == 0 {
		opts.RequestTimeout = 5 * time.Second
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	names := channels{prefix: opts.Prefix, uid: newID()}
	c := newConnection(rdb, names.broadcasts())
	a := &Adapter{
		opts: opts, names: names, codec: newCodec(opts.Limits), log: opts.Logger, redis: c,
		bus: pump.New("nodewire", c, pump.Options{
			MaxMessages: opts.MaxMessages, MaxBytes: opts.MaxBytes,
			StartWithoutBroker: opts.StartWithoutBroker, Logger: opts.Logger,
		}),
		slots:     make(chan struct{}, maxAnswering),
		questions: make(map[string]*question), warned: make(map[string]bool),
		opened: make(map[string]bool), asked: make(map[string]*interest),
	}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	return a
}

// newID returns 6 characters, of which Node's ids of members and requests consist.
func newID() string {
	var b [6]byte
	_, _ = rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])[:6]
}

// ID returns the member's id. Node servers have one for each namespace.
func (a *Adapter) ID() string { return a.names.uid }

// Start subscribes, for the namespace "/". See Options.StartWithoutBroker for when Redis cannot be
// reached.
func (a *Adapter) Start(ctx context.Context, local cluster.Local) error {
	if _, ok := a.redis.rdb.(*redis.Ring); ok {
		return errors.New("nodewire: a redis.Ring spreads the channels over servers that do not know each other: use one of them")
	}
	if a.opts.RequestTimeout < 0 {
		return fmt.Errorf("nodewire: Options.RequestTimeout must not be negative, got %s", a.opts.RequestTimeout)
	}
	a.mu.Lock()
	if a.started || a.closed {
		a.mu.Unlock()
		return errors.New("nodewire: Start was called twice, or after Close")
	}
	a.started, a.local = true, local
	a.mu.Unlock()
	a.redis.want(true, a.names.revocation())
	a.OpenNamespace("/")
	if err := a.bus.Subscribe(ctx, a.receive); err != nil {
		return fmt.Errorf("nodewire: subscribing: %w", err)
	}
	a.look(ctx)
	a.work.Go(a.lookOut)
	return nil
}

// Close ends what is being asked and answered, and publishes what waits. Node members say no goodbye: they count.
func (a *Adapter) Close(ctx context.Context) error {
	a.mu.Lock()
	if a.closed {
		a.mu.Unlock()
		return nil
	}
	a.closed = true
	for _, q := range a.questions {
		q.end()
	}
	a.mu.Unlock()
	a.cancel()
	err := a.bus.Close(ctx)
	done := make(chan struct{})
	go func() { a.work.Wait(); close(done) }()
	select {
	case <-done:
		return err
	case <-ctx.Done():
		return errors.Join(err, ctx.Err())
	}
}

// publish queues a message.
func (a *Adapter) publish(channel string, msg []byte) {
	a.publishFrame(append(appendChannel(make([]byte, 0, len(channel)+len(msg)+2), channel), msg...))
}

// publishFrame queues a message that has its channel already.
func (a *Adapter) publishFrame(frame []byte) {
	if a.bus.Publish(frame) == nil {
		a.sent.Add(1)
	}
}

// publishJSON queues a request or response.
func (a *Adapter) publishJSON(channel string, v any) {
	msg, err := jsonv2.Marshal(v, lenient...)
	if err != nil {
		a.log.Error("nodewire: a message cannot be encoded", "channel", channel, "error", err)
		return
	}
	a.publish(channel, msg)
}

// Stats implements cluster.Link. Lost and Duplicates stay 0: the wire has no numbers.
func (a *Adapter) Stats() cluster.Stats {
	return cluster.Stats{Sent: a.sent.Load(), Received: a.received.Load(), Dropped: a.bus.Dropped(), Invalid: a.invalid.Load()}
}

// Healthy implements cluster.Link.
func (a *Adapter) Healthy() error { return a.bus.Healthy() }

// Nodes implements cluster.Link: the ids of the members that are subscribed in the namespace "/", as of at
// most some seconds ago.
func (a *Adapter) Nodes() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.members)
}

// lookOutEvery is how often the members are looked for.
const lookOutEvery = 5 * time.Second

func (a *Adapter) lookOut() {
	ticker := time.NewTicker(lookOutEvery)
	defer ticker.Stop()
	for {
		select {
		case <-a.ctx.Done():
			return
		case <-ticker.C:
		}
		a.forget()
		ctx, cancel := context.WithTimeout(a.ctx, lookOutEvery)
		a.look(ctx)
		cancel()
	}
}

// look finds the members by the channels on which they want answers. When Redis is away nobody is known.
func (a *Adapter) look(ctx context.Context) {
	all := a.names.response("/")
	found, err := a.redis.matching(ctx, escapeGlob(all)+"*#")
	var members []string
	for _, channel := range found {
		if uid := strings.TrimSuffix(strings.TrimPrefix(channel, all), "#"); err == nil && uid != a.names.uid {
			members = append(members, uid)
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.members = members
}
