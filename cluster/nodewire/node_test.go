package nodewire_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/cluster/internal/brokertest"
	"github.com/siokit/siokit/cluster/nodewire"
	"github.com/siokit/siokit/core"
)

// mixed is a cluster of a Node server and a siokit server, with a client of the official library on each.
type mixed struct {
	*testing.T
	node          *nodePeer
	srv           *core.Server
	link          *nodewire.Adapter
	url           string
	atNode, atOur string // ids of the clients, which are called "n" and "g"
}

func startMixed(t *testing.T, transport string, register func(*core.Server)) *mixed {
	t.Helper()
	addr := brokertest.Redis(t).Addr
	m := &mixed{T: t, node: startNode(t, addr)}
	m.link = nodewire.New(client(t, addr), nodewire.Options{RequestTimeout: 3 * time.Second})
	var err error
	m.srv, err = core.New(core.Config{Link: m.link, Logger: slog.New(slog.DiscardHandler)})
	check(t, err)
	register(m.srv)
	routes := http.NewServeMux()
	routes.Handle("/socket.io/", m.srv)
	listener := httptest.NewServer(routes)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := m.srv.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		listener.CloseClientConnections()
		listener.Close()
	})
	m.url = listener.URL
	options := map[string]any{"transports": []string{transport}}
	m.node.do(t, &m.atNode, `return connect("n", url, args[0])`, options)
	m.node.do(t, &m.atOur, `return connect("g", args[1], args[0])`, options, m.url)
	return m
}

// both checks what the two clients hear next.
func (m *mixed) both(want string) {
	m.Helper()
	m.want("n", want)
	m.want("g", want)
}

func (m *mixed) want(client, want string) {
	m.Helper()
	if got := m.node.heard(m, client); got != want {
		m.Errorf("%s heard %s, want %s", client, got, want)
	}
}

func (m *mixed) js(code string, args ...any) {
	m.Helper()
	m.node.do(m, nil, code, args...)
}

func transports(t *testing.T, f func(t *testing.T, transport string)) {
	for _, transport := range []string{"polling", "websocket"} {
		t.Run(transport, func(t *testing.T) { f(t, transport) })
	}
}

