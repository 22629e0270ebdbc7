package conformance

import (
	"sync"
	"time"

	"github.com/siokit/siokit/core"
)

// A chatter sends one socket numbered messages from a goroutine of its own, and remembers the numbers
// that came from the client, so that a lost, doubled or misplaced one shows.
type chatter struct {
	mu       sync.Mutex
	chatting bool  // guarded by mu
	sent     int   // guarded by mu
	received []int // guarded by mu
}

func answerTorture(ns *core.Namespace) {
	var mu sync.Mutex
	chatters := map[string]*chatter{} // by socket id; guarded by mu
	of := func(c *core.Context) *chatter {
		mu.Lock()
		defer mu.Unlock()
		if chatters[c.ID()] == nil {
			chatters[c.ID()] = &chatter{received: []int{}}
		}
		return chatters[c.ID()]
	}
	ns.OnDisconnect(func(c *core.Context, _ core.Reason) {
		mu.Lock()
		defer mu.Unlock()
		delete(chatters, c.ID())
	})
	core.On(ns, "start ticks", func(c *core.Context, _ core.None) error {
		ch := of(c)
		ch.mu.Lock()
		defer ch.mu.Unlock()
		ch.chatting = true
		go ch.chat(c)
		return nil
	})
	core.On(ns, "tock", func(c *core.Context, in core.Args) error {
		ch := of(c)
		ch.mu.Lock()
		defer ch.mu.Unlock()
		var i int
		if err := in.Decode(0, &i); err != nil {
			return err
		}
		ch.received = append(ch.received, i)
		return nil
	})
	core.OnCall(ns, "stop ticks", func(c *core.Context, _ core.None) (core.Args2[int, []int], error) {
		ch := of(c)
		ch.mu.Lock()
		defer ch.mu.Unlock()
		ch.chatting = false
		return core.Args2[int, []int]{A: ch.sent, B: ch.received}, nil
	})
}

// chat emits until it is told to stop or the client is gone: pairs, 400 numbers a second. Dozens of
// clients share one JavaScript thread, and one that cannot keep up tests its backlog, not the upgrade.
func (ch *chatter) chat(c *core.Context) {
	for ch.tick(c) {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-c.Done():
			return
		}
	}
}

// tick emits the next numbers and reports whether to go on. The lock keeps "stop ticks" from
// answering between an emit and its count.
func (ch *chatter) tick(c *core.Context) bool {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	for range 2 {
		if !ch.chatting {
			return false
		}
		var payload any = "text"
		if ch.sent%7 == 0 {
			payload = []byte{byte(ch.sent), 1, 2}
		}
		if c.Emit("tick", ch.sent, payload) != nil {
			return false
		}
		ch.sent++
	}
	return true
}
