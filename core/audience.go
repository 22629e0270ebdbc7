package core

import (
	"maps"
	"slices"

	"github.com/siokit/siokit/cluster"
)

// each calls f for each socket of the audience on this node, once, with the socket's namespace locked
// for reading: f must neither run user code nor change rooms.
func (b Broadcast) each(f func(*Socket)) {
	if b.nobody() {
		return
	}
	if b.ns.parent == nil {
		b.ns = b.ns.live()
		b.ns.mu.RLock()
		defer b.ns.mu.RUnlock()
		b.eachLocked(f)
		return
	}
	for _, child := range b.ns.Children() {
		b.ns = child
		b.each(f)
	}
}

// eachLocked calls f for each socket of the audience, once. The caller holds ns.mu for reading.
func (b Broadcast) eachLocked(f func(*Socket)) {
	skip := func(s *Socket) bool { return s == b.sender || b.excludesLocked(s) }
	if b.sender == nil && len(b.except) == 0 {
		skip = func(*Socket) bool { return false }
	}
	if b.all {
		for _, s := range b.ns.sockets {
			if !skip(s) {
				f(s)
			}
		}
		return
	}
	var seen map[*Socket]struct{}
	if len(b.rooms) > 1 {
		seen = make(map[*Socket]struct{})
	}
	visit := func(s *Socket) {
		if seen != nil {
			if _, twice := seen[s]; twice {
				return
			}
			seen[s] = struct{}{}
		}
		if !skip(s) {
			f(s)
		}
	}
	for _, name := range b.rooms {
		own := b.ns.sockets[name]
		if own != nil {
			visit(own)
		}
		if r := b.ns.rooms[name]; r != nil {
			for _, s := range r.members {
				if s != own {
					visit(s)
				}
			}
		}
	}
}

func (b Broadcast) excludesLocked(s *Socket) bool {
	for _, name := range b.except {
		if _, ok := s.rooms[name]; ok || name == s.id {
			return true
		}
	}
	return false
}

// Join adds everybody in the audience to rooms. See Socket.Join: the only error is a room without a
// name, and then nobody has joined. Sockets that leave meanwhile are passed over. When it returns the
// sockets of this process have joined; other processes (Config.Bus) are told.
func (b Broadcast) Join(rooms ...string) error {
	if slices.Contains(rooms, "") {
		return errEmptyRoom
	}
	for _, s := range b.Sockets() {
		_ = s.Join(rooms...) // it has left, which is no mistake here
	}
	b.order(func(l cluster.Link, a cluster.Audience) { l.Join(a, rooms) })
	return nil
}

// Leave removes everybody in the audience from rooms. See Socket.Leave, and Join for other processes.
func (b Broadcast) Leave(rooms ...string) {
	for _, s := range b.Sockets() {
		s.Leave(rooms...)
	}
	b.order(func(l cluster.Link, a cluster.Audience) { l.Leave(a, rooms) })
}

// Disconnect makes everybody in the audience leave the namespace. See Socket.Disconnect, and Join for
// other processes.
func (b Broadcast) Disconnect() {
	for _, s := range b.Sockets() {
		s.Disconnect()
	}
	b.order(func(l cluster.Link, a cluster.Audience) { l.Disconnect(a, false) })
}

// DisconnectAll closes the connections of everybody in the audience, which ends their sockets in other
// namespaces too. See Socket.DisconnectAll, and Join for other processes.
func (b Broadcast) DisconnectAll() {
	for _, s := range b.Sockets() {
		s.DisconnectAll()
	}
	b.order(func(l cluster.Link, a cluster.Audience) { l.Disconnect(a, true) })
}

// order tells other processes what to do with the audience.
func (b Broadcast) order(f func(cluster.Link, cluster.Audience)) {
	if !b.reachesOthers() || b.nobody() {
		return
	}
	b.eachForOthers(func(b Broadcast) { f(b.ns.srv.link, b.clusterAudience()) })
}

// CloseRoom makes everybody leave the room, which then does not exist any more. Nobody is disconnected.
func (ns *Namespace) CloseRoom(room string) { ns.To(room).Leave(room) }

// Rooms returns the names of the rooms that somebody on this node is in, in no order, without the
// sockets' own. Who is in one says To(room).Sockets or To(room).Fetch.
func (ns *Namespace) Rooms() []string {
	names := make(map[string]struct{})
	for _, part := range ns.parts() {
		part.mu.RLock()
		for name := range part.rooms {
			names[name] = struct{}{}
		}
		part.mu.RUnlock()
	}
	return slices.Collect(maps.Keys(names))
}
