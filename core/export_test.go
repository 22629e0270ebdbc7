package core

import (
	"maps"
	"slices"
)

// PendingAcks is how many Calls wait on the socket.
func (s *Socket) PendingAcks() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.acks.pending)
}

// RoomCount is how many rooms the namespace holds, without the sockets' own.
func (ns *Namespace) RoomCount() int {
	ns.mu.RLock()
	defer ns.mu.RUnlock()
	return len(ns.rooms)
}

// Clients is how many connections the server knows.
func (s *Server) Clients() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.clients)
}

// Draining is how many connections take no more events.
func (s *Server) Draining() (n int) {
	s.mu.RLock()
	clients := slices.Collect(maps.Keys(s.clients))
	s.mu.RUnlock()
	for _, c := range clients {
		c.mu.Lock()
		if c.draining {
			n++
		}
		c.mu.Unlock()
	}
	return n
}

// QueuedEvents is how many events wait for the socket's handlers.
func (s *Socket) QueuedEvents() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queue.len()
}

// MatchPattern returns what a namespace pattern finds in a name.
func MatchPattern(text, name string) (params map[string]string, ok bool, err error) {
	p, err := parsePattern(text)
	if err != nil {
		return nil, false, err
	}
	params, ok = p.match(name)
	return params, ok, nil
}

// NamespaceNames is what the server holds in its table of namespaces.
func (s *Server) NamespaceNames() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Sorted(maps.Keys(s.namespaces))
}

// QueueRoom is how many events the socket's queue has memory for.
func (s *Socket) QueueRoom() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return cap(s.queue.tasks)
}
