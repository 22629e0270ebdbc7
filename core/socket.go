package core

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"sync"
	"sync/atomic"

	"github.com/siokit/siokit/engineio"
	"github.com/siokit/siokit/wire/sio"
)

// A Socket is one client in one namespace, from its CONNECT to its disconnect. It may be kept
// and its methods called from anywhere, concurrently. They do not block, and after the client
// has left they return ErrDisconnected or do nothing.
type Socket struct {
	id     string
	ns     *Namespace
	client *client
	ctx    context.Context // ends with the socket; its cause is a *DisconnectError
	cancel context.CancelCauseFunc
	auth   json.RawMessage             // the CONNECT's auth payload, nil when there was none
	values atomic.Pointer[map[any]any] // by SetValue; the maps never change, nil when there are none

	state      atomic.Int32        // socketConnecting, socketConnected, socketClosed; written under mu
	rooms      map[string]struct{} // without the own room; guarded by ns.mu
	registered bool                // ns knows the socket; guarded by ns.mu

	mu      sync.Mutex
	pid     string      // with Recovery: by which the client takes its session up, a secret; set once, like the next three
	resumed *resumption // the session that it was before
	born    offset      // see savedSession
	since   offset      // likewise; guarded by recovery.mu
	sent    offset      // likewise; guarded by recovery.mu

	early   []*engineio.Message // emitted before the CONNECT reply; guarded by mu
	earlyN  int                 // bytes in early; guarded by mu
	reason  Reason              // guarded by mu; set once
	acks    ackTable            // guarded by mu
	queue   eventQueue          // guarded by mu
	left    bool                // the server ended it: stray packets of the client are ignored; guarded by client.mu
	greeted bool                // OnConnect accepted it; owned by the dispatcher
}

const (
	socketConnecting int32 = iota // middleware and OnConnect are running
	socketConnected
	socketClosed
)

func newSocket(c *client, ns *Namespace, auth []byte) *Socket {
	s := &Socket{id: newSocketID(), ns: ns, client: c, auth: auth}
	// Not a child of c.ctx, whose own cause would win: close ends it, with a *DisconnectError.
	s.ctx, s.cancel = context.WithCancelCause(context.WithoutCancel(c.ctx))
	s.queue.space.L = &s.mu
	if ns.recovery != nil {
		s.pid, s.born = newSocketID(), ns.recovery.now()
	}
	return s
}

const socketIDLength = 20

