package core

import (
	"maps"
	"slices"
	"time"
)

// A RunningHandler is a handler that has not returned yet.
type RunningHandler struct {
	Namespace string
	Event     string // "connect" and "disconnect" for the lifecycle functions
	Socket    string // the socket's id
	For       time.Duration
}

// LongRunning returns the handlers that have been running for longer than d, in no order: for a page or
// a log that tells why clients wait. A handler that never returns holds up its own client only, whose
// further events wait; everybody else, and what is emitted to that client, goes on. It is listed also
// after its client has left. Handlers that are Concurrent are not among them.
func (s *Server) LongRunning(d time.Duration) []RunningHandler {
	s.mu.RLock()
	clients := slices.Collect(maps.Keys(s.clients))
	sockets := slices.Collect(maps.Keys(s.lingering))
	s.mu.RUnlock()
	for _, c := range clients {
		c.mu.Lock()
		sockets = append(sockets, c.sockets...)
		c.mu.Unlock()
	}
	now := sinceStart()
	running := make(map[*Socket]RunningHandler)
	for _, socket := range sockets {
		socket.mu.Lock()
		event, since, busy := socket.queue.event, socket.queue.since, socket.queue.running
		socket.mu.Unlock()
		if age := now - since; busy && age > d {
			running[socket] = RunningHandler{socket.ns.name, event, socket.id, age}
		}
	}
	return slices.Collect(maps.Values(running))
}

// linger remembers a socket that has ended until its handlers are through.
func (s *Server) linger(socket *Socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lingering == nil {
		s.lingering = make(map[*Socket]struct{})
	}
	s.lingering[socket] = struct{}{}
}

func (s *Server) lingered(socket *Socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.lingering, socket)
}

var start = time.Now()

// sinceStart is a time of eight bytes.
func sinceStart() time.Duration { return time.Since(start) }

// begin notes what the dispatcher takes up. The caller holds Socket.mu.
func (q *eventQueue) begin(t *task) {
	q.since = sinceStart()
	switch t.kind {
	case taskConnect:
		q.event = "connect"
	case taskDisconnect:
		q.event = "disconnect"
	default:
		q.event = t.event
	}
}
