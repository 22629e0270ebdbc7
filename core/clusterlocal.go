package core

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/wire/arguments"
	"github.com/siokit/siokit/wire/sio"
)

// local is the server as other processes see it.
type local struct{ srv *Server }

var _ cluster.Local = local{}

// audience finds the namespace that another process means, without creating it.
func (l local) audience(a cluster.Audience) (b Broadcast, ok bool) {
	ns := l.srv.named(a.Namespace)
	if ns == nil {
		return b, false
	}
	b = Broadcast{ns: ns, all: a.All}
	if !a.All {
		b = b.To(a.Rooms...)
	}
	return b.Except(a.Except...), !b.nobody()
}

// named returns a namespace, or parent by pattern, that is there.
func (s *Server) named(name string) *Namespace {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if ns := s.namespaces[name]; ns != nil {
		return ns
	}
	for _, of := range s.patterns {
		if of.name == name {
			return of
		}
	}
	return nil
}

func (l local) event(e *cluster.Emit) (b Broadcast, ev sio.EncodedEvent, ok bool) {
	b, ok = l.audience(e.Audience)
	if !ok {
		return b, ev, false
	}
	ev, err := sio.EncodedBefore(e.Event, e.Data, e.Attachments)
	if err != nil {
		b.ns.log.Debug("core: an event of another process", "error", err)
		return b, ev, false
	}
	b.options = emitOptions{volatile: e.Volatile, uncompressed: e.Plain, local: true}
	return b, ev, true
}

// Emit delivers what another process emits.
func (l local) Emit(e *cluster.Emit) {
	b, ev, ok := l.event(e)
	if !ok {
		return
	}
	err := protect(func() error { return b.deliver(ev) }) // a Parser is the user's
	if err != nil && !l.srv.panicked(err, "core: a panic while passing on an event of another process", "event", clip(e.Event)) {
		b.ns.log.Error("core: an event of another process cannot be passed on", "event", clip(e.Event), "error", err)
	}
}

func (l local) Join(a cluster.Audience, rooms []string) {
	if b, ok := l.audience(a); ok {
		_ = b.Local().Join(rooms...) // an empty name: nobody joins
	}
}

func (l local) Leave(a cluster.Audience, rooms []string) {
	if b, ok := l.audience(a); ok {
		b.Local().Leave(rooms...)
	}
}

func (l local) Disconnect(a cluster.Audience, transport bool) {
	b, ok := l.audience(a)
	switch {
	case !ok:
	case transport:
		b.Local().DisconnectAll()
	default:
		b.Local().Disconnect()
	}
}

func (l local) Revoked(data []byte) {
	if f := l.srv.cfg.OnAnnounced; f != nil {
		err := protect(func() error { return f(data) })
		if err != nil && !l.srv.panicked(err, "core: OnAnnounced panicked") {
			l.srv.cfg.Logger.Error("core: OnAnnounced failed for what another process announced", "error", err)
		}
	}
}

func (l local) Has(namespace, sid string) bool {
	ns := l.srv.named(namespace)
	if ns == nil {
		return false
	}
	_, ok := ns.Socket(sid)
	return ok
}

func (l local) Fetch(a cluster.Audience) (sockets []cluster.Socket) {
	b, ok := l.audience(a)
	if !ok {
		return nil
	}
	for _, s := range b.Sockets() {
		sockets = append(sockets, s.describeToOthers())
	}
	return sockets
}

func (l local) Count(a cluster.Audience) int {
	b, ok := l.audience(a)
	if !ok {
		return 0
	}
	return b.Count()
}

// Gather asks the clients of this process for another one.
func (l local) Gather(ctx context.Context, e *cluster.Emit, each func(cluster.Reply)) (wait func()) {
	b, ev, ok := l.event(e)
	if !ok {
		return func() {}
	}
	g := newGathering()
	err := protect(func() error { // a Parser is the user's
		for _, part := range b.ns.parts() {
			b.in(part).askHere(g, ev)
		}
		return nil
	})
	l.srv.panicked(err, "core: a panic while passing on an event of another process, which wants acks", "event", clip(e.Event))
	return func() {
		defer g.end(nil)
		for {
			got, ok := g.next(ctx, nil)
			if !ok {
				return
			}
			each(replyOf(got))
		}
	}
}

func replyOf(got entry) cluster.Reply {
	r := cluster.Reply{SID: got.id}
	switch {
	case errors.Is(got.err, ErrTimeout):
		r.Err = cluster.TimedOut
	case errors.Is(got.err, ErrDisconnected):
		r.Err = cluster.Disconnected
	case got.err != nil:
		r.Err = got.err.Error()
	default:
		r.Data, r.Attachments = joinArgs(got.answer.Raw), got.answer.Attachments
	}
	return r
}

func joinArgs(args []json.RawMessage) json.RawMessage {
	data := json.RawMessage{'['}
	for i, arg := range args {
		if i > 0 {
			data = append(data, ',')
		}
		data = append(data, arg...)
	}
	return append(data, ']')
}

// ServerEvent runs the handler of an event that another server sent.
func (l local) ServerEvent(ctx context.Context, from string, e *cluster.Emit) (r cluster.Reply, answered bool) {
	ns := l.srv.named(e.Namespace)
	if ns == nil {
		return r, false
	}
	h := ns.set.serverEvent(e.Event)
	if h == nil {
		return r, false
	}
	args, err := sio.ParseArgs(e.Data, l.srv.limits)
	var out sio.EncodedEvent
	if err == nil {
		err = protect(func() error {
			answer, err := h(ctx, from, sio.Packet{Attachments: e.Attachments}.Args(args, l.srv.cfg.JSON))
			if err != nil {
				return err
			}
			out, err = l.srv.encoder.Encode(e.Event, arguments.Spread(answer))
			return err
		})
	}
	if l.srv.panicked(err, "core: a handler of a server event panicked", "event", clip(e.Event), "from", from) {
		return cluster.Reply{Err: internalError}, true
	}
	if err != nil {
		ns.log.Error("core: a handler of a server event failed", "event", clip(e.Event), "from", from, "error", err)
		return cluster.Reply{Err: serverError(err)}, true
	}
	data, ok := out.Args()
	if !ok {
		return cluster.Reply{Err: internalError}, true
	}
	return cluster.Reply{Data: data, Attachments: out.Attachments}, true
}
