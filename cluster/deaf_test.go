package cluster_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/cluster/membus"
)

// deafBus is a bus whose deliveries stop without a sign; it hears again when it is told to resubscribe.
type deafBus struct {
	*membus.Bus
	deaf   atomic.Bool
	cured  atomic.Bool // Resubscribe helps
	sawErr atomic.Pointer[string]
	check  func() error
}

func (b *deafBus) Subscribe(ctx context.Context, receive func([]byte)) error {
	return b.Bus.Subscribe(ctx, func(msg []byte) {
		if !b.deaf.Load() {
			receive(msg)
		}
	})
}

func (b *deafBus) Resubscribe() {
	if err := b.check(); err != nil {
		text := err.Error()
		b.sawErr.Store(&text)
	}
	if b.cured.Load() {
		b.deaf.Store(false)
	}
}

// F-09b: the connection looks fine and deliveries stop: the node notices that nothing of its own comes back, is
// unhealthy, and has the bus subscribe anew until it is well.
func TestNoticesThatDeliveriesStop(t *testing.T) {
	var hub membus.Hub
	bus := &deafBus{Bus: hub.Bus()}
	n, err := cluster.NewNode(bus, cluster.Options{Heartbeat: 20 * time.Millisecond, DeadAfter: 60 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	bus.check = n.Healthy
	if err := n.Start(t.Context(), &recorder{calls: make(chan string, 100)}); err != nil {
		t.Fatal(err)
	}
	defer func() { check(t, n.Close(context.Background())) }()
	until := func(what string, done func() bool) {
		t.Helper()
		for deadline := time.Now().Add(patience); !done(); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("waited in vain: %s", what)
			}
		}
	}
	bus.deaf.Store(true)
	until("the node is unhealthy and has the bus resubscribe", func() bool { return bus.sawErr.Load() != nil })
	if got := *bus.sawErr.Load(); !strings.Contains(got, "does not deliver") {
		t.Error(got)
	}
	bus.cured.Store(true)
	until("the node is healthy", func() bool { return n.Healthy() == nil && !bus.deaf.Load() })
}
