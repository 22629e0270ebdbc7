package siotest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/wire/arguments"
)

// A Receiver is a *Client, for the namespace that it was dialled with, or a *Socket.
type Receiver interface{ received() *inbox }

// An Event is one that has arrived.
type Event struct {
	Name string
	Args client.Args
}

// String shows the event as JSON.
func (e Event) String() string {
	var b strings.Builder
	b.WriteString(e.Name)
	for i := range e.Args.Len() {
		fmt.Fprintf(&b, " %.200s", e.Args.Raw(i))
	}
	return b.String()
}

// inbox is what has arrived in a namespace and no test has taken yet.
type inbox struct {
	t         source
	namespace string

	mu      sync.Mutex
	events  []Event       // guarded by mu
	seen    []Event       // the last that were taken, for texts; guarded by mu
	reason  client.Reason // why it was disconnected; guarded by mu
	changed chan struct{} // closed and replaced at each change; guarded by mu
}

func newInbox(t source, s *client.Socket) *inbox {
	in := &inbox{t: t, namespace: s.Namespace(), changed: make(chan struct{})}
	s.OnAny(func(_ context.Context, event string, args client.Args) {
		in.change(func() { in.events = append(in.events, Event{event, args}) })
	})
	s.OnDisconnect(func(_ context.Context, reason client.Reason) { in.change(func() { in.reason = reason }) })
	s.OnConnect(func(context.Context) { in.change(func() { in.reason = "" }) })
	return in
}

func (in *inbox) received() *inbox { return in }

func (in *inbox) change(f func()) {
	in.mu.Lock()
	defer in.mu.Unlock()
	f()
	close(in.changed)
	in.changed = make(chan struct{})
}

// await waits until f, called with mu held, is true.
func (in *inbox) await(timeout time.Duration, f func() bool) bool {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	for {
		in.mu.Lock()
		ok, changed := f(), in.changed
		in.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-changed:
		case <-timer.C:
			return false
		}
	}
}

// take removes the first event of that name.
func (in *inbox) takeLocked(event string) (e Event, ok bool) {
	i := slices.IndexFunc(in.events, func(e Event) bool { return e.Name == event })
	if i < 0 {
		return e, false
	}
	e = in.events[i]
	in.events = slices.Delete(in.events, i, i+1)
	in.seen = append(in.seen, e)
	return e, true
}

// story says what has happened, for a test that fails.
func (in *inbox) story() string {
	in.mu.Lock()
	defer in.mu.Unlock()
	var b strings.Builder
	list := func(title string, events []Event) {
		fmt.Fprintf(&b, "\n%s:", title)
		if len(events) == 0 {
			b.WriteString(" nothing")
		}
		for _, e := range events[max(0, len(events)-20):] {
			fmt.Fprintf(&b, "\n\t%s", e)
		}
	}
	list("arrived and not asked for", in.events)
	list("taken before", in.seen)
	if in.reason != "" {
		fmt.Fprintf(&b, "\nand the client was disconnected: %s", in.reason)
	}
	return b.String()
}

// Next waits for the next event of that name and decodes its arguments into T, by the rules of client.On: one
// argument, or client.None, client.Args2 to Args4, client.Args. Events of other names are left for later. The test fails if it does not come.
func Next[T any](from Receiver, event string) T {
	in := from.received()
	in.t.Helper()
	var got Event
	if !in.await(patience, func() (ok bool) { got, ok = in.takeLocked(event); return ok }) {
		in.t.Fatalf("siotest: no event %q in %s within %s%s", event, in.namespace, patience, in.story())
	}
	var out T
	packet := arguments.Packet(got.Args)
	err := arguments.Decode(&out, packet)
	if n := len(packet.Raw); err != nil && n > 0 && packet.Raw[n-1][0] == '"' {
		// With connection state recovery servers append a text to every event.
		packet.Raw = packet.Raw[:n-1]
		var shorter T
		if arguments.Decode(&shorter, packet) == nil {
			return shorter
		}
	}
	if err != nil {
		in.t.Fatalf("siotest: the event %s does not fit %T: %v", got, out, err)
	}
	return out
}

// quiet is how long ExpectNone waits: what is on its way arrives in that time.
const quiet = 50 * time.Millisecond

// ExpectNone fails the test if an event of that name has arrived, or does so soon: it waits 50 ms, which in a bubble of
// testing/synctest take no time. Better than waiting is an event that must come later: when Next has
// returned that one, everything before it is there.
func ExpectNone(from Receiver, event string) {
	in := from.received()
	in.t.Helper()
	var got Event
	if in.await(quiet, func() (ok bool) { got, ok = in.takeLocked(event); return ok }) {
		in.t.Fatalf("siotest: unexpected event in %s: %s%s", in.namespace, got, in.story())
	}
}

// Received returns all events that have arrived and were not taken by Next, and forgets them.
func (in *inbox) Received() []Event {
	in.mu.Lock()
	defer in.mu.Unlock()
	events := in.events
	in.seen = append(in.seen, events...)
	in.events = nil
	return events
}

// Disconnected waits until the client has left the namespace and returns why. The test fails if it stays.
func (in *inbox) Disconnected() client.Reason {
	in.t.Helper()
	var reason client.Reason
	if !in.await(patience, func() bool { reason = in.reason; return reason != "" }) {
		in.t.Fatalf("siotest: still connected to %s after %s%s", in.namespace, patience, in.story())
	}
	return reason
}
