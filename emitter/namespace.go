package emitter

import (
	"context"
	"errors"

	"github.com/siokit/siokit/cluster"
)

// A Namespace addresses the clients in a namespace, and its servers. It is an immutable value, which may
// be kept and used concurrently.
type Namespace struct {
	ch   *channel
	name string
}

// Name returns its name, such as "/" or "/orders".
func (ns Namespace) Name() string { return ns.name }

// Everybody addresses all clients in the namespace.
func (ns Namespace) Everybody() Broadcast {
	return Broadcast{ch: ns.ch, audience: cluster.Audience{Namespace: ns.name, All: true}}
}

// To addresses the members of rooms; a socket id is a room. No rooms, and the empty name, mean nobody.
func (ns Namespace) To(rooms ...string) Broadcast { return ns.Everybody().To(rooms...) }

// Except addresses everybody in the namespace who is in none of the rooms.
func (ns Namespace) Except(rooms ...string) Broadcast { return ns.Everybody().Except(rooms...) }

// Volatile addresses everybody in the namespace with volatile events. See Broadcast.Volatile.
func (ns Namespace) Volatile() Broadcast { return ns.Everybody().Volatile() }

// Compress addresses everybody in the namespace. See Broadcast.Compress.
func (ns Namespace) Compress(on bool) Broadcast { return ns.Everybody().Compress(on) }

// Emit sends an event to everybody in the namespace. See Broadcast.Emit.
func (ns Namespace) Emit(ctx context.Context, event string, args ...any) error {
	return ns.Everybody().Emit(ctx, event, args...)
}

// Send emits the event "message" to everybody in the namespace.
func (ns Namespace) Send(ctx context.Context, args ...any) error {
	return ns.Everybody().Send(ctx, args...)
}

// CloseRoom makes everybody leave a room. They stay connected.
func (ns Namespace) CloseRoom(ctx context.Context, room string) error {
	if room == "" {
		return errEmptyRoom
	}
	return ns.To(room).Leave(ctx, room)
}

var errEmptyRoom = errors.New("emitter: a room needs a name; the empty one means nobody")

// ServerEmit sends an event to all servers, where handlers of core.OnServer get it; clients do not. It
// does not wait, and nothing says whether servers are there. Python processes ignore it.
func (ns Namespace) ServerEmit(ctx context.Context, event string, args ...any) error {
	e, err := ns.ch.event(event, args)
	if err != nil {
		return err
	}
	e.Audience = ns.Everybody().audience
	return ns.ch.send(ctx, func(out *cluster.Sender) error { return out.ServerEmit(e) })
}
