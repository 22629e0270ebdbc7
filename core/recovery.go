package core

import (
	"fmt"
	"maps"
	"time"

	"github.com/siokit/siokit/engineio"
)

// Recovery switches connection state recovery on (Socket.IO 4.6 and newer): a client that was cut off
// and comes back within Window gets its socket id, its rooms, what SetData kept, and every event that
// it missed. Socket.Recovered then reports true, and in JavaScript socket.recovered.
//
// It differs from the Node server where that is unsafe or loses events. Guards and OnConnect always
// run. A session can be taken up once, by the same user (Config.Authenticate's principal, or a
// token's) in the same namespace, and also when the client had not received anything yet. The client
// is told that it is connected before it gets what it missed.
//
// OnDisconnect runs when a client is cut off, for nobody knows whether it will come back, and OnConnect when it has.
// Guards find rooms and data as they were: one that sets data for every client replaces them, so it should ask
// Recovered first.
//
// What it costs: every event without an ack carries its offset as one more argument, a string, which
// handlers of all clients see; emits to one namespace take turns; and the bounds below are memory.
// Events emitted with Volatile, or with an ack (Call, Gather), are not kept. Sessions are kept after
// the reasons TransportClose, TransportError, PingTimeout, ForcedClose, ForcedServerClose and
// ServerShutdown, in the memory of this process: behind a load balancer clients must come back to it.
type Recovery struct {
	Window      time.Duration // how long a session waits for its client; default 2 min
	MaxSessions int           // that wait, per namespace; default 10,000, the oldest give way
	MaxPackets  int           // events kept per namespace; default 10,000, the oldest give way
	MaxBytes    int           // of these events, per namespace; default 16 MiB
}

func (cfg Recovery) withDefaults() (Recovery, error) {
	if cfg.Window == 0 {
		cfg.Window = 2 * time.Minute
	}
	if cfg.Window < 0 {
		return cfg, fmt.Errorf("core: Recovery.Window must not be negative, got %s", cfg.Window)
	}
	for _, f := range []struct {
		name  string
		value *int
		def   int
	}{{"MaxSessions", &cfg.MaxSessions, 10_000}, {"MaxPackets", &cfg.MaxPackets, 10_000}, {"MaxBytes", &cfg.MaxBytes, 16 << 20}} {
		if *f.value == 0 {
			*f.value = f.def
		}
		if *f.value < 1 {
			return cfg, fmt.Errorf("core: Recovery.%s must be at least 1, got %d", f.name, *f.value)
		}
	}
	return cfg, nil
}

// recoverable are the reasons after which a client may come back: those by which it was cut off.
func (r Reason) recoverable() bool {
	switch r {
	case TransportClose, TransportError, PingTimeout, ForcedClose, ForcedServerClose, ServerShutdown:
		return true
	}
	return false
}

// Recovered reports whether the client came back to a session of before (see Recovery). It has its
// rooms and data again, and OnConnect need not send what it sends to a new client.
func (s *Socket) Recovered() bool { return s.resumed != nil }

// resume makes a new socket the one that the client was cut off from.
func (s *Socket) resume(pid string, r *resumption) {
	s.id, s.pid, s.born, s.resumed = r.id, pid, r.born, r
	s.rooms = maps.Clone(r.rooms) // the socket of before still shows its own in OnDisconnect
	s.values.Store(&r.data)
}

// emitKept is Emit with Recovery: what a client is not there to read now it gets when it comes back.
func (e Emitter) emitKept(r *recovery, event string, args []any) error {
	s := e.socket
	if s.client.revoked() {
		return ErrDisconnected
	}
	ev, err := s.ns.srv.encoder.Encode(event, args)
	if err != nil {
		return err
	}
	if s.ns.observed() {
		s.ns.observe(event, args, e.audience())
	}
	return r.emit(e.audience(), ev, func(b *engineio.Batch, l logged) error {
		s.sent = l.at
		if kept, err := s.keepEarly(l.message); kept || err != nil {
			return err
		}
		b.Send(s.client.conn, l.message)
		return nil
	})
}

// sessionOwner is the string key under which a Context may name the user that a Guard has found, so
// that a session is taken up by nobody else. auth.Tokens does; core does not import auth.
const sessionOwner = "github.com/siokit/siokit/core.owner"

// principal says whose the socket is, in the connection and in this namespace.
func (s *Socket) principal() string {
	owner, _ := s.value(sessionOwner)
	name, _ := owner.(string)
	return s.client.principal + "\x00" + name
}
