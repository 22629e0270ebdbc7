package core

import (
	"slices"

	"github.com/siokit/siokit/engineio"
	"github.com/siokit/siokit/wire/sio"
)

// A Broadcast addresses some sockets of a namespace, and says how events are sent to them. It is an
// immutable value: every method returns a new one, so it can be kept and shared between goroutines.
// The audience is found when it is used: To("room") means whoever is in the room then.
type Broadcast struct {
	ns     *Namespace
	all    bool     // everybody; otherwise the members of rooms
	rooms  []string // the union counts, each socket once
	except []string // whoever is in one of these is left out
	sender *Socket  // left out

	options emitOptions
}

// To adds rooms to the audience. A broadcast to everybody becomes one to these rooms. The empty
// name means nobody.
func (b Broadcast) To(rooms ...string) Broadcast {
	b.all = false
	b.rooms = append(slices.Clip(b.rooms), slices.DeleteFunc(slices.Clone(rooms), isEmpty)...)
	return b
}

// Except leaves out whoever is in one of the rooms. A socket id is a room.
func (b Broadcast) Except(rooms ...string) Broadcast {
	b.except = append(slices.Clip(b.except), slices.DeleteFunc(slices.Clone(rooms), isEmpty)...)
	return b
}

func isEmpty(room string) bool { return room == "" }

// Emit sends an event to the audience as it is now. The arguments are encoded once, as by
// encoding/json, with every []byte as a binary attachment, at most Config.MaxAttachments; an error says which
// argument cannot be encoded, or that the event's name is reserved, and then nothing was sent.
// Emit does not wait for clients: what a client has not read yet waits in its outbox, and a client
// whose outbox is full is disconnected as SlowConsumer. A client that has not been told yet that it
// is connected gets the event after that.
func (b Broadcast) Emit(event string, args ...any) error {
	if b.ns.parent != nil || b.ns.srv.link != nil || b.ns.recovery != nil {
		return b.emitEncoded(event, args)
	}
	b.ns = b.ns.live()
	m, err := b.ns.srv.encodeEvent(b.ns.name, noAck, event, args)
	if err != nil {
		return err
	}
	if b.nobody() {
		return nil
	}
	if b.ns.observed() {
		b.ns.observe(event, args, b)
	}
	b.put(m)
	return nil
}

// emitEncoded is Emit when one packet is not enough: for the children of a parent, for Recovery, and for
// other processes. Encoding still happens once.
func (b Broadcast) emitEncoded(event string, args []any) error {
	ev, err := b.ns.srv.encoder.Encode(event, args)
	if err != nil || b.nobody() {
		return err
	}
	for _, part := range b.ns.parts() {
		if part.observed() {
			part.observe(event, args, b.in(part))
		}
	}
	if err := b.deliver(ev); err != nil {
		return err
	}
	if b.reachesOthers() {
		b.ns.srv.tellOthers(b, ev)
	}
	return nil
}

// in is the same audience in another namespace.
func (b Broadcast) in(ns *Namespace) Broadcast {
	b.ns = ns
	return b
}

// deliver sends an encoded event to the audience on this node.
func (b Broadcast) deliver(ev sio.EncodedEvent) error {
	for _, part := range b.ns.parts() {
		if err := b.in(part).deliverHere(ev); err != nil {
			return err
		}
	}
	return nil
}

// deliverHere is deliver in a namespace that is nobody's parent.
func (b Broadcast) deliverHere(ev sio.EncodedEvent) error {
	if r := b.ns.recovery; r != nil && b.ns.listed.Load() && !b.options.volatile {
		return r.emit(b, ev, func(batch *engineio.Batch, e logged) error { b.queue(batch, e.message, e.at); return nil })
	}
	m, err := b.ns.srv.packet(b.ns.name, noAck, ev)
	if err != nil {
		return err
	}
	b.put(m)
	return nil
}

// put queues m for the audience.
func (b Broadcast) put(m *engineio.Message) {
	var batch engineio.Batch
	b.queue(&batch, b.options.apply(m), 0)
	batch.Done()
}

// Send emits the event "message", as socket.send does in JavaScript and send() in Flask-SocketIO.
func (b Broadcast) Send(args ...any) error { return b.Emit("message", args...) }

// queue puts m into the outboxes of the audience. at is its offset, 0 without Recovery.
func (b Broadcast) queue(batch *engineio.Batch, m *engineio.Message, at offset) {
	b.each(func(s *Socket) {
		if at != 0 {
			s.sent = at
		}
		_ = s.sendBatch(batch, m, b.options.volatile)
	})
}

// nobody reports whether the audience is empty whoever is connected.
func (b Broadcast) nobody() bool { return !b.all && len(b.rooms) == 0 }

// Sockets returns the audience on this node.
func (b Broadcast) Sockets() []*Socket {
	var sockets []*Socket
	b.each(func(s *Socket) { sockets = append(sockets, s) })
	return sockets
}

// Count returns the size of the audience on this node.
func (b Broadcast) Count() int {
	n := 0
	b.each(func(*Socket) { n++ })
	return n
}
