package core

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"time"

	"github.com/siokit/siokit/cluster"
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

	Node string // the process that it is connected to; "" for this one

	values map[any]any                // by SetValue, never changed
	data   map[string]json.RawMessage // by SetData in another process, by the names of the types
	self   Broadcast                  // the socket's own room
}

// Fetch describes the audience: id, rooms, handshake and what SetData has kept, for which Data takes a
// RemoteSocket too. Clients that the guards have not let in yet are not part of it.
//
// With other processes (Config.Bus) it asks them, until ctx ends, at most 5 s if ctx has no deadline. When some do not answer it
// returns what the others said and a *cluster.SilentError. What SetData kept there arrives as JSON, under the
// name of its type: unexported fields stay behind. Of the handshake there are RemoteIP, Time, Secure and
// the path of the URL. To use sockets of this process Sockets is cheaper, and Local().Fetch asks nobody.
func (b Broadcast) Fetch(ctx context.Context) ([]RemoteSocket, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	sockets := b.Sockets()
	found := make([]RemoteSocket, len(sockets))
	for i, s := range sockets {
		found[i] = s.describe()
	}
	if !b.reachesOthers() || b.nobody() {
		return found, nil
	}
	var errs error
	b.eachForOthers(func(b Broadcast) {
		theirs, err := b.ns.srv.link.Fetch(ctx, b.clusterAudience())
		for _, s := range theirs {
			found = append(found, b.remote(s))
		}
		errs = cmp.Or(errs, err)
	})
	return found, errs
}

// remote makes a RemoteSocket of what another process said.
func (b Broadcast) remote(s cluster.Socket) RemoteSocket {
	ns := b.ns
	if s.Namespace != "" && s.Namespace != ns.name { // a child of a parent
		ns = ns.srv.Of(s.Namespace)
	}
	r := RemoteSocket{
		ID: s.ID, Namespace: ns.name, Rooms: s.Rooms, Node: s.Node, self: ns.To(s.ID),
		Handshake: &Handshake{Header: make(http.Header), URL: &url.URL{}, RemoteIP: s.Handshake.Address, Secure: s.Handshake.Secure, Time: time.UnixMilli(s.Handshake.Issued)},
	}
	if u, err := url.Parse(s.Handshake.URL); err == nil {
		r.Handshake.URL = u
	}
	_ = json.Unmarshal(s.Data, &r.data) // a Node server's data may be anything
	return r
}

// describeToOthers is describe for other processes.
func (s *Socket) describeToOthers() cluster.Socket {
	h := s.client.handshake
	out := cluster.Socket{
		ID: s.id, Namespace: s.ns.name, Rooms: s.Rooms(),
		Handshake: cluster.Handshake{Address: h.RemoteIP, Issued: h.Time.UnixMilli(), Secure: h.Secure, URL: h.URL.Path},
	}
	data := make(map[string]any)
	for key, value := range dataOf(s) {
		data[typeKey(key.(reflect.Type))] = value
	}
	if len(data) == 0 {
		return out
	}
	err := protect(func() (err error) { // MarshalJSON is the user's
		out.Data, err = json.Marshal(data)
		return err
	})
	if err != nil && !s.ns.srv.panicked(err, "core: a panic while encoding the data of a socket for other processes", "socket", s.id) {
		s.ns.log.Warn("core: the data of a socket cannot be told to other processes", "socket", s.id, "error", err)
	}
	return out
}

// typeKey names a type for other processes of the same program.
func typeKey(t reflect.Type) string {
	if t.Name() == "" {
		return t.String()
	}
	return t.PkgPath() + "." + t.Name()
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
	if v, ok := r.values[key]; ok {
		return v, true
	}
	t, ok := key.(reflect.Type)
	if !ok {
		return nil, false
	}
	raw, ok := r.data[typeKey(t)]
	if !ok {
		return nil, false
	}
	v := reflect.New(t)
	if err := protect(func() error { return json.Unmarshal(raw, v.Interface()) }); err != nil {
		return nil, false
	}
	return v.Elem().Interface(), true
}
