package core

import (
	"context"
	"net/http"
)

// A RemoteSocket is a socket as Broadcast.Fetch found it: a description, as of then, of a client that
// may be connected to another process. Its methods address the socket by its id and do nothing when it
// has left. It is a value and may be kept and copied.
type RemoteSocket struct {
	ID        string
	Namespace string   // the name
	Rooms     []string // in no order, its own included
	// Handshake describes the request that opened the connection, as Socket.Handshake does, but without
	// the headers that prove who somebody is (Cookie, Authorization, Proxy-Authorization): they are not
	// for other sockets' handlers, and must not travel between processes.
	Handshake *Handshake

	values map[any]any // by SetValue, never changed
	self   Broadcast   // the socket's own room
}

// Fetch describes the audience: id, rooms, handshake and what SetData has kept, for which Data takes a
// RemoteSocket too. Clients that the guards have not let in yet are not part of it.
//
// It looks at this process only and does not wait; ctx is for the answers of others, and its error is
// returned when it has ended. To use sockets of this process Sockets is cheaper.
func (b Broadcast) Fetch(ctx context.Context) ([]RemoteSocket, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	sockets := b.Sockets()
	found := make([]RemoteSocket, len(sockets))
	for i, s := range sockets {
		found[i] = s.describe()
	}
	return found, nil
}

func (s *Socket) describe() RemoteSocket {
	r := RemoteSocket{
		ID:        s.id,
		Namespace: s.ns.name,
		Rooms:     s.Rooms(),
		Handshake: s.client.handshake.withoutCredentials(),
		self:      s.ns.To(s.id),
	}
	if values := s.values.Load(); values != nil {
		r.values = *values
	}
	return r
}

// withoutCredentials returns a copy that others may see.
func (h *Handshake) withoutCredentials() *Handshake {
	open := *h
	open.Header = make(http.Header, len(h.Header))
	for name, values := range h.Header {
		switch name {
		case "Cookie", "Authorization", "Proxy-Authorization":
		default:
			open.Header[name] = values
		}
	}
	return &open
}

// Emit sends an event to the socket. See Broadcast.Emit.
func (r RemoteSocket) Emit(event string, args ...any) error { return r.self.Emit(event, args...) }

// Join adds the socket to rooms. See Socket.Join.
func (r RemoteSocket) Join(rooms ...string) error { return r.self.Join(rooms...) }

// Leave removes the socket from rooms. See Socket.Leave.
func (r RemoteSocket) Leave(rooms ...string) { r.self.Leave(rooms...) }

// Disconnect makes the client leave the namespace. See Socket.Disconnect.
func (r RemoteSocket) Disconnect() { r.self.Disconnect() }

// DisconnectAll makes the client leave all its namespaces and closes the connection. See
// Socket.DisconnectAll.
func (r RemoteSocket) DisconnectAll() { r.self.DisconnectAll() }

func (r RemoteSocket) value(key any) (any, bool) {
	v, ok := r.values[key]
	return v, ok
}
