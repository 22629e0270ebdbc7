package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/cluster/membus"
)

// unreachable is a bus whose broker is not there.
type unreachable struct {
	*membus.Bus
	published int
}

var errRefused = errors.New("connection refused")

func (b *unreachable) Subscribe(context.Context, func([]byte)) error { return errRefused }
func (b *unreachable) Publish([]byte) error                          { b.published++; return nil }

// A node that could not start has nobody to say goodbye to: its Close, which waits for what was published,
// would wait for a broker that is not there.
func TestNoGoodbyeWithoutABroker(t *testing.T) {
	bus := &unreachable{Bus: new(membus.Hub).Bus()}
	n, err := cluster.NewNode(bus, cluster.Options{Logger: slog.New(slog.DiscardHandler)})
	check(t, err)
	if err := n.Start(t.Context(), &recorder{}); !errors.Is(err, errRefused) {
		t.Fatal(err)
	}
	check(t, n.Close(t.Context()))
	if bus.published > 0 {
		t.Errorf("%d messages were published", bus.published)
	}
}

// Answers that cannot be read, and the end of the node at the same time, do not wait for each other.
func TestBadAnswersWhileClosing(t *testing.T) {
	for range 100 {
		p := newPair(t, cluster.Options{})
		p.inject(`{"method":"go.hello","host_id":"x","go":{"seq":1}}`)
		know(t, p.node, 1)
		var asking sync.WaitGroup
		asking.Go(func() { _, _ = p.node.Fetch(context.Background(), cluster.Audience{Namespace: "/", All: true}) })
		id := ""
		for id == "" {
			if _, rest, ok := strings.Cut(<-p.seen, `"request":"`); ok {
				id, _, _ = strings.Cut(rest, `"`)
			}
		}
		for seq := range 50 {
			p.inject(fmt.Sprintf(`{"method":"go.reply","host_id":"x","go":{"seq":%d,"to":%q,"request":%q,"sockets":[1]}}`, seq+2, p.node.ID(), id))
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		closed := make(chan error, 1)
		go func() { closed <- p.node.Close(ctx) }()
		select {
		case err := <-closed:
			check(t, err)
		case <-ctx.Done():
			t.Fatal("Close does not return")
		}
		cancel()
		asking.Wait()
	}
}
