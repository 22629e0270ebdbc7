package core

import (
	"errors"
	"maps"
	"slices"
)

// room is a set of sockets that is quick to walk. Its fields are guarded by Namespace.mu.
type room struct {
	members []*Socket
	index   map[*Socket]int // place in members
}

// add reports whether s was not in it.
func (r *room) add(s *Socket) bool {
	if _, ok := r.index[s]; ok {
		return false
	}
	r.index[s] = len(r.members)
	r.members = append(r.members, s)
	return true
}

// remove reports whether s was in it.
func (r *room) remove(s *Socket) bool {
	i, ok := r.index[s]
	if !ok {
		return false
	}
	last := len(r.members) - 1
	r.members[i] = r.members[last]
	r.index[r.members[i]] = i
	r.members[last] = nil
	r.members = r.members[:last]
	delete(r.index, s)
	return true
}

// register makes s reachable: by its id and in the rooms it has joined so far. It returns
// ErrDisconnected when the client has already left, and refuses when the namespace has been removed.
func (ns *Namespace) register(s *Socket) error {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if s.state.Load() == socketClosed {
		return ErrDisconnected
	}
	if ns.removed.Load() {
		return errInvalidNamespace
	}
	s.registered = true
	ns.sockets[s.id] = s
	for name := range s.rooms {
		ns.joinLocked(s, name)
	}
	return nil
}

// unregister makes s unreachable. s.rooms stays, for the disconnect handler.
func (ns *Namespace) unregister(s *Socket) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if !s.registered {
		return
	}
	s.registered = false
	delete(ns.sockets, s.id)
	for name := range s.rooms {
		ns.leaveLocked(s, name)
	}
}

func (ns *Namespace) joinLocked(s *Socket, name string) {
	r := ns.rooms[name]
	if r == nil {
		r = &room{index: make(map[*Socket]int)}
		ns.rooms[name] = r
		ns.noteLocked(roomCreated, name, s)
	}
	if r.add(s) {
		ns.noteLocked(roomJoined, name, s)
	}
}

func (ns *Namespace) leaveLocked(s *Socket, name string) {
	r := ns.rooms[name]
	if r == nil {
		return
	}
	if r.remove(s) {
		ns.noteLocked(roomLeft, name, s)
	}
	if len(r.members) == 0 {
		delete(ns.rooms, name)
		ns.noteLocked(roomDeleted, name, s)
	}
}

var errEmptyRoom = errors.New("core: a room needs a name; the empty one means nobody")

// Join adds the socket to rooms. When it returns, emits to them reach it. Rooms are left when
// the socket disconnects. It returns ErrDisconnected after that.
func (s *Socket) Join(rooms ...string) error {
	if slices.Contains(rooms, "") {
		return errEmptyRoom
	}
	s.ns.mu.Lock()
	defer s.ns.mu.Unlock()
	if s.state.Load() == socketClosed {
		return ErrDisconnected
	}
	if s.rooms == nil {
		s.rooms = make(map[string]struct{}, len(rooms))
	}
	for _, name := range rooms {
		if name == s.id {
			continue // it is in that one always
		}
		s.rooms[name] = struct{}{}
		if s.registered {
			s.ns.joinLocked(s, name)
		}
	}
	return nil
}

// Leave removes the socket from rooms. When it returns, later emits to them do not reach it.
// The socket's own room, named by its id, cannot be left.
func (s *Socket) Leave(rooms ...string) {
	s.ns.mu.Lock()
	defer s.ns.mu.Unlock()
	if s.state.Load() == socketClosed {
		return
	}
	for _, name := range rooms {
		delete(s.rooms, name)
		s.ns.leaveLocked(s, name)
	}
}

// Rooms returns the names of the socket's rooms in no order, its own included. It still works
// in the disconnect handler.
func (s *Socket) Rooms() []string {
	s.ns.mu.RLock()
	defer s.ns.mu.RUnlock()
	return append(slices.Collect(maps.Keys(s.rooms)), s.id)
}

// InRoom reports whether the socket has joined the room.
func (s *Socket) InRoom(name string) bool {
	s.ns.mu.RLock()
	defer s.ns.mu.RUnlock()
	_, ok := s.rooms[name]
	return ok || name == s.id
}
