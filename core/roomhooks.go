package core

import (
	"errors"
	"sync"
)

// RoomHooks are told what happens to the rooms of a namespace; each may be nil. A room is created by
// its first member and deleted with its last. The rooms named by a socket's id are not told, nor is who
// was refused by a guard; who is refused later, by OnConnect, has joined and leaves.
//
// The hooks of one namespace run one at a time, in the order in which things happened, on a goroutine
// of their own, soon after: Join and Leave do not wait for them. So by then the socket may have left,
// and its Context ended; and a hook that is slow delays the next ones and nobody else. All of Create,
// Join, Leave and Delete that belong to one change come in this order. They may do anything, also join
// and leave.
type RoomHooks struct {
	Create func(ns *Namespace, room string)
	Join   func(s *Socket, room string)
	Leave  func(s *Socket, room string)
	Delete func(ns *Namespace, room string)
}

// OnRoom adds hooks, which are told what happens from now on. Those of a parent are told about the rooms
// of all its children.
func (ns *Namespace) OnRoom(hooks RoomHooks) {
	ns.set.change(func(r *registered) { r.onRoom = append(r.onRoom, hooks) })
}

type roomChange uint8

const (
	roomCreated roomChange = iota
	roomJoined
	roomLeft
	roomDeleted
)

// roomEvent is one thing to be told.
type roomEvent struct {
	change roomChange
	room   string
	socket *Socket
	hooks  []RoomHooks
}

// noteLocked remembers what the hooks are to be told, and begins telling it. The caller holds ns.mu.
func (ns *Namespace) noteLocked(change roomChange, room string, s *Socket) {
	hooks := ns.set.load().onRoom
	if len(hooks) == 0 {
		return
	}
	ns.roomEvents = append(ns.roomEvents, roomEvent{change, room, s, hooks})
	if !ns.telling {
		ns.telling = true
		ns.srv.tellers.add()
		go ns.tell()
	}
}

// tell runs the room hooks until there is nothing more to be told.
func (ns *Namespace) tell() {
	through := false
	defer func() {
		if !through { // runtime.Goexit in a hook
			go ns.tell()
		}
	}()
	for e, more := ns.nextRoomEvent(); more; e, more = ns.nextRoomEvent() {
		for _, hooks := range e.hooks {
			ns.runRoomHook(e, hooks)
		}
	}
	through = true
	ns.srv.tellers.done()
}

// nextRoomEvent takes the oldest; more is false when there is none and the goroutine must end.
func (ns *Namespace) nextRoomEvent() (e roomEvent, more bool) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if ns.telling = len(ns.roomEvents) > 0; !ns.telling {
		ns.roomEvents = nil
		return roomEvent{}, false
	}
	e = ns.roomEvents[0]
	ns.roomEvents[0] = roomEvent{}
	ns.roomEvents = ns.roomEvents[1:]
	return e, true
}

func (ns *Namespace) runRoomHook(e roomEvent, hooks RoomHooks) {
	err := protect(func() error {
		switch {
		case e.change == roomCreated && hooks.Create != nil:
			hooks.Create(ns, e.room)
		case e.change == roomJoined && hooks.Join != nil:
			hooks.Join(e.socket, e.room)
		case e.change == roomLeft && hooks.Leave != nil:
			hooks.Leave(e.socket, e.room)
		case e.change == roomDeleted && hooks.Delete != nil:
			hooks.Delete(ns, e.room)
		}
		return nil
	})
	if p, ok := errors.AsType[*PanicError](err); ok {
		ns.srv.panics.Add(1)
		ns.log.Error("core: a room hook panicked", "room", clip(e.room), "socket", e.socket.id, "panic", p.Value, "stack", string(p.Stack))
	}
}

// tellers counts the goroutines that run room hooks. Unlike a sync.WaitGroup it may grow while somebody
// waits.
type tellers struct {
	mu   sync.Mutex
	n    int       // guarded by mu
	none sync.Cond // on mu
}

func (t *tellers) add() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n++
}

func (t *tellers) done() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n--; t.n == 0 && t.none.L != nil {
		t.none.Broadcast()
	}
}

func (t *tellers) wait() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.none.L = &t.mu
	for t.n > 0 {
		t.none.Wait()
	}
}