// A Node server and a siokit server are one cluster.
func TestOneCluster(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		type profile struct{ Name string }
		m := startMixed(t, transport, func(srv *core.Server) {
			srv.OnConnect(func(c *core.Context) error { core.SetData(c, profile{"Ada"}); return nil })
			core.OnServer(srv, "add", func(_ context.Context, in core.Args2[int, int]) (int, error) { return in.A + in.B, nil })
			core.OnServer(srv, "told", func(_ context.Context, in string) (struct{}, error) {
				return struct{}{}, srv.Emit("a server was told", in)
			})
			srv.Of("/chat")
		})
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()

		// Broadcasts, with values that JSON does not have.
		check(t, m.srv.Emit("from go", []byte{1, 2}, nil, map[string]any{"n": 1.5, "é": []int{-1}}))
		m.both(`["from go",{"hex":"0102"},null,{"n":1.5,"é":[-1]}]`)
		m.js(`io.emit("from node", Buffer.from("zz"), undefined, new Date(0), { u: undefined, big: 2 ** 40 }, "😀")`)
		m.both(`["from node",{"hex":"7a7a"},null,"1970-01-01T00:00:00.000Z",{"big":1099511627776},"😀"]`)
		m.js(`io.except(args[0]).emit("e")`, m.atNode)
		m.want("g", `["e"]`)
		check(t, m.srv.To(m.atNode).Emit("private"))
		m.want("n", `["private"]`)
		m.js(`io.to(args[0]).emit("private")`, m.atOur)
		m.want("g", `["private"]`)

		// Rooms: joined and left from either side.
		check(t, m.srv.Everybody().Join("r"))
		m.js(`while (!io.sockets.adapter.rooms.has("r")) await new Promise((done) => setTimeout(done, 5))`)
		check(t, m.srv.To("r").Emit("in r"))
		m.both(`["in r"]`)
		m.js(`io.in("r").socketsJoin(["s", "t"])`)
		until(t, "the socket is in s", func() bool { return slices.Contains(m.srv.Rooms(), "s") })
		m.js(`io.to(["r", "s"]).emit("in s")`)
		m.both(`["in s"]`)
		m.js(`io.in(args[0]).socketsLeave("t")`, m.atOur)
		until(t, "the socket is not in t", func() bool { return !slices.Contains(m.srv.Rooms(), "t") })
		m.srv.To(m.atNode).Leave("s")
		m.js(`while (io.sockets.adapter.rooms.has("s")) await new Promise((done) => setTimeout(done, 5))`)

		// Acks: every client of both answers, with binary.
		m.js(`for (const name in clients) clients[name].on("ask", (n, done) => done({ name, n, bin: Buffer.from(name) }))`)
		var answers []string
		m.node.do(t, &answers, `return (await io.timeout(20000).emitWithAck("ask", 7)).map((a) => a.name + a.n + Buffer.from(a.bin).toString()).sort()`)
		m.both(`["ask",7,"ack"]`)
		if want := []string{"g7g", "n7n"}; !slices.Equal(answers, want) {
			t.Errorf("%q", answers)
		}
		var names []string
		type answer struct {
			Name string
			Bin  []byte
		}
		for r, err := range core.Gather[answer](ctx, m.srv.To("r"), "ask", 8) {
			check(t, err)
			names = append(names, r.Answer.Name+string(r.Answer.Bin))
		}
		m.both(`["ask",8,"ack"]`)
		if slices.Sort(names); !slices.Equal(names, []string{"gg", "nn"}) {
			t.Errorf("%q", names)
		}

		// fetchSockets.
		m.js(`io.sockets.sockets.get(args[0]).data.name = "Grace"`, m.atNode)
		found, err := m.srv.To("r").Fetch(ctx)
		check(t, err)
		i := slices.IndexFunc(found, func(s core.RemoteSocket) bool { return s.ID == m.atNode })
		if len(found) != 2 || i < 0 || !slices.Contains(found[i].Rooms, "r") || found[i].Handshake.RemoteIP == "" || found[i].Handshake.Time.Before(time.Now().Add(-time.Hour)) {
			t.Errorf("%+v", found)
		}
		check(t, found[i].Emit("hi"))
		m.want("n", `["hi"]`)
		var remote struct {
			ID    string
			Rooms []string
			Data  map[string]any
			Shake map[string]any
		}
		m.node.do(t, &remote, `const s = (await io.in("r").fetchSockets()).find((s) => s.id === args[0]);
			s.emit("hi"); s.join("by remote");
			return { id: s.id, rooms: [...s.rooms], data: s.data, shake: s.handshake }`, m.atOur)
		m.want("g", `["hi"]`)
		if slices.Sort(remote.Rooms); remote.ID != m.atOur || len(remote.Rooms) != 3 || !strings.Contains(fmt.Sprint(remote.Data), "Ada") {
			t.Errorf("%+v", remote)
		}
		if fmt.Sprint(remote.Shake["headers"], remote.Shake["auth"], remote.Shake["query"]) != "map[] map[] map[]" || remote.Shake["address"] == "" || remote.Shake["issued"].(float64) == 0 {
			t.Errorf("%+v", remote.Shake)
		}
		until(t, "the remote join", func() bool { return slices.Contains(m.srv.Rooms(), "by remote") })

		// Server-to-server events.
		var sums []int
		m.node.do(t, &sums, `return io.serverSideEmitWithAck("add", 2, 3)`)
		if !slices.Equal(sums, []int{5}) {
			t.Error(sums)
		}
		m.js(`io.on("double", (n, done) => done({ twice: 2 * n })); io.on("told", (what) => tell("told", what))`)
		type doubled struct{ Twice int }
		n := 0
		for r, err := range core.AskServers[doubled](ctx, m.srv, "double", 21) {
			check(t, err)
			n += r.Answer.Twice
		}
		if n != 42 {
			t.Error(n)
		}
		check(t, m.srv.ServerEmit("told", "by go"))
		m.want("told", `["by go"]`)
		m.js(`io.serverSideEmit("told", "by node")`)
		m.both(`["a server was told","by node"]`)

		// Other namespaces, and the emitter.
		m.js(`io.of("/chat"); await connect("nc", url + "/chat", args[0]); await connect("gc", args[1] + "/chat", args[0]);
			while ((await counted("/chat")) < 2) await new Promise((done) => setTimeout(done, 5))`, map[string]any{"transports": []string{transport}}, m.url)
		m.js(`emitter.of("/chat").emit("in chat", 1); emitter.except(args[0]).emit("x"); emitter.to("r").compress(false).emit("bin", Buffer.from([9]))`, m.atNode)
		m.want("nc", `["in chat",1]`)
		m.want("gc", `["in chat",1]`)
		m.want("g", `["x"]`)
		m.both(`["bin",{"hex":"09"}]`)
		m.js(`emitter.in("r").socketsJoin("e")`)
		until(t, "the emitter's join", func() bool { return slices.Contains(m.srv.Rooms(), "e") })
		m.js(`emitter.serverSideEmit("told", "by emitter")`)
		m.want("told", `["by emitter"]`)
		m.both(`["a server was told","by emitter"]`)
		if found, err = m.srv.Of("/chat").Everybody().Fetch(ctx); err != nil || len(found) != 2 {
			t.Error(found, err)
		}
		m.js(`emitter.of("/chat").disconnectSockets(true)`)
		m.want("nc", `["disconnect","io server disconnect"]`)
		m.want("gc", `["disconnect","io server disconnect"]`)

		// disconnectSockets.
		m.srv.To(m.atNode).Disconnect()
		m.want("n", `["disconnect","io server disconnect"]`)
		m.js(`io.in(args[0]).disconnectSockets()`, m.atOur)
		m.want("g", `["disconnect","io server disconnect"]`)
		if s := m.link.Stats(); s.Invalid != 0 || s.Dropped != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// A namespace that comes with its first client counts from then on, and not when the last has left.
func TestDynamicNamespaces(t *testing.T) {
	m := startMixed(t, "websocket", func(srv *core.Server) { srv.OfPattern("/org/{id}") })
	m.js(`io.of(/^\/org\//); await connect("n7", url + "/org/7"); await connect("g7", args[0] + "/org/7")`, m.url)
	var ids []string
	m.node.do(t, &ids, `while ((await counted("/org/7")) < 2) await new Promise((done) => setTimeout(done, 5));
		return (await io.of("/org/7").fetchSockets()).map((s) => s.id)`)
	if len(ids) != 2 {
		t.Errorf("%q", ids)
	}
	m.js(`io.of("/org/7").emit("e", 1)`)
	m.want("n7", `["e",1]`)
	m.want("g7", `["e",1]`)
	m.js(`clients.g7.disconnect(); while ((await counted("/org/7")) > 1) await new Promise((done) => setTimeout(done, 5))`)
	m.js(`await connect("again", args[0] + "/org/7"); while ((await counted("/org/7")) < 2) await new Promise((done) => setTimeout(done, 5))`, m.url)
}

// A Node server that hangs makes a result partial; one that has died is not waited for.
func TestNodeServerHangs(t *testing.T) {
	m := startMixed(t, "websocket", func(*core.Server) {})
	signal := func(s syscall.Signal) { check(t, m.node.cmd.Process.Signal(s)) }
	signal(syscall.SIGSTOP)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	found, err := m.srv.Everybody().Fetch(ctx)
	if _, ok := errors.AsType[*cluster.SilentError](err); !ok || len(found) != 1 || found[0].ID != m.atOur {
		t.Error(found, err)
	}
	signal(syscall.SIGKILL)
	until(t, "Redis knows that it is gone", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := m.srv.Everybody().Fetch(ctx)
		return err == nil
	})
}

