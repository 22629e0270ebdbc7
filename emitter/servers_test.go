package emitter_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/cluster/membus"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/emitter"
	"github.com/siokit/siokit/siotest"
)

// serve starts a server on the hub; clients join the room that is their auth payload.
func serve(t *testing.T, hub *membus.Hub, cfg core.Config) (srv *core.Server, connect func(namespace, room string) *siotest.Client) {
	t.Helper()
	cfg.Bus, cfg.Logger = hub.Bus(), discard
	srv, err := core.New(cfg)
	check(t, err)
	for _, ns := range []*core.Namespace{srv.Of("/"), srv.Of("/orders")} {
		ns.OnConnect(func(c *core.Context) error {
			var auth struct {
				Room string `json:"room"`
			}
			if err := c.Auth(&auth); err != nil {
				return err
			}
			return c.Join(auth.Room)
		})
	}
	ts := siotest.Serve(t, srv)
	return srv, func(namespace, room string) *siotest.Client {
		t.Helper()
		return ts.Dial(siotest.Namespace(namespace), siotest.Auth(map[string]string{"room": room}))
	}
}

// A worker reaches the clients of every server, by all of its methods, and no server waits for it.
func TestReachesTheClientsOfEveryServer(t *testing.T) {
	var hub membus.Hub
	key := []byte("0123456789abcdef")
	told := make(chan string, 10)
	cfg := core.Config{
		Cluster:     cluster.Options{Key: key},
		OnAnnounced: func(data []byte) error { told <- "announced " + string(data); return nil },
	}
	a, connectA := serve(t, &hub, cfg)
	b, connectB := serve(t, &hub, cfg)
	for _, srv := range []*core.Server{a, b} {
		core.OnServer(srv.Of("/orders"), "reload", func(_ context.Context, what string) (core.None, error) {
			told <- "reload " + what
			return core.None{}, nil
		})
	}
	for len(a.Nodes()) == 0 || len(b.Nodes()) == 0 {
		time.Sleep(time.Millisecond)
	}
	ann, bob, eve := connectA("/orders", "o:1"), connectB("/orders", "o:1"), connectB("/", "o:1")

	em := emitter.New(hub.Bus(), emitter.Options{Key: key})
	ctx := t.Context()
	orders := em.Of("/orders")
	check(t, orders.To("o:1").Emit(ctx, "shipped", map[string]any{"n": uint64(9007199254740993), "label": []byte{1, 2}}))
	type parcel struct {
		N     uint64 `json:"n"`
		Label []byte `json:"label"`
	}
	for _, c := range []*siotest.Client{ann, bob} {
		if got := siotest.Next[parcel](c, "shipped"); got.N != 9007199254740993 || string(got.Label) != "\x01\x02" {
			t.Errorf("shipped %+v", got)
		}
	}
	check(t, em.Send(ctx, "hello"))
	if got := siotest.Next[string](eve, "message"); got != "hello" {
		t.Errorf("message %q", got)
	}

	check(t, orders.To("o:1").Join(ctx, "moved"))
	check(t, orders.To("o:1").Except("moved").Emit(ctx, "nobody"))
	check(t, orders.CloseRoom(ctx, "o:1"))
	check(t, orders.To("o:1").Emit(ctx, "nobody"))
	check(t, orders.To("moved").Emit(ctx, "moved"))
	for _, c := range []*siotest.Client{ann, bob} {
		siotest.Next[client.None](c, "moved")
		if others := c.Received(); len(others) > 0 {
			t.Errorf("there came %v", others)
		}
	}
	check(t, orders.ServerEmit(ctx, "reload", "prices"))
	check(t, em.Announce(ctx, []byte("x")))
	var got []string
	for range 4 {
		select {
		case what := <-told:
			got = append(got, what)
		case <-time.After(patience):
			t.Fatalf("the servers were told only %q", got)
		}
	}
	slices.Sort(got)
	if want := []string{"announced x", "announced x", "reload prices", "reload prices"}; !slices.Equal(got, want) {
		t.Errorf("the servers were told %q", got)
	}

	// The servers ask each other, and not the emitter: a silent one would be an error.
	if n := len(a.Nodes()); n != 1 {
		t.Errorf("%d other nodes", n)
	}
	if sockets, err := a.Of("/orders").Everybody().Fetch(ctx); err != nil || len(sockets) != 2 {
		t.Errorf("Fetch: %d sockets, %v", len(sockets), err)
	}

	// Whoever does not have the key says nothing that counts.
	forger := emitter.New(hub.Bus(), emitter.Options{})
	check(t, forger.Emit(ctx, "forged"))
	check(t, forger.Close(ctx))

	check(t, orders.To("moved").Disconnect(ctx))
	further := eve.Of("/orders") // of the same connection
	check(t, em.To("o:1").DisconnectAll(ctx))
	for _, c := range []siotest.Receiver{ann, bob, eve, further} {
		if reason := c.Disconnected(); reason != client.ServerDisconnect {
			t.Errorf("disconnected by %s", reason)
		}
		if rest := c.Received(); len(rest) > 0 {
			t.Errorf("there came %v", rest)
		}
	}
	check(t, em.Close(ctx))
}
