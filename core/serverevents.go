package core

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"

	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/wire/sio"
)

// serverHandler handles an event that another server sent.
type serverHandler func(ctx context.Context, from string, args sio.Args) (out any, err error)

// OnServer registers a handler for an event that other servers of the cluster send, with ServerEmit or
// AskServers: not clients, which cannot reach it. on is a *Server, for its namespace "/", or a *Namespace. In and Out
// follow the rules of On and OnCall. Handlers of one event may run at the same time, in no order; ctx
// ends when whoever asked has stopped waiting. An error is logged, and whoever asked gets its text if it
// was made for clients (see Error), else "internal error".
//
// OnServer panics if the event has such a handler already.
func OnServer[In, Out any](on Scope, event string, h func(ctx context.Context, in In) (Out, error)) {
	set := on.asking().set
	if h == nil {
		panic(fmt.Sprintf("core: server event %q: the handler is nil", event))
	}
	set.onServerEvent(event, func(ctx context.Context, from string, args sio.Args) (any, error) {
		var in In
		if err := decodeInto(&in, event, args); err != nil {
			return nil, err
		}
		return h(ctx, in)
	})
}

func (hs *handlerSet) onServerEvent(event string, h serverHandler) {
	hs.change(func(r *registered) {
		if _, twice := r.serverEvents[event]; twice {
			panic(fmt.Sprintf("core: server event %q registered twice", event))
		}
		events := maps.Clone(r.serverEvents)
		if events == nil {
			events = make(map[string]serverHandler)
		}
		events[event] = h
		r.serverEvents = events
	})
}

func (hs *handlerSet) serverEvent(event string) serverHandler { return hs.load().serverEvents[event] }

// ErrNoCluster is returned by what needs other servers when there are none: Config.Bus is nil.
var ErrNoCluster = errors.New("core: this server is alone: set core.Config.Bus to talk to others")

// ServerEmit sends an event to all other servers of the cluster, where handlers of OnServer get it. It
// does not wait, and nothing says whether they are there.
func (ns *Namespace) ServerEmit(event string, args ...any) error {
	e, err := ns.serverEvent(event, args)
	if err != nil {
		return err
	}
	return ns.srv.link.ServerEmit(context.Background(), e, nil)
}

// ServerEmit is Namespace.ServerEmit of "/".
func (s *Server) ServerEmit(event string, args ...any) error {
	return s.root.ServerEmit(event, args...)
}

func (ns *Namespace) serverEvent(event string, args []any) (*cluster.Emit, error) {
	if ns.srv.link == nil {
		return nil, ErrNoCluster
	}
	ev, err := ns.srv.encoder.Encode(event, args)
	if err != nil {
		return nil, err
	}
	e, ok := ns.Everybody().clusterEvent(ev)
	if !ok {
		return nil, fmt.Errorf("core: server event %q: beside binary values it holds an object with a member \"_placeholder\"; rename that", event)
	}
	return e, nil
}

// AskServers sends an event to all other servers of the cluster and yields what their handlers of
// OnServer answer, as it arrives; ID is that of the process, if the wire tells (package nodewire's does not). on is a *Server, for "/", or a *Namespace. It waits until ctx
// ends, at most 5 s if ctx has no deadline. At the end comes an entry with a *cluster.SilentError if
// some did not answer. Servers without such a handler are not among the answers.
func AskServers[Out any](ctx context.Context, on Scope, event string, args ...any) iter.Seq2[Reply[Out], error] {
	return func(yield func(Reply[Out], error) bool) {
		ns := on.asking()
		e, err := ns.serverEvent(event, args)
		if err != nil {
			yield(Reply[Out]{}, err)
			return
		}
		g := newGathering()
		defer g.end(nil)
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		g.open()
		go func() {
			defer g.exhausted()
			err := ns.srv.link.ServerEmit(ctx, e, func(r cluster.Reply) { g.fromElsewhere(r, ns.srv) })
			_, silent := errors.AsType[*cluster.SilentError](err) // also when ctx has ended: that is how long they had
			if silent || err != nil && ctx.Err() == nil {
				g.add(entry{settled: settled{err: err}})
			}
		}()
		collect(ctx, g, event, nil, yield)
	}
}

// A Scope is the namespace that an event between servers belongs to: a *Server, for "/", or a *Namespace.
type Scope interface{ asking() *Namespace }

func (ns *Namespace) asking() *Namespace { return ns }
func (s *Server) asking() *Namespace     { return s.root }

// serverError is what another server may know of an error here.
func serverError(err error) string {
	message, _ := refusal(err)
	return message
}

// Announce passes data to the other servers of the cluster, where Config.OnAnnounced gets it: with
//
//	users.OnRevoke(srv.Announce)
//
// and Config.OnAnnounced of users.ApplyRevocation, a logout ends a login's sockets on all of them. Alone it does nothing.
func (s *Server) Announce(data []byte) {
	if s.link != nil {
		s.link.Revoke(data)
	}
}
