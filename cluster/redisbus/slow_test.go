package redisbus_test

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/cluster/internal/brokertest"
)

// heldServer is a quietServer that stands still when it gets an event, until it is released.
type heldServer struct {
	quietServer
	release chan struct{}
	mu      sync.Mutex
	events  int // guarded by mu
}

func (s *heldServer) Emit(e *cluster.Emit) {
	<-s.release
	s.mu.Lock()
	s.events++
	s.mu.Unlock()
	s.quietServer.Emit(e)
}

// F-08c: Redis cuts off a subscriber that is too slow: it comes back, and counts what it has missed.
func TestSlowSubscriberIsCutOff(t *testing.T) {
	addr := brokertest.Redis(t, "--client-output-buffer-limit", "pubsub 1mb 1mb 1").Addr
	a, _ := startNode(t, addr, "c", cluster.Options{})
	slow := &heldServer{release: make(chan struct{})}
	b := startLocal(t, addr, "c", cluster.Options{}, slow)
	release := sync.OnceFunc(func() { close(slow.release) })
	defer release()
	until(t, "the nodes know each other", func() bool { return len(a.Nodes())+len(b.Nodes()) == 2 })

	rdb := redis.NewClient(&redis.Options{Addr: addr})
	defer rdb.Close()
	subscribers := func() int64 {
		n, err := rdb.PubSubNumSub(t.Context(), "c").Result()
		if err != nil {
			t.Fatal(err)
		}
		return n["c"]
	}
	n := 0
	emit := func(data string) {
		n++
		a.Emit(&cluster.Emit{Audience: cluster.Audience{Namespace: "/", All: true}, Event: "e", Data: []byte(data)})
	}
	large := fmt.Sprintf(`["%s"]`, bytes.Repeat([]byte("x"), 10_000))
	until(t, "Redis cuts the slow one off", func() bool { emit(large); return subscribers() == 1 })
	release()
	got := func(data string) bool {
		last := slow.last.Load()
		return last != nil && string(last.Data) == data
	}
	until(t, "an event after it is back", func() bool { emit(`["back"]`); return got(`["back"]`) })
	emit(`["last"]`)
	until(t, "the last event", func() bool { return got(`["last"]`) })
	slow.mu.Lock()
	missing := int64(n - slow.events)
	slow.mu.Unlock()
	if lost := b.Stats().Lost; lost == 0 || missing > lost {
		t.Errorf("%d of %d events are missing, and %d are counted as lost", missing, n, lost)
	}
	if dropped := a.Stats().Dropped; dropped != 0 {
		t.Errorf("%d messages were dropped by the sender", dropped)
	}
}
