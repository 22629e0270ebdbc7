package core

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// A handlerSet is everything that is registered on a namespace: what is done with its clients,
// their events and the errors of both. It holds no state of any client, so several namespaces may
// share one.
type handlerSet struct {
	place    string                     // the namespace's name, for texts
	validate func(any) error            // Config.Validate
	claim    func() *handlerSet         // returns the set to change instead of this one; nil: this one
	from     atomic.Pointer[handlerSet] // what is registered is there; nil: here

	mu  sync.Mutex                 // serialises change
	now atomic.Pointer[registered] // replaced under mu; what it points to never changes
}

// registered is the content of a handlerSet at one time.
type registered struct {
	events    map[string]*handler // by On and OnCall
	methods   map[string]*handler // by Listen
	unhandled *handler            // nil if there is none
	onAny     []func(*Context, string, Args)
	each      options // of every event

	middleware   []Guard // of connections
	onConnect    []func(*Context) error
	onDisconnect []func(*Context, Reason)
	onError      []func(*Context, error)
	onAnyError   []func(*Context, error) // only Everywhere
	onEmit       []func(string, []any, Broadcast)
	mapError     []func(*Context, error) error

	canJoin []func(c *Context, room string) error
	onRoom  []RoomHooks

	serverEvents map[string]serverHandler // by OnServer
}

func newHandlerSet(place string, validate func(any) error) *handlerSet {
	hs := &handlerSet{place: place, validate: validate}
	hs.now.Store(&registered{})
	return hs
}

// load returns what is registered now.
func (hs *handlerSet) load() *registered {
	if from := hs.from.Load(); from != nil {
		return from.load()
	}
	return hs.now.Load()
}

// change replaces the content by what edit makes of a copy of it. edit may append to slices, but
// must clone a map before it writes to it: readers have the old content.
func (hs *handlerSet) change(edit func(r *registered)) {
	if hs.claim != nil {
		if to := hs.claim(); to != hs {
			to.change(edit)
			return
		}
	}
	hs.mu.Lock()
	defer hs.mu.Unlock()
	next := *hs.load()
	edit(&next)
	hs.now.Store(&next)
}

// refuseNil panics when a function that is to be registered is nil: a mistake that would otherwise show
// with the first client.
func (hs *handlerSet) refuseNil(missing bool, what string) {
	if missing {
		panic(fmt.Sprintf("core: %s on %q: the function is nil", what, hs.place))
	}
}

// find returns the handler of an event, nil if there is none.
func (r *registered) find(event string) *handler {
	if h := r.events[event]; h != nil {
		return h
	}
	if h := r.methods[event]; h != nil {
		return h
	}
	return r.unhandled
}

func (hs *handlerSet) eachEvent(opts []Option) {
	hs.change(func(r *registered) { r.each = r.each.with(opts) })
}

func (hs *handlerSet) connecting(f func(*Context) error) {
	hs.refuseNil(f == nil, "OnConnect")
	hs.change(func(r *registered) { r.onConnect = append(r.onConnect, f) })
}

func (hs *handlerSet) disconnecting(f func(*Context, Reason)) {
	hs.refuseNil(f == nil, "OnDisconnect")
	hs.change(func(r *registered) { r.onDisconnect = append(r.onDisconnect, f) })
}

func (hs *handlerSet) failing(f func(*Context, error)) {
	hs.refuseNil(f == nil, "OnError")
	hs.change(func(r *registered) { r.onError = append(r.onError, f) })
}

func (hs *handlerSet) observeErrors(f func(*Context, error)) {
	hs.refuseNil(f == nil, "OnAnyError")
	hs.change(func(r *registered) { r.onAnyError = append(r.onAnyError, f) })
}
