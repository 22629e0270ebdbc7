package core

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/wire/sio"
)

// startTimeout bounds how long New waits for the broker.
const startTimeout = 10 * time.Second

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
	s.link = link // others may have something to say before Start returns
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err := link.Start(ctx, local{s}); err != nil {
		closing, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		_ = link.Close(closing)
		field := "Link"
		if s.cfg.Bus != nil {
			field = "Bus"
		}
		return fmt.Errorf("core: Config.%s: %w", field, err)
	}
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

// askOthers asks the clients of other processes, until ctx ends. wait returns when that has been.
func (b Broadcast) askOthers(ctx context.Context, g *gathering, ev sio.EncodedEvent) (wait func()) {
	var asking sync.WaitGroup
	b.eachForOthers(func(b Broadcast) {
		e, ok := b.clusterEvent(ev)
		if !ok {
			return
		}
		g.open()
		asking.Go(func() {
			defer g.exhausted()
			err := b.ns.srv.link.Gather(ctx, e, func(r cluster.Reply) { g.fromElsewhere(r, b.ns.srv) })
			if _, ok := errors.AsType[*cluster.SilentError](err); ok {
				g.add(entry{settled: settled{err: err}})
			}
		})
	})
	return asking.Wait
}

// fromElsewhere takes the answer of another process's client. Package nodewire does not know whose it is.
func (g *gathering) fromElsewhere(r cluster.Reply, s *Server) {
	got := settledBy(r, s)
	if r.SID == "" {
		g.add(entry{settled: got})
		return
	}
	g.expect(r.SID, nil)
	g.arrive(r.SID, got)
}

func settledBy(r cluster.Reply, s *Server) settled {
	switch r.Err {
	case "":
		args, err := sio.ParseArgs(r.Data, s.limits)
		if err != nil {
			return settled{err: fmt.Errorf("core: the answer that another process passed on: %w", err)}
		}
		return settled{answer: sio.Packet{Attachments: r.Attachments}.Args(args, s.cfg.JSON)}
	case cluster.TimedOut:
		return settled{err: ErrTimeout}
	case cluster.Disconnected:
		return settled{err: ErrDisconnected}
	}
	return settled{err: errors.New("core: " + r.Err)}
}

// Nodes returns the ids of the other servers of the cluster that are known to be there; none without
// Config.Bus.
func (s *Server) Nodes() []string {
	if s.link == nil {
		return nil
	}
	return s.link.Nodes()
}

// ClusterStats counts what went to and came from other servers; all zero without Config.Bus.
func (s *Server) ClusterStats() cluster.Stats {
	if s.link == nil {
		return cluster.Stats{}
	}
	return s.link.Stats()
}

// ClusterHealth returns nil while messages go to and come from other servers, or there are none, and
// otherwise what is wrong: for a health endpoint. Clients of this server are served all the same.
func (s *Server) ClusterHealth() error {
	if s.link == nil {
		return nil
	}
	return s.link.Healthy()
}
