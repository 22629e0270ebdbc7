package core

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/wire/sio"
)

// connectToOthers makes the server one of several, as Config says.
func (s *Server) connectToOthers() error {
	link := s.cfg.Link
	if s.cfg.Bus != nil {
		opts := s.cfg.Cluster
		if opts.Logger == nil {
			opts.Logger = s.cfg.Logger
		}
		opts.Limits.Attachments = max(opts.Limits.Attachments, s.cfg.MaxAttachments)
		node, err := cluster.NewNode(s.cfg.Bus, opts)
		if err != nil {
			return err
		}
		link = node
	}
	if link == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err := link.Start(ctx, local{s}); err != nil {
		closing, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		_ = link.Close(closing)
		return fmt.Errorf("core: Config.Bus: %w", err)
	}
	s.link = link
	return nil
}

// reachesOthers reports whether clients of other processes are meant too.
func (b Broadcast) reachesOthers() bool { return b.ns.srv.link != nil && !b.options.local }

// clusterAudience is the audience as other processes know it.
func (b Broadcast) clusterAudience() cluster.Audience {
	a := cluster.Audience{Namespace: b.ns.name, All: b.all, Rooms: b.rooms, Except: b.except}
	if b.sender != nil {
		a.Except = append(append([]string(nil), a.Except...), b.sender.id)
	}
	return a
}

// eachForOthers calls f with b for each name under which other processes know its namespace: a parent by
// pattern has one, and for a parent by function these are the children that are here.
func (b Broadcast) eachForOthers(f func(b Broadcast)) {
	if p := b.ns.parent; p == nil || p.pattern != nil {
		f(b)
		return
	}
	for _, child := range b.ns.Children() {
		f(b.in(child))
	}
}

// clusterEvent is an event for the clients of other processes.
func (b Broadcast) clusterEvent(ev sio.EncodedEvent) (*cluster.Emit, bool) {
	args, ok := ev.Args()
	if !ok {
		b.ns.log.Error("core: an event cannot be sent to other processes: beside binary values it holds an object with a member \"_placeholder\"; rename that", "event", ev.Name)
		return nil, false
	}
	return &cluster.Emit{
		Audience: b.clusterAudience(), Event: ev.Name, Data: args, Attachments: ev.Attachments,
		Volatile: b.options.volatile, Plain: b.options.uncompressed,
	}, true
}

func (s *Server) tellOthers(b Broadcast, ev sio.EncodedEvent) {
	b.eachForOthers(func(b Broadcast) {
		if e, ok := b.clusterEvent(ev); ok {
			s.link.Emit(e)
		}
	})
}

// gatherFromOthers asks the clients of other processes, and names the processes that do not answer.
func (b Broadcast) gatherFromOthers(ctx context.Context, g *gathering, ev sio.EncodedEvent) {
	b.eachForOthers(func(b Broadcast) {
		e, ok := b.clusterEvent(ev)
		if !ok {
			return
		}
		g.open()
		b.ns.srv.background.Go(func() {
			defer g.exhausted()
			err := b.ns.srv.link.Gather(ctx, e, func(r cluster.Reply) { g.fromElsewhere(r, b.ns.srv) })
			if silent, ok := errors.AsType[*cluster.SilentError](err); ok {
				g.note(silent)
			}
		})
	})
}

// fromElsewhere takes the answer of another process's client.
func (g *gathering) fromElsewhere(r cluster.Reply, s *Server) {
	g.expect(r.SID, nil)
	switch r.Err {
	case "":
		args, err := sio.ParseArgs(r.Data, s.limits)
		if err != nil {
			g.arrive(r.SID, settled{err: fmt.Errorf("core: the answer that another process passed on: %w", err)})
			return
		}
		p := sio.Packet{Attachments: r.Attachments}
		g.arrive(r.SID, settled{answer: p.Args(args, s.cfg.JSON)})
	case cluster.TimedOut:
		g.arrive(r.SID, settled{err: ErrTimeout})
	case cluster.Disconnected:
		g.arrive(r.SID, settled{err: ErrDisconnected})
	default:
		g.arrive(r.SID, settled{err: errors.New("core: " + r.Err)})
	}
}

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
	if err := protect(func() error { return b.deliver(ev) }); err != nil { // a Parser is the user's
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
	if f := l.srv.cfg.OnRevoked; f != nil {
		if err := protect(func() error { return f(data) }); err != nil {
			l.srv.cfg.Logger.Error("core: a revocation of another process cannot be applied", "error", err)
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
		sockets = append(sockets, l.srv.tell(s))
	}
	return sockets
}

// Gather asks the clients of this process for another one.
func (l local) Gather(ctx context.Context, e *cluster.Emit, each func(cluster.Reply)) error {
	b, ev, ok := l.event(e)
	if !ok {
		return nil
	}
	g := newGathering()
	defer g.end(nil)
	for _, part := range b.ns.parts() {
		b.in(part).askHere(g, ev)
	}
	for {
		got, ok := g.next(ctx, nil)
		if !ok {
			return nil
		}
		each(replyOf(got))
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
