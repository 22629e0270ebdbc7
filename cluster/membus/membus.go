// Package membus is a bus inside one process: servers that share a Hub are a cluster. It is for tests,
// and for the documentation of what a bus does.
package membus

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// A Hub is the broker. The zero Hub is ready to use; its methods may be called concurrently.
type Hub struct {
	mu    sync.Mutex
	buses []*Bus // that have subscribed; guarded by mu
	down  bool   // guarded by mu
}

// ErrDown is what a bus reports while its hub is down.
var ErrDown = errors.New("membus: the hub is down")

// Bus returns a new bus on the hub, which implements cluster.Bus.
func (h *Hub) Bus() *Bus {
	return &Bus{hub: h, wake: make(chan struct{}, 1), done: make(chan struct{})}
}

// SetDown makes the hub behave like a broker that is away: messages are lost, which their buses count,
// until it is back.
func (h *Hub) SetDown(down bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.down = down
}

// A Bus is one process's access to a Hub.
type Bus struct {
	hub  *Hub
	wake chan struct{} // tells the receiver that inbox has grown
	done chan struct{} // closed when the receiver has ended

	mu         sync.Mutex
	inbox      [][]byte // guarded by mu
	subscribed bool     // guarded by mu
	closed     bool     // guarded by mu
	dropped    int64    // guarded by mu
}

var errClosed = errors.New("membus: the bus is closed")

// Publish implements cluster.Bus.
func (b *Bus) Publish(msg []byte) error {
	b.mu.Lock()
	closed := b.closed
	b.mu.Unlock()
	if closed {
		return errClosed
	}
	b.hub.mu.Lock()
	defer b.hub.mu.Unlock()
	if b.hub.down {
		b.mu.Lock()
		b.dropped++
		b.mu.Unlock()
		return nil
	}
	for _, other := range b.hub.buses {
		other.deliver(msg)
	}
	return nil
}

func (b *Bus) deliver(msg []byte) {
	b.mu.Lock()
	b.inbox = append(b.inbox, msg)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Subscribe implements cluster.Bus. It fails while the hub is down.
func (b *Bus) Subscribe(_ context.Context, receive func(msg []byte)) error {
	b.hub.mu.Lock()
	defer b.hub.mu.Unlock()
	if b.hub.down {
		return ErrDown
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.subscribed {
		return errors.New("membus: Subscribe was called twice, or after Close")
	}
	b.subscribed = true
	b.hub.buses = append(b.hub.buses, b)
	go b.run(receive)
	return nil
}

func (b *Bus) run(receive func(msg []byte)) {
	defer close(b.done)
	for range b.wake {
		b.mu.Lock()
		inbox, closed := b.inbox, b.closed
		b.inbox = nil
		b.mu.Unlock()
		if closed {
			return
		}
		for _, msg := range inbox {
			receive(msg)
		}
	}
}

// Healthy implements cluster.Bus.
func (b *Bus) Healthy() error {
	b.hub.mu.Lock()
	defer b.hub.mu.Unlock()
	if b.hub.down {
		return ErrDown
	}
	return nil
}

// Dropped implements cluster.Bus.
func (b *Bus) Dropped() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dropped
}

// Close implements cluster.Bus.
func (b *Bus) Close(ctx context.Context) error {
	b.hub.mu.Lock()
	b.hub.buses = slices.DeleteFunc(b.hub.buses, func(other *Bus) bool { return other == b })
	b.hub.mu.Unlock()
	b.mu.Lock()
	was, running := b.closed, b.subscribed
	b.closed = true
	b.mu.Unlock()
	if was || !running {
		return nil
	}
	select {
	case b.wake <- struct{}{}:
	default:
	}
	select {
	case <-b.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
