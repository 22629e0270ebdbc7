package core

import (
	"log/slog"
	"sync"
	"sync/atomic"
)

// A Namespace is one of the logical channels of a connection, with handlers, rooms and sockets
// of its own. All methods may be called concurrently and at any time.
type Namespace struct {
	srv  *Server
	name string
	log  *slog.Logger
	set  *handlerSet // all that is registered here

	parent *parent           // of what OfPattern and OfFunc return; nil for others
	child  *child            // of one that belongs to a parent; nil for others
	params map[string]string // by a pattern
	listed atomic.Bool       // clients get it by its name, or it is a parent; written under Server.mu
	told   chan struct{}     // of one that clients join by name: closed when the OnNamespace functions have run; set before it is listed

	recovery *recovery // nil when it is off

	mu      sync.RWMutex
	removed atomic.Bool        // takes no more sockets; written under mu
	sockets map[string]*Socket // by socket id; guarded by mu
	rooms   map[string]*room   // without the sockets' own rooms; guarded by mu

	roomEvents []roomEvent // that the room hooks have not seen; guarded by mu
	telling    bool        // a goroutine runs the room hooks; guarded by mu
}

func newNamespace(s *Server, name string) *Namespace {
	ns := &Namespace{
		srv:     s,
		name:    name,
		log:     s.cfg.Logger.With("namespace", name),
		set:     newHandlerSet(name, s.cfg.Validate),
		sockets: make(map[string]*Socket),
		rooms:   make(map[string]*room),
	}
	if s.cfg.Recovery != nil {
		ns.recovery = newRecovery(ns, *s.cfg.Recovery)
	}
	return ns
}

func (ns *Namespace) registrar() (*handlerSet, options) { return ns.set, options{} }

// Name returns the name, which begins with a slash.
func (ns *Namespace) Name() string { return ns.name }

// Use adds middleware: it runs for every client that wants to join the namespace, in order,
// before OnConnect. An error refuses the client with CONNECT_ERROR; see ConnectError. Only an
// error made for the client shows its text, others and panics become "internal error". The
// official clients do not retry by themselves; 20 refusals close the connection.
func (ns *Namespace) Use(guards ...Guard) {
	ns.set.change(func(r *registered) { r.middleware = append(r.middleware, guards...) })
}

// Group returns a Group whose handlers are behind the guards, which run before the arguments are
// decoded.
func (ns *Namespace) Group(guards ...Guard) *Group { return ns.With(Behind(guards...)) }

// With returns a Group whose handlers have these options.
func (ns *Namespace) With(opts ...Option) *Group { return &Group{ns.set, options{}.with(opts)} }

// EachEvent adds options to every event of the namespace, also those registered before, methods of
// classes and OnUnhandled. Guards and middleware run before those of the event itself; a Concurrent
// or Timeout is the default for events without one.
func (ns *Namespace) EachEvent(opts ...Option) { ns.set.eachEvent(opts) }

// OnConnect adds a function that runs for every client that joins. The client is told that it
// is connected when all have returned nil; an error refuses it, and nothing remains of it.
// What is emitted to it meanwhile arrives after its connect event.
func (ns *Namespace) OnConnect(f func(c *Context) error) {
	ns.set.connecting(f)
}

// OnDisconnect adds a function that runs once for every client that OnConnect accepted, after
// the handlers of all events that arrived before. The client's rooms are still readable;
// nothing can be sent to it any more. When the server ended the socket, or its login, events
// that still waited have been dropped.
//
// c is already done: a database call with it fails at once, so use context.WithoutCancel(c).
// After a logout auth.User finds nobody: keep what you need by c.ID().
func (ns *Namespace) OnDisconnect(f func(c *Context, reason Reason)) {
	ns.set.disconnecting(f)
}

// OnError adds an error hook: it gets the errors and panics (*PanicError) of this namespace's
// handlers, with the Context of the event. Without a hook they are logged: as warnings, or for
// debugging only when they were made for the client. Panics are always logged as errors. c.Event and
// c.Args tell what the client sent. A namespace with no hook of its own uses those of Everywhere.
// What the client is told is MapError's concern.
func (ns *Namespace) OnError(f func(c *Context, err error)) {
	ns.set.failing(f)
}

// Socket returns the connected socket with that id on this node, of a parent in any of its children.
func (ns *Namespace) Socket(id string) (*Socket, bool) {
	for _, part := range ns.parts() {
		part.mu.RLock()
		s, ok := part.sockets[id]
		part.mu.RUnlock()
		if ok {
			return s, true
		}
	}
	return nil, false
}

// Sockets returns the sockets of this namespace on this node.
func (ns *Namespace) Sockets() []*Socket { return ns.Everybody().Sockets() }

// Emit sends an event to everybody in the namespace. See Broadcast.Emit.
func (ns *Namespace) Emit(event string, args ...any) error {
	return ns.Everybody().Emit(event, args...)
}

// Send emits the event "message" to everybody in the namespace.
func (ns *Namespace) Send(args ...any) error { return ns.Everybody().Send(args...) }

// To addresses the members of the rooms, each once. A socket's id is the name of a room with
// that socket in it. No rooms, and the empty name, mean nobody.
//
// Do not pass a room name from a client as it is, here or to Join: socket ids and your own
// rooms ("user:7") are rooms too. Put a prefix before it.
func (ns *Namespace) To(rooms ...string) Broadcast {
	return Broadcast{ns: ns}.To(rooms...)
}

// Except addresses everybody who is in none of the rooms.
func (ns *Namespace) Except(rooms ...string) Broadcast {
	return ns.Everybody().Except(rooms...)
}

// Everybody addresses all sockets of the namespace, for what a Broadcast can do beside Emit: Fetch, Join,
// Leave, Disconnect, and for Gather.
func (ns *Namespace) Everybody() Broadcast { return Broadcast{ns: ns, all: true} }
