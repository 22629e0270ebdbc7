package core

import "time"

// The methods of the namespace "/", on the server itself.

func (s *Server) registrar() (*handlerSet, options) { return s.root.set, options{} }

// Use is Namespace.Use of "/".
func (s *Server) Use(guards ...Guard) { s.root.Use(guards...) }

// Group is Namespace.Group of "/".
func (s *Server) Group(guards ...Guard) *Group { return s.root.Group(guards...) }

// With is Namespace.With of "/".
func (s *Server) With(opts ...Option) *Group { return s.root.With(opts...) }

// EachEvent is Namespace.EachEvent of "/". For all namespaces see Everywhere.
func (s *Server) EachEvent(opts ...Option) { s.root.EachEvent(opts...) }

// OnAny is Namespace.OnAny of "/".
func (s *Server) OnAny(f func(c *Context, event string, args Args)) { s.root.OnAny(f) }

// OnUnhandled is Namespace.OnUnhandled of "/".
func (s *Server) OnUnhandled(f func(c *Context, event string, args Args) (answer any, err error), opts ...Option) {
	s.root.set.catch(f, caller(2), opts)
}

// MapError is Namespace.MapError of "/".
func (s *Server) MapError(f func(c *Context, err error) error) { s.root.MapError(f) }

// OnConnect is Namespace.OnConnect of "/".
func (s *Server) OnConnect(f func(c *Context) error) { s.root.OnConnect(f) }

// OnDisconnect is Namespace.OnDisconnect of "/".
func (s *Server) OnDisconnect(f func(c *Context, reason Reason)) { s.root.OnDisconnect(f) }

// OnError is Namespace.OnError of "/".
func (s *Server) OnError(f func(c *Context, err error)) { s.root.OnError(f) }

// CanJoin is Namespace.CanJoin of "/".
func (s *Server) CanJoin(f func(c *Context, room string) error) { s.root.CanJoin(f) }

// OnRoom is Namespace.OnRoom of "/".
func (s *Server) OnRoom(hooks RoomHooks) { s.root.OnRoom(hooks) }

// Rooms is Namespace.Rooms of "/".
func (s *Server) Rooms() []string { return s.root.Rooms() }

// CloseRoom is Namespace.CloseRoom of "/".
func (s *Server) CloseRoom(room string) { s.root.CloseRoom(room) }

// Socket is Namespace.Socket of "/".
func (s *Server) Socket(id string) (*Socket, bool) { return s.root.Socket(id) }

// Sockets is Namespace.Sockets of "/".
func (s *Server) Sockets() []*Socket { return s.root.Sockets() }

// Emit sends an event to everybody in "/". See Broadcast.Emit.
func (s *Server) Emit(event string, args ...any) error { return s.root.Emit(event, args...) }

// Send emits the event "message" to everybody in "/".
func (s *Server) Send(args ...any) error { return s.root.Send(args...) }

// Everybody is Namespace.Everybody of "/".
func (s *Server) Everybody() Broadcast { return s.root.Everybody() }

// To addresses the members of rooms of "/", everybody included. See Namespace.To.
func (s *Server) To(rooms ...string) Broadcast { return s.root.To(rooms...) }

// Volatile is Namespace.Volatile of "/".
func (s *Server) Volatile() Broadcast { return s.root.Volatile() }

// Compress is Namespace.Compress of "/".
func (s *Server) Compress(on bool) Broadcast { return s.root.Compress(on) }

// Local is Namespace.Local of "/".
func (s *Server) Local() Broadcast { return s.root.Local() }

// Timeout is Namespace.Timeout of "/".
func (s *Server) Timeout(d time.Duration) Broadcast { return s.root.Timeout(d) }

// OnEmit is Namespace.OnEmit of "/".
func (s *Server) OnEmit(f func(event string, args []any, to Broadcast)) { s.root.OnEmit(f) }

// Except addresses everybody in "/" who is in none of the rooms.
func (s *Server) Except(rooms ...string) Broadcast { return s.root.Except(rooms...) }
