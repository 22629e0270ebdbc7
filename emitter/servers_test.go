package emitter_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/cluster/membus"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/emitter"
)

// serve starts a server on the hub; clients join the room that is their auth payload.
func serve(t *testing.T, hub *membus.Hub, cfg core.Config) (srv *core.Server, connect func(namespace, room string) *client) {
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
	ts := httptest.NewServer(srv)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		ts.Close()
	})
	return srv, func(namespace, room string) *client {
		t.Helper()
		ws, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(ts.URL, "http")+"/socket.io/?EIO=4&transport=websocket", nil)
		check(t, err)
		t.Cleanup(func() { _ = ws.Close() })
		c := &client{t: t, ws: ws}
		prefix := "40"
		if namespace != "/" {
			prefix += namespace + ","
		}
		check(t, ws.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, `%s{"room":%q}`, prefix, room)))
		if open := c.next(); !strings.HasPrefix(open, "0{") {
			t.Fatalf("received %q", open)
		}
		if reply := c.next(); !strings.HasPrefix(reply, prefix+`{"sid"`) {
			t.Fatalf("received %q", reply)
		}
		return c
	}
}

type client struct {
	t  *testing.T
	ws *websocket.Conn
}

func (c *client) next() string {
	c.t.Helper()
	_ = c.ws.SetReadDeadline(time.Now().Add(patience))
	kind, data, err := c.ws.ReadMessage()
	if err != nil {
		return err.Error()
	}
	if kind == websocket.BinaryMessage {
		return fmt.Sprintf("binary %x", data)
	}
	return string(data)
}

func (c *client) want(packets ...string) {
	c.t.Helper()
	for _, want := range packets {
		if got := c.next(); got != want {
			c.t.Fatalf("received %q, want %q", got, want)
		}
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
	for _, c := range []*client{ann, bob} {
		c.want(`451-/orders,["shipped",{"label":{"_placeholder":true,"num":0},"n":9007199254740993}]`, "binary 0102")
	}
	check(t, em.Send(ctx, "hello"))
	eve.want(`42["message","hello"]`)

	check(t, orders.To("o:1").Join(ctx, "moved"))
	check(t, orders.To("o:1").Except("moved").Emit(ctx, "nobody"))
	check(t, orders.CloseRoom(ctx, "o:1"))
	check(t, orders.To("o:1").Emit(ctx, "nobody"))
	check(t, orders.To("moved").Emit(ctx, "moved"))
	for _, c := range []*client{ann, bob} {
		c.want(`42/orders,["moved"]`)
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
	for _, c := range []*client{ann, bob} {
		c.want("41/orders,")
	}
	check(t, em.To("o:1").DisconnectAll(ctx))
	eve.want("41", "websocket: close 1000 (normal)")
	check(t, em.Close(ctx))
}