// Subscriptions are cut, and Redis is away for a moment: both sides go on, and talk again.
func TestConnectionsAreCut(t *testing.T) {
	server := brokertest.Redis(t)
	m := &mixed{T: t, node: startNode(t, server.Addr)}
	a, r := member(t, server.Addr, nodewire.Options{})
	a.OpenNamespace("/x")
	rdb := client(t, server.Addr)
	m.js(`io.of("/x"); while ((await counted("/x")) < 2) await new Promise((done) => setTimeout(done, 5))`)
	whole := func(event string) { // each time another: of the last there may be more to come
		t.Helper()
		until(t, "it receives again", func() bool {
			_ = m.node.start(t, `io.of("/x").emit(args[0])`, event) // which may fail while Node's client is away
			select {
			case call := <-r.calls:
				return call == `emit `+event+` /x * []`
			case <-time.After(50 * time.Millisecond):
				return false
			}
		})
		until(t, "both are counted again", func() bool {
			n, err := rdb.PubSubNumSub(t.Context(), "socket.io-request#/x#", "socket.io-request#/#").Result()
			check(t, err)
			return n["socket.io-request#/x#"] == 2 && n["socket.io-request#/#"] == 2
		})
		until(t, "it asks again", func() bool {
			_, err := a.Fetch(t.Context(), all("/x"))
			return err == nil
		})
		until(t, "it is healthy", func() bool { return a.Healthy() == nil })
	}
	check(t, rdb.ClientKillByFilter(t.Context(), "TYPE", "pubsub").Err())
	whole("cut")
	server.Stop(t)
	until(t, "it notices", func() bool { return a.Healthy() != nil })
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := a.Fetch(ctx, all("/x")); err == nil || !strings.Contains(err.Error(), "all other servers") {
		t.Error(err)
	}
	server.Start(t)
	whole("away")
}

