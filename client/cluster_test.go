package client_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/cluster/membus"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/internal/delivery"
)

// cluster starts servers that share a bus in memory, and waits until they know each other.
func cluster(t *testing.T, n int) (servers []*core.Server, urls []string) {
	t.Helper()
	hub := new(membus.Hub)
	for range n {
		cfg := roomy()
		cfg.Bus = hub.Bus()
		urls = append(urls, serve(t, cfg, func(srv *core.Server) {
			srv.Of("/second")
			core.OnCall(srv, "join", func(c *core.Context, room string) (core.None, error) { return core.None{}, c.Join(room) })
			servers = append(servers, srv)
		}))
	}
	for _, srv := range servers {
		for end := time.Now().Add(patience); len(srv.Nodes()) != n-1; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("a server knows %d others of %d", len(srv.Nodes()), n-1)
			}
		}
	}
	return servers, urls
}

// D-06: what one goroutine of one server broadcasts to all, to a room, and to two namespaces in turn comes to
// clients of another server in this order, all of it.
func TestBroadcastsOfAnotherServerKeepTheirOrder(t *testing.T) {
	const clients = 10
	n := delivery.Size(900, 100_000, 20_000)
	servers, urls := cluster(t, 2)
	ledgers := make([]*delivery.Ledger, clients)
	for i := range ledgers {
		l := delivery.NewLedger()
		ledgers[i] = l
		opts := client.Options{Transports: wsOnly}
		if i%5 == 4 {
			opts.Transports = []string{"polling"}
		}
		c := newClient(t, urls[1], opts)
		take := func(_ context.Context, m delivery.Message) error { l.Take(m); return nil }
		client.On(c, "m", take)
		client.On(c.Of("/second"), "m", take)
		connect(t, c)
		if _, err := client.Call[client.None](within(t), c, "join", "room"); err != nil {
			t.Fatal(err)
		}
	}
	first, second := servers[0].Of("/"), servers[0].Of("/second")
	seqs := map[string]int{}
	for i := range n {
		stream, emit := "all", first.Emit
		switch i % 3 {
		case 1:
			stream, emit = "room", first.To("room").Emit
		case 2:
			stream, emit = "second", second.Emit
		}
		if err := emit("m", delivery.New("a", stream, seqs[stream], i%4/3)); err != nil {
			t.Fatal(err)
		}
		seqs[stream]++
	}
	for i, l := range ledgers {
		if err := l.Await(n); err != nil {
			t.Fatalf("client %d: %v", i, err)
		}
	}
}

// D-07: whoever has joined a room receives what is emitted to it from then on, from this server and from
// another one, and whoever has left it nothing more.
func TestJoinedIsJoined(t *testing.T) {
	rounds := delivery.Size(500, 100_000, 10_000)
	servers, urls := cluster(t, 2)
	here := delivery.NewLedger()
	c := newClient(t, urls[0], client.Options{Transports: wsOnly})
	client.On(c, "m", func(_ context.Context, m delivery.Message) error { here.Take(m); return nil })
	end := make(chan struct{}, 1)
	client.On(c, "end", func(context.Context, client.None) error { end <- struct{}{}; return nil })
	client.On(c, "left", func(context.Context, client.Args) error { t.Error("an event for a room that was left"); return nil })
	connect(t, c)
	s, ok := servers[0].Socket(c.ID())
	if !ok {
		t.Fatal("the socket is not there")
	}
	far := servers[1]
	for i := range rounds {
		room := fmt.Sprint("room ", i)
		if err := s.Join(room); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for who, srv := range map[string]*core.Server{"near": servers[0], "far": far} {
			wg.Go(func() {
				if err := srv.To(room).Emit("m", delivery.New(who, "", i, 0)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if i%10 == 0 { // what came by the bus has to come before the room is left
			here.Want(t, 2*(i+1))
			s.Leave(room)
			if err := servers[0].To(room).Emit("left"); err != nil {
				t.Fatal(err)
			}
		}
	}
	here.Want(t, 2*rounds)
	if err := s.Emit("end"); err != nil {
		t.Fatal(err)
	}
	next(t, end) // behind any "left"
}
