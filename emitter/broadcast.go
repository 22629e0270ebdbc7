package emitter

import (
	"context"
	"slices"

	"github.com/siokit/siokit/cluster"
)

// A Broadcast addresses some clients of a namespace, on all servers, and says how events are sent to them.
// It is an immutable value: every method returns a new one, so it can be kept and used concurrently. The
// audience is found by the servers, when they receive what is sent.
//
// A context that has ended already makes the methods that send return its error; otherwise it does not
// matter, because they do not wait.
type Broadcast struct {
	ch       *channel
	audience cluster.Audience // its slices are never changed
	volatile bool
	plain    bool // not compressed
}

// To adds rooms to the audience; a socket id is a room. A broadcast to everybody becomes one to these
// rooms. The empty name means nobody.
func (b Broadcast) To(rooms ...string) Broadcast {
	b.audience.All = false
	b.audience.Rooms = named(b.audience.Rooms, rooms)
	return b
}

// Except leaves out whoever is in one of the rooms. Python servers understand socket ids here only: a
// broadcast that leaves out rooms does not reach their clients.
func (b Broadcast) Except(rooms ...string) Broadcast {
	b.audience.Except = named(b.audience.Except, rooms)
	return b
}

// named returns list with the rooms that have a name added.
func named(list, rooms []string) []string {
	return append(slices.Clip(list), slices.DeleteFunc(slices.Clone(rooms), func(room string) bool { return room == "" })...)
}

// Volatile makes the events volatile: a client gets one only if it can leave the server at once. See
// core.Broadcast.Volatile. Until then they are as reliable as others. Python servers do not know that and
// send them like others.
func (b Broadcast) Volatile() Broadcast {
	b.volatile = true
	return b
}

// Compress says whether compression is worth its time: false keeps the servers from compressing the
// event, for data that is compressed already. Default true: compressed where server and client do that.
func (b Broadcast) Compress(on bool) Broadcast {
	b.plain = !on
	return b
}

// Emit sends an event. The arguments are encoded as by encoding/json, with every []byte as a binary
// attachment; they may be changed afterwards. An error says which argument cannot be encoded, that the
// event's name is reserved, or that the emitter is closed, and then nothing was sent. No error does not
// mean that the event has arrived: see Emitter.Dropped.
func (b Broadcast) Emit(ctx context.Context, event string, args ...any) error {
	e, err := b.ch.event(event, args)
	if err != nil {
		return err
	}
	e.Audience, e.Volatile, e.Plain = b.audience, b.volatile, b.plain
	return b.ch.send(ctx, func(out *cluster.Sender) error { return out.Emit(e) })
}

// Send emits the event "message".
func (b Broadcast) Send(ctx context.Context, args ...any) error {
	return b.Emit(ctx, "message", args...)
}

// Join makes the audience join rooms.
func (b Broadcast) Join(ctx context.Context, rooms ...string) error {
	if slices.Contains(rooms, "") {
		return errEmptyRoom
	}
	return b.order(ctx, len(rooms) > 0, func(out *cluster.Sender) error { return out.Join(b.audience, rooms) })
}

// Leave makes the audience leave rooms.
func (b Broadcast) Leave(ctx context.Context, rooms ...string) error {
	rooms = named(nil, rooms)
	return b.order(ctx, len(rooms) > 0, func(out *cluster.Sender) error { return out.Leave(b.audience, rooms) })
}

// Disconnect disconnects the audience from the namespace. Clients see the reason "io server disconnect"
// and do not come back by themselves.
func (b Broadcast) Disconnect(ctx context.Context) error {
	return b.order(ctx, true, func(out *cluster.Sender) error { return out.Disconnect(b.audience, false) })
}

// DisconnectAll disconnects the audience from all namespaces, and closes the connections.
func (b Broadcast) DisconnectAll(ctx context.Context) error {
	return b.order(ctx, true, func(out *cluster.Sender) error { return out.Disconnect(b.audience, true) })
}

// order sends what is not an event, if there is something to do. Nobody's order is checked all the same.
func (b Broadcast) order(ctx context.Context, something bool, f func(out *cluster.Sender) error) error {
	return b.ch.send(ctx, func(out *cluster.Sender) error {
		if !something {
			return nil
		}
		return f(out)
	})
}
