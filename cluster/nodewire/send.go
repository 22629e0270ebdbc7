package nodewire

import (
	"github.com/siokit/siokit/cluster"
)

// Emit implements cluster.Link.
func (a *Adapter) Emit(e *cluster.Emit) {
	if nobody(e.Audience) {
		return
	}
	var rooms []string
	if !e.All {
		rooms = unique(e.Rooms)
	}
	frame, err := appendBroadcast(appendChannel(nil, a.names.broadcast(e.Namespace, rooms)), a.names.uid, e)
	if err != nil {
		a.log.Error("nodewire: an event cannot be encoded", "event", e.Event, "error", err)
		return
	}
	a.publishFrame(frame)
}

// nobody must not be confused with the wire's empty list, which is everybody.
func nobody(a cluster.Audience) bool { return !a.All && len(a.Rooms) == 0 }

// Join implements cluster.Link.
func (a *Adapter) Join(to cluster.Audience, rooms []string) {
	a.tell(to, &request{Type: new(kindJoin), Rooms: append(names{}, rooms...)})
}

// Leave implements cluster.Link.
func (a *Adapter) Leave(to cluster.Audience, rooms []string) {
	a.tell(to, &request{Type: new(kindLeave), Rooms: append(names{}, rooms...)})
}

// Disconnect implements cluster.Link.
func (a *Adapter) Disconnect(to cluster.Audience, transport bool) {
	a.tell(to, &request{Type: new(kindDisconnect), Close: &transport})
}

func (a *Adapter) tell(to cluster.Audience, r *request) {
	if nobody(to) {
		return
	}
	r.UID, r.Opts = a.names.uid, optionsOf(to)
	a.publishJSON(a.names.request(to.Namespace), r)
}

// revocation is the message of siokit's own channel.
type revocation struct {
	UID    string `json:"uid"`
	Revoke []byte `json:"revoke"` // base64
}

// Revoke implements cluster.Link. Only siokit servers listen.
func (a *Adapter) Revoke(data []byte) {
	a.publishJSON(a.names.revocation(), revocation{UID: a.names.uid, Revoke: data})
}
