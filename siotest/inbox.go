package siotest

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/wire/arguments"
)

// A Receiver is a *Client, for the namespace that it was dialled with, or a *Socket.
type Receiver interface {
	client.Target
	ID() string
	Connected() bool
	Emit(event string, args ...any)
	Received() []Event
	Disconnected() client.Reason
	Reconnected()
	received() *inbox
}

// An Event is one that has arrived, without the offset that connection state recovery appends.
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
	t         testing.TB
	namespace string
	returns   bool // the client is Reconnecting
	limits    limits
	failures  *failures

	mu      sync.Mutex    // guards all below
	changed chan struct{} // closed and replaced at each change
	events  []Event
	taken   []Event       // the last few, for texts
	inside  bool          // the namespace is joined
	joins   int           // how often that was so
	known   int           // joins that the test knows of
	reason  client.Reason // of the last disconnect
	news    bool          // the test has not seen reason
}

// remembered is how many events texts show.
const remembered = 20

func newInbox(by *Server, d dialing, s *client.Socket) *inbox {
	in := &inbox{t: by.t, namespace: s.Namespace(), returns: d.reconnect, limits: d.limits, failures: by.failures, changed: make(chan struct{}), known: 1}
	s.OnArrival(func(event string, args client.Args) { // before an ack that comes after it
		in.change(func() { in.events = append(in.events, Event{event, withoutOffset(args)}) })
	})
	s.OnDisconnect(func(_ context.Context, reason client.Reason) {
		in.change(func() { in.inside, in.reason, in.news = false, reason, true })
	})
	s.OnConnect(func(context.Context) { in.change(func() { in.inside, in.joins = true, in.joins+1 }) })
	return in
}

// offset is what package core appends to events with connection state recovery. Tests do not send so many events
// that it has fewer dashes, and no application says such a thing.
var offset = regexp.MustCompile(`^"-{4,9}[0-9a-z]+"$`)

func withoutOffset(args client.Args) client.Args {
	p := arguments.Packet(args)
	if n := len(p.Raw); n > 0 && len(p.Raw[n-1]) == len(`"----------"`) && offset.Match(p.Raw[n-1]) {
		p.Raw = p.Raw[:n-1]
	}
	return arguments.Undecoded(p)
}

// joined waits until the namespace has been joined so often, and returns how often it was.
func (in *inbox) joined(least int) (joins int) {
	in.await(in.patience(), func() bool { joins = in.joins; return joins >= least })
	return joins
}

// expectJoin notes that the test itself joins the namespace again.
func (in *inbox) expectJoin() { in.change(func() { in.known++ }) }

func (in *inbox) received() *inbox { return in }

func (in *inbox) patience() time.Duration { return in.limits.within(in.limits.patience) }

// gone reports that no event can come any more.
func (in *inbox) goneLocked() bool { return !in.returns && !in.inside && in.reason != "" }

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

// takeLocked removes the first event of that name.
func (in *inbox) takeLocked(event string) (e Event, ok bool) {
	i := slices.IndexFunc(in.events, func(e Event) bool { return e.Name == event })
	if i < 0 {
		return e, false
	}
	e = in.events[i]
	in.events = slices.Delete(in.events, i, i+1)
	in.rememberLocked(e)
	return e, true
}

func (in *inbox) rememberLocked(taken ...Event) {
	in.taken = append(in.taken, taken...)
	in.taken = in.taken[max(0, len(in.taken)-remembered):]
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
		for _, e := range events[max(0, len(events)-remembered):] {
			fmt.Fprintf(&b, "\n\t%s", e)
		}
	}
	list("arrived and not asked for", in.events)
	list("taken before", in.taken)
	if !in.inside && in.reason != "" {
		fmt.Fprintf(&b, "\nand the client was disconnected: %s", in.reason)
	}
	b.WriteString(in.failures.story())
	return b.String()
}

// Next waits for the next event of that name and decodes its arguments into T, by the rules of client.On: one
// argument, or client.None, client.Args2 to Args4, client.Args. Events of other names are left for later. The
// test fails if it does not come within Server.Patience, at once if the client has left, and if it does not fit.
func Next[T any](from Receiver, event string) T {
	in := from.received()
	in.t.Helper()
	var got Event
	var ok bool
	within := in.patience()
	in.await(within, func() bool { got, ok = in.takeLocked(event); return ok || in.goneLocked() })
	if !ok {
		in.t.Fatalf("siotest: no event %q in %s within %s%s", event, in.namespace, within, in.story())
	}
	var out T
	if err := arguments.Decode(&out, arguments.Packet(got.Args)); err != nil {
		in.t.Fatalf("siotest: the event %s does not fit %T: %v", got, out, err)
	}
	return out
}

// ExpectNone fails the test if an event of that name has arrived, or does so soon: it waits for Server.Quiet,
// 50 ms, which in a bubble of testing/synctest take no time. Better than waiting is an event that must come later: when Next
// has returned that one, everything before it is there.
func ExpectNone(from Receiver, event string) {
	in := from.received()
	in.t.Helper()
	var got Event
	if in.await(in.limits.quiet, func() (ok bool) { got, ok = in.takeLocked(event); return ok }) {
		in.t.Fatalf("siotest: unexpected event in %s: %s%s", in.namespace, got, in.story())
	}
}

// Received returns all events that have arrived and were not taken, and forgets them.
//
// In a bubble it first waits until nothing is on its way any more: everything is there that was caused before.
// Elsewhere it does not wait. What the server sent to the client before an ack that Call has returned, or before an
// event that Next has, is there; for anything else wait with one of these.
func (in *inbox) Received() []Event {
	settle()
	in.mu.Lock()
	defer in.mu.Unlock()
	events := in.events
	in.rememberLocked(events...)
	in.events = nil
	return events
}

// Disconnected waits until the client has left the namespace, and returns why. A client that has come back since
// is told of once. The test fails if it stays for longer than Server.Patience. Whether it is connected right now says Connected.
func (in *inbox) Disconnected() client.Reason {
	in.t.Helper()
	var reason client.Reason
	within := in.patience()
	if !in.await(within, func() bool {
		reason = in.reason
		ok := in.news || !in.inside && in.reason != ""
		in.news = in.news && !ok
		return ok
	}) {
		in.t.Fatalf("siotest: still connected to %s after %s%s", in.namespace, within, in.story())
	}
	return reason
}

// Reconnected waits until a client that is Reconnecting has joined the namespace once more than when it was last
// called. The test fails if that takes more than three times Server.Patience: attempts are some seconds apart.
func (in *inbox) Reconnected() {
	in.t.Helper()
	within := in.limits.within(3 * in.limits.patience)
	if !in.await(within, func() bool {
		ok := in.inside && in.joins > in.known
		if ok {
			in.known = in.joins
		}
		return ok
	}) {
		in.t.Fatalf("siotest: not joined %s again within %s%s", in.namespace, within, in.story())
	}
}