// The Redis users of docs/node-cluster.md can do what they must, and no more.
func TestRedisUsers(t *testing.T) {
	addr := brokertest.Redis(t).Addr
	admin := client(t, addr)
	for _, rule := range []string{
		"ACL SETUSER siokit on >secret resetchannels &socket.io* &socket.io#* +publish +subscribe +unsubscribe +psubscribe +pubsub +@connection",
		"ACL SETUSER worker on >secret resetchannels &socket.io#* &socket.io-request#* +publish +@connection",
	} {
		page, err := os.ReadFile("../../docs/node-cluster.md")
		check(t, err)
		if !strings.Contains(string(page), rule) {
			t.Errorf("docs/node-cluster.md does not say %q", rule)
		}
		var args []any
		for _, word := range strings.Fields(rule) {
			args = append(args, word)
		}
		check(t, admin.Do(t.Context(), args...).Err())
	}
	as := func(user string) *redis.Client {
		rdb := redis.NewClient(&redis.Options{Addr: addr, Username: user, Password: "secret"})
		t.Cleanup(func() { _ = rdb.Close() })
		return rdb
	}
	a := nodewire.New(as("siokit"), nodewire.Options{Logger: slog.New(slog.DiscardHandler)})
	r := &recorder{calls: make(chan string, 10)}
	check(t, a.Start(t.Context(), r))
	defer func() { check(t, a.Close(context.Background())) }()
	if _, err := a.Fetch(t.Context(), all("/")); err != nil {
		t.Error(err)
	}
	worker := as("worker")
	check(t, worker.Publish(t.Context(), "socket.io-request#/#", `{"type":2,"opts":{"rooms":["r"],"except":[]},"rooms":["s"]}`).Err())
	r.want(t, "join / rooms=[r] [s]")
	if err := worker.Publish(t.Context(), "socket.io-response#/#", "{}").Err(); err == nil {
		t.Error("the worker may answer")
	}
	if err := as("siokit").Set(t.Context(), "key", 1, 0).Err(); err == nil {
		t.Error("the server may write")
	}
	if s := a.Stats(); s.Invalid != 0 {
		t.Errorf("%+v", s)
	}
}
