// Package clustertest is the suite that every cluster.Bus must pass.
//
//	func TestBus(t *testing.T) {
//		clustertest.Run(t, func(t *testing.T, s clustertest.Settings) cluster.Bus {
//			return mybus.New(address, mybus.Options{Channel: s.Channel, StartWithoutBroker: s.StartWithoutBroker, Logger: s.Logger})
//		}, clustertest.Options{})
//	}
//
// It uses a real broker, which nothing else needs to be on. What is tested: order and completeness with
// many subscribers, channels that keep apart whatever their names, any bytes, large messages, subscribers
// that are slow, closing, goroutines that stay behind, and, with Options.Broker, outages. On top of the bus
// it runs nodes: questions, callbacks, orders, a node that dies, clusters with different keys, garbage.
package clustertest

import (
	"context"
	"crypto/rand"
	"log/slog"
	"testing"
	"time"

	"github.com/siokit/siokit/cluster"
)

// Settings is how a bus for a test is to be made.
type Settings struct {
	Channel            string       // the name on which buses meet
	StartWithoutBroker bool         // Subscribe succeeds although the broker is away
	Logger             *slog.Logger // gets one line when the state changes
}

// Options configures the suite. The zero value of every field is its default.
type Options struct {
	// Broker takes the broker away and brings it back. Default none: outages are not tested.
	Broker Broker
	// Messages is how many the test of order sends to ten subscribers. Default 40,000, four times what a bus
	// keeps; with -short 10,000.
	Messages int
	// Recovery is how long after Broker.Start has returned messages may take to go both ways again.
	// Default 30 s: a sixth of it is what the buses of siokit need on an idle machine.
	Recovery time.Duration
	// NoLog is for a bus that has no log, and whose broker cannot be away when a bus starts.
	NoLog bool
}

// A Broker can go away and come back. When it also has methods Freeze and Thaw, which let it stand still
// with its connections open, as SIGSTOP and SIGCONT do, that is tested too.
type Broker interface {
	// Stop cuts all connections and lets none be made.
	Stop(t testing.TB)
	// Start returns when connections are accepted again, at the same address.
	Start(t testing.TB)
}

type freezer interface {
	Freeze(t testing.TB)
	Thaw(t testing.TB)
}

// patience is how long an event may take on a machine that is busy.
const patience = time.Minute

// suite is one run.
type suite struct {
	open func(t *testing.T, s Settings) cluster.Bus
	opts Options
}

// Run runs the suite. open returns a new bus, which the suite closes; what else it makes, such as a client
// of the broker, it gives to t.Cleanup.
func Run(t *testing.T, open func(t *testing.T, s Settings) cluster.Bus, opts Options) {
	if opts.Messages == 0 {
		opts.Messages = 40_000
		if testing.Short() {
			opts.Messages = 10_000
		}
	}
	if opts.Recovery == 0 {
		opts.Recovery = 30 * time.Second
	}
	s := &suite{open: open, opts: opts}
	for _, test := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"Order", s.order},
		{"ChannelsKeepApart", s.channels},
		{"AnyBytes", s.anyBytes},
		{"SlowReceiver", s.slowReceiver},
		{"ComesBack", s.comesBack},
		{"Close", s.close},
		{"Nodes", s.nodes},
		{"OrderOfEvents", s.orderOfEvents},
		{"OddNames", s.oddNames},
		{"NodeDies", s.nodeDies},
		{"Keys", s.keys},
		{"Python", s.python},
		{"Garbage", s.garbage},
		{"Frozen", s.frozen},
		{"Outage", s.outage},
	} {
		t.Run(test.name, test.run)
	}
}

var discard = slog.New(slog.DiscardHandler)

// channel returns a name that nothing else uses.
func channel() string { return "t" + rand.Text()[:10] }

// bus opens a bus that is closed with the test.
func (s *suite) bus(t *testing.T, settings Settings) cluster.Bus {
	t.Helper()
	if settings.Logger == nil {
		settings.Logger = discard
	}
	bus := s.open(t, settings)
	t.Cleanup(func() { closeBus(t, bus) })
	return bus
}

func closeBus(t *testing.T, bus cluster.Bus) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := bus.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// subscribe begins to receive.
func subscribe(t *testing.T, bus cluster.Bus, receive func(msg []byte)) {
	t.Helper()
	if err := trySubscribe(t, bus, receive); err != nil {
		t.Fatalf("Subscribe: %v", err)
	}
}

func trySubscribe(t *testing.T, bus cluster.Bus, receive func(msg []byte)) error {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return bus.Subscribe(ctx, receive)
}

func publish(t *testing.T, bus cluster.Bus, msg []byte) {
	t.Helper()
	if err := bus.Publish(msg); err != nil {
		t.Fatalf("Publish: %v", err)
	}
}

// until waits for what other goroutines bring about.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