// newSocketID returns 20 URL-safe characters: the length by which Node's adapters recognise a
// socket id. It is public, unlike the engine's session id.
func newSocketID() string {
	var b [15]byte
	_, _ = rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// ID returns the socket's id, which is also the name of its own room. It is not secret.
func (s *Socket) ID() string { return s.id }

// Namespace returns the namespace that the socket is in.
func (s *Socket) Namespace() *Namespace { return s.ns }

// Handshake describes the HTTP request that opened the connection.
func (s *Socket) Handshake() *Handshake { return s.client.handshake }

// Transport returns "polling" or "websocket".
func (s *Socket) Transport() string { return s.client.conn.Transport() }

// Connected reports whether the client has been told that it is connected and has not left.
func (s *Socket) Connected() bool { return s.state.Load() == socketConnected }

// Auth decodes the auth payload that the client sent for this namespace into the value that v
// points to. Field names must match exactly: with encoding/json's rules, {"ADMIN":true} would
// set a field named admin. Without a payload v is left alone.
func (s *Socket) Auth(v any) error { return sio.DecodeExact(s.auth, v) }

// Emit sends an event to this client. See Broadcast.Emit for the arguments. It returns
// ErrDisconnected once the client has left, also in OnDisconnect. Before the client has been told
// that it is connected at most 8,192 packets and 1 MiB are kept for it.
func (s *Socket) Emit(event string, args ...any) error { return s.one().emit(noAck, event, args) }

// Send emits the event "message", as socket.send does in JavaScript.
func (s *Socket) Send(args ...any) error { return s.one().emit(noAck, "message", args) }

// To addresses the members of the rooms, except this socket, as socket.to does in JavaScript.
// (Server.To and Namespace.To include everybody.)
func (s *Socket) To(rooms ...string) Broadcast {
	return Broadcast{ns: s.ns, sender: s}.To(rooms...)
}

// Broadcast addresses everybody in the namespace except this socket.
func (s *Socket) Broadcast() Broadcast { return Broadcast{ns: s.ns, all: true, sender: s} }

// Disconnect makes the client leave the namespace, with reason ServerNamespaceDisconnect. The
// client is told ("io server disconnect" in JavaScript), and the official clients then do not
// reconnect by themselves. Events that wait for their handler are dropped. In middleware
// and in OnConnect it refuses the client.
func (s *Socket) Disconnect() { s.leave(nil) }

// DisconnectBecause is Disconnect with the error behind it: context.Cause wraps it. When it was made
// for clients (see Error) the client is told why first, see Config.EndedEvent; in middleware and in
// OnConnect it is then the refusal.
func (s *Socket) DisconnectBecause(cause error) { s.leave(cause) }

// DisconnectAll makes the client leave all its namespaces and closes the connection, once what
// is queued for it has been written.
func (s *Socket) DisconnectAll() { s.client.disconnect(nil) }

// leave ends the socket from the server's side.
func (s *Socket) leave(cause error) {
	farewell, open := s.dismiss(cause)
	if !open {
		return
	}
	var batch engineio.Batch
	for _, m := range farewell {
		batch.Send(s.client.conn, m)
	}
	batch.Done()
	s.client.vacated()
}

// dismiss is leave without the farewell, which the caller must send.
func (s *Socket) dismiss(cause error) (farewell []*engineio.Message, open bool) {
	s.client.forget(s)
	was, open := s.end(ServerNamespaceDisconnect, cause)
	switch {
	case !open:
		return nil, false
	case was == socketConnected:
		return s.farewell(cause), true
	}
	refusal := cause // the client waits for an answer
	if !isForClient(cause) {
		refusal = errSentAway
	}
	if err := s.client.refuse(s.ns.name, refusal); err != nil {
		s.client.conn.CloseBecause(engineio.ForcedClose, err)
		return nil, false
	}
	return nil, true
}

var errSentAway = &ConnectError{Message: "disconnected by the server"}

// send queues m for the client, behind the CONNECT reply if that is still to come.
func (s *Socket) send(m *engineio.Message) error {
	if s.client.ctx.Err() != nil {
		return ErrDisconnected
	}
	if kept, err := s.keepEarly(m); kept || err != nil {
		return err
	}
	return sendError(s.client.conn.Send(m))
}

// sendVolatile is send for what is better lost than late.
func (s *Socket) sendVolatile(m *engineio.Message) (sent bool, err error) {
	if s.client.ctx.Err() != nil || s.state.Load() == socketClosed {
		return false, ErrDisconnected
	}
	if s.Connected() {
		sent, err = s.client.conn.SendVolatile(m)
	}
	if !sent && err == nil {
		s.client.srv.volatileDrops.Add(1)
	}
	return sent, sendError(err)
}

// sendBatch is send, or sendVolatile, as part of a broadcast.
func (s *Socket) sendBatch(b *engineio.Batch, m *engineio.Message, volatile bool) error {
	if s.client.ctx.Err() != nil {
		return ErrDisconnected
	}
	if volatile {
		if s.Connected() && b.SendVolatile(s.client.conn, m) {
			return nil
		}
		s.client.srv.volatileDrops.Add(1)
		return ErrNotWritable
	}
	if kept, err := s.keepEarly(m); kept || err != nil {
		return err
	}
	b.Send(s.client.conn, m)
	return nil
}

// keepEarly keeps m for after the CONNECT reply if that has not been queued. The bounds of an
// outbox hold; what goes beyond them is an error for the emitter and lost in a broadcast. Not
// kept and no error means that m is to be sent now.
func (s *Socket) keepEarly(m *engineio.Message) (kept bool, err error) {
	if s.state.Load() == socketConnected {
		return false, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.state.Load() {
	case socketConnected:
		return false, nil
	case socketClosed:
		return false, ErrDisconnected
	}
	if len(s.early) >= maxEarlyMessages || s.earlyN > maxEarlyBytes {
		return false, errEarly
	}
	s.early = append(s.early, m)
	s.earlyN += m.Size()
	return true, nil
}

// accept queues the CONNECT reply, then what was emitted before it, and opens the socket for
// events. It does nothing when the client has left, or has been accepted.
func (s *Socket) accept() {
	var reply *engineio.Message
	err := protect(func() (err error) { // Config.Parser is the user's
		reply, err = s.encodeReply()
		return err
	})
	if err != nil {
		s.ns.report(&Context{Socket: s, event: "connect"}, err)
		s.client.conn.CloseBecause(engineio.ForcedClose, err)
		return
	}
	var batch engineio.Batch
	s.mu.Lock()
	if s.state.Load() != socketConnecting {
		s.mu.Unlock()
		return
	}
	s.client.srv.engine.Stop(s.client.joinTimer) // not later: the socket's end may arm it again
	batch.Send(s.client.conn, reply)
	for _, m := range s.early {
		batch.Send(s.client.conn, m)
	}
	s.early = nil
	s.state.Store(socketConnected)
	s.mu.Unlock()
	batch.Done()
	s.logConnected()
}

// accepted is Connected as its client sees it: a client that has read the CONNECT reply may send
// before accept, which holds mu, has come to an end.
func (s *Socket) accepted() bool {
	if s.Connected() {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Connected()
}

// close ends the socket, once: it is unreachable, waits for no ack, and its disconnect handlers
// are queued behind the events that arrived before. It reports whether the socket was open.
func (s *Socket) close(reason Reason, cause error) bool {
	_, open := s.end(reason, cause)
	return open
}

// end is close for those who need to know the state before.
func (s *Socket) end(reason Reason, cause error) (was int32, open bool) {
	s.mu.Lock()
	was = s.state.Load()
	if was == socketClosed {
		s.mu.Unlock()
		return was, false
	}
	s.state.Store(socketClosed)
	s.reason = reason
	s.early = nil
	if reason == ServerNamespaceDisconnect {
		s.queue.drop()
	}
	s.queue.space.Broadcast() // the reader must not wait for a handler that may never end
	pending := s.acks.pending
	s.acks.pending = nil
	s.mu.Unlock()

	s.abandon(pending)
	if r := s.ns.recovery; r != nil && reason.recoverable() && !s.client.protocol4 {
		switch {
		case was == socketConnected:
			r.keep(s)
		case s.resumed != nil && s.client.gone(): // else it was refused
			r.keepAgain(s)
		}
	}
	s.ns.unregister(s)
	s.client.srv.leave(s.ns)
	s.cancel(&DisconnectError{Reason: reason, Err: cause})
	s.client.srv.linger(s)
	s.enqueue(task{kind: taskDisconnect})
	if was == socketConnected {
		s.logDisconnected(reason, cause)
	}
	return was, true
}
