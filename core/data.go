package core

import (
	"maps"
	"reflect"
)

// A Holder is what per-socket data can be kept in: a *Socket, or a *Context, which stands for its
// socket.
type Holder interface{ socket() *Socket }

// A Described is what per-socket data can be read from: a Holder, or a RemoteSocket.
type Described interface {
	value(key any) (any, bool)
}

func (s *Socket) socket() *Socket { return s }

// SetData keeps a value in the socket, under its type: a later SetData with the same T replaces
// it. It belongs to this namespace only and lasts as long as the socket does, so it is what
// Flask's session(sid) and JavaScript's socket.data are. Nothing that a client sends ever ends up
// in it.
//
// It may be called from anywhere, concurrently, also for a socket found by Namespace.Sockets. What
// is read and written back by several goroutines belongs behind a pointer, with a lock of its own.
func SetData[T any](of Holder, value T) {
	of.socket().SetValue(reflect.TypeFor[T](), value)
}

// Data returns what SetData kept under the type T, and whether there is such a value.
func Data[T any](of Described) (value T, ok bool) {
	kept, ok := of.value(reflect.TypeFor[T]())
	if !ok {
		return value, false
	}
	value, _ = kept.(T) // a nil interface is kept as an untyped nil
	return value, true
}

// SetValue makes value visible as Value(key) in all Contexts of the socket, from now on and also
// in those that exist. It comes before what the handshake's context holds, so a Guard can give one
// namespace another identity; auth.Tokens does. It may be called concurrently. Keys must be
// comparable and, as in package context, of a type that belongs to you. For an application's own
// data SetData is simpler.
func (s *Socket) SetValue(key, value any) {
	for {
		old := s.values.Load()
		next := make(map[any]any, 1)
		if old != nil {
			maps.Copy(next, *old)
		}
		next[key] = value
		if s.values.CompareAndSwap(old, &next) {
			return
		}
	}
}

func (s *Socket) value(key any) (any, bool) {
	values := s.values.Load()
	if values == nil {
		return nil, false
	}
	v, ok := (*values)[key]
	return v, ok
}
