package core

import (
	"time"

	"github.com/siokit/siokit/engineio"
)

// emitOptions are how an event is to be sent.
type emitOptions struct {
	volatile     bool
	uncompressed bool
	local        bool          // not to the other processes of a cluster
	timeout      time.Duration // of acks; 0 when nothing was said
}

// apply returns m as the options want it.
func (o emitOptions) apply(m *engineio.Message) *engineio.Message {
	if o.uncompressed {
		return m.Uncompressed()
	}
	return m
}

// An Emitter sends to one client with options:
//
//	c.Volatile().Emit("position", x, y)
//
// It is an immutable value: every method returns a new one, so it can be kept and shared between
// goroutines. To emit to several clients with options see Broadcast.
type Emitter struct {
	socket  *Socket
	options emitOptions
}

// One addresses one client: a *Socket, a *Context (the client of the event) or an Emitter.
type One interface{ one() Emitter }

func (s *Socket) one() Emitter { return Emitter{socket: s} }
func (e Emitter) one() Emitter { return e }

// Volatile makes an Emitter for events that are better lost than late. See Broadcast.Volatile.
func (s *Socket) Volatile() Emitter { return s.one().Volatile() }

// Compress makes an Emitter that says whether compression is worth its time. See
// Broadcast.Compress.
func (s *Socket) Compress(on bool) Emitter { return s.one().Compress(on) }

// Timeout makes an Emitter that waits so long for an ack. See Emitter.Timeout.
func (s *Socket) Timeout(d time.Duration) Emitter { return s.one().Timeout(d) }

// Volatile makes the events volatile. See Broadcast.Volatile.
func (e Emitter) Volatile() Emitter {
	e.options.volatile = true
	return e
}

// Compress says whether compression is worth its time. See Broadcast.Compress.
func (e Emitter) Compress(on bool) Emitter {
	e.options.uncompressed = !on
	return e
}

// Timeout says how long EmitFunc and CallSocket wait for the ack. Default, also for 0 or less,
// Config.CallTimeout. It does nothing for Emit.
func (e Emitter) Timeout(d time.Duration) Emitter {
	e.options.timeout = d
	return e
}

// Emit sends an event to the client. See Socket.Emit.
func (e Emitter) Emit(event string, args ...any) error { return e.emit(noAck, event, args) }

// Send emits the event "message".
func (e Emitter) Send(args ...any) error { return e.emit(noAck, "message", args) }

// audience is the client as a Broadcast.
func (e Emitter) audience() Broadcast {
	return Broadcast{ns: e.socket.ns, rooms: []string{e.socket.id}, options: e.options}
}

// emit sends an event, with the id of its ack or noAck.
func (e Emitter) emit(id int64, event string, args []any) error {
	ns := e.socket.ns
	if r := ns.recovery; r != nil && id == noAck && !e.options.volatile {
		return e.emitKept(r, event, args)
	}
	m, err := ns.srv.encodeEvent(ns.name, id, event, args)
	if err != nil {
		return err
	}
	if ns.observed() {
		ns.observe(event, args, e.audience())
	}
	m = e.options.apply(m)
	if !e.options.volatile {
		return e.socket.send(m)
	}
	sent, err := e.socket.sendVolatile(m)
	if err == nil && !sent && id != noAck {
		return ErrNotWritable
	}
	return err
}
