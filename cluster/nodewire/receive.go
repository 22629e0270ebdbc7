package nodewire

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/siokit/siokit/cluster"
)

// receive takes what comes from Redis. It never fails: what is wrong is counted, and said once.
func (a *Adapter) receive(frame []byte) {
	defer func() {
		if v := recover(); v != nil {
			a.reject(fmt.Errorf("nodewire: panic while reading a message; please report it: %v\n%s", v, debug.Stack()))
		}
	}()
	channel, msg, err := cutChannel(frame)
	switch {
	case err != nil:
	case len(msg) > cluster.MaxMessage:
		err = fmt.Errorf("nodewire: a message of %d bytes, more than %d", len(msg), cluster.MaxMessage)
	default:
		err = a.take(channel, msg)
	}
	if err != nil {
		a.reject(err)
	}
}

func (a *Adapter) take(channel string, msg []byte) error {
	if channel == a.names.revocation() {
		return a.takeRevocation(msg)
	}
	if rest, ok := strings.CutPrefix(channel, a.names.requests()); ok {
		return a.takeRequest(strings.TrimSuffix(rest, "#"), msg)
	}
	if strings.HasPrefix(channel, a.names.responses()) {
		return a.takeResponse(msg)
	}
	return a.takeBroadcast(channel, msg)
}

// reject counts a bad message and logs the first of its kind.
func (a *Adapter) reject(err error) {
	a.invalid.Add(1)
	kind := err.Error()
	if len(kind) > 60 {
		kind = kind[:60]
	}
	a.mu.Lock()
	known := a.warned[kind] || len(a.warned) >= 64
	if !known {
		a.warned[kind] = true
	}
	a.mu.Unlock()
	if !known {
		a.log.Warn("nodewire: a message was ignored; more of the kind are only counted", "error", err)
	}
}

func (a *Adapter) takeBroadcast(channel string, msg []byte) error {
	uid, rest, err := a.codec.sender(msg)
	if err != nil {
		return err
	}
	if uid == a.names.uid {
		return nil
	}
	a.received.Add(1)
	if namespace, room, ok := a.names.room(channel); ok && !a.hashes.Load() {
		if a.local.Count(cluster.Audience{Namespace: namespace, Rooms: []string{room}}) == 0 {
			return nil // whatever it says
		}
	}
	e, err := a.codec.broadcast(rest)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(channel, a.names.broadcast(e.Namespace, nil)) {
		return errors.New("nodewire: an event for another namespace than its channel's")
	}
	a.local.Emit(e)
	return nil
}

func (a *Adapter) takeRevocation(msg []byte) error {
	var r revocation
	if err := jsonv2.Unmarshal(msg, &r, lenient...); err != nil {
		return fmt.Errorf("nodewire: a revocation: %w", err)
	}
	if r.UID != a.names.uid {
		a.received.Add(1)
		a.local.Revoked(r.Revoke)
	}
	return nil
}

func (a *Adapter) takeResponse(msg []byte) error {
	r, err := a.codec.response(msg)
	if err != nil {
		return err
	}
	a.mu.Lock()
	q := a.questions[r.RequestID]
	a.mu.Unlock()
	if q == nil { // most are for others, or come back from ourselves
		return nil
	}
	a.received.Add(1)
	return q.answer(r)
}

// takeRequest does what another member says, unless that is ourselves: the server does what it says to others
// to its own sockets first.
func (a *Adapter) takeRequest(namespace string, msg []byte) error {
	r, err := a.codec.request(msg)
	if err != nil {
		return err
	}
	if r.UID == a.names.uid {
		return nil
	}
	a.received.Add(1)
	switch *r.Type {
	case kindJoin, kindLeave, kindDisconnect:
		if a.opts.OnlyEmits {
			return nil
		}
		return a.takeOrder(namespace, r)
	case kindSockets, kindAllRooms, kindFetch:
		if a.slot() {
			a.beside(func() { a.answerQuery(namespace, r) })
		}
		return nil
	case kindServerEmit:
		e, err := a.codec.event(r.Data)
		if err != nil {
			return err
		}
		e.Namespace, e.All = namespace, true
		if a.slot() {
			a.beside(func() { a.answerServerEvent(r, e) })
		}
		return nil
	case kindBroadcast:
		if r.Packet == nil || r.Opts == nil {
			return errors.New("nodewire: an event with acks needs packet and opts")
		}
		e, err := a.codec.emit(r.Packet, r.attachments, r.Opts)
		if err != nil {
			return err
		}
		e.Namespace = namespace
		if a.slot() {
			a.beside(a.answerBroadcast(r, e))
		}
		return nil
	}
	return fmt.Errorf("nodewire: request type %d is unknown", *r.Type)
}

// takeOrder does what another member says about sockets.
func (a *Adapter) takeOrder(namespace string, r *request) error {
	rooms := r.Rooms
	var to cluster.Audience
	switch {
	case r.Opts != nil:
		to = r.Opts.audience(namespace)
	case r.SID == "":
		return errors.New("nodewire: a request that does not say for whom it is")
	case !a.local.Has(namespace, r.SID):
		return nil
	default: // the form of adapters before 6.1, which want to hear that it has been done
		to = cluster.Audience{Namespace: namespace, Rooms: []string{r.SID}}
		if len(r.Room) > 0 {
			room, err := name(r.Room)
			if err != nil {
				return fmt.Errorf("nodewire: %w", err)
			}
			rooms = names{room}
		}
	}
	switch *r.Type {
	case kindJoin:
		a.local.Join(to, rooms)
	case kindLeave:
		a.local.Leave(to, rooms)
	default:
		a.local.Disconnect(to, r.Close != nil && *r.Close)
	}
	if r.Opts == nil && r.RequestID != "" {
		a.respond(namespace, r, &response{RequestID: r.RequestID})
	}
	return nil
}
