package nodewire_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/cluster/internal/brokertest"
	"github.com/siokit/siokit/cluster/nodewire"
)

// Two members of siokit ask each other over this wire.
func TestMembersAsk(t *testing.T) {
	addr := brokertest.Redis(t).Addr
	a, atA := member(t, addr, nodewire.Options{})
	b, atB := member(t, addr, nodewire.Options{})
	atB.sockets = []cluster.Socket{{ID: "S", Rooms: []string{"S", "r"}, Data: []byte(`{"n":1}`), Handshake: cluster.Handshake{Address: "10.0.0.1", Issued: 5, Secure: true, URL: "/x"}}}
	sockets, err := a.Fetch(t.Context(), all("/"))
	check(t, err)
	want := cluster.Socket{ID: "S", Namespace: "/", Rooms: []string{"S", "r"}, Data: []byte(`{"n":1}`), Handshake: atB.sockets[0].Handshake}
	if len(sockets) != 1 || fmt.Sprint(sockets[0]) != fmt.Sprint(want) {
		t.Errorf("%+v", sockets)
	}
	if sockets, err = b.Fetch(t.Context(), all("/")); err != nil || len(sockets) != 0 {
		t.Error(sockets, err)
	}

	atB.answers = []cluster.Reply{{Data: []byte(`["yes"]`)}}
	var got []string
	each := func(r cluster.Reply) { got = append(got, fmt.Sprint(string(r.Data), r.Attachments, r.Err)) }
	check(t, a.Gather(t.Context(), &cluster.Emit{Audience: all("/"), Event: "sure?", Data: []byte("[1]")}, each))
	check(t, a.ServerEmit(t.Context(), &cluster.Emit{Audience: all("/"), Event: "ping", Data: []byte("[2,3]")}, each))
	if want := []string{`["yes"][]`, `[2][]`}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	atB.want(t, "gather sure? / * [1]", "server event "+a.ID()+" / ping [2,3]")
	a.Revoke([]byte("token 7"))
	atB.want(t, "revoked token 7")

	// A namespace that only one has has nobody to ask; then both have it.
	a.OpenNamespace("/x")
	if sockets, err := a.Fetch(t.Context(), all("/x")); err != nil || len(sockets) > 0 {
		t.Error(sockets, err)
	}
	if _, err := b.Fetch(t.Context(), all("/x")); err != nil { // which opens it
		t.Error(err)
	}
	if sockets, err := a.Fetch(t.Context(), all("/x")); err != nil || len(sockets) != 1 {
		t.Error(sockets, err)
	}
	b.CloseNamespace("/x")
	rdb := client(t, addr)
	until(t, "b has left /x", func() bool {
		n, err := rdb.PubSubNumSub(t.Context(), "socket.io-request#/x#").Result()
		check(t, err)
		return n["socket.io-request#/x#"] == 1
	})
	if sockets, err := a.Fetch(t.Context(), all("/x")); err != nil || len(sockets) > 0 {
		t.Error(sockets, err)
	}
	until(t, "they know each other", func() bool {
		return slices.Equal(a.Nodes(), []string{b.ID()}) && slices.Equal(b.Nodes(), []string{a.ID()})
	})
	if s := a.Stats(); s.Invalid != 0 || s.Sent == 0 || len(atA.calls) != 0 {
		t.Errorf("%+v", s)
	}
}

func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// A server that is counted and does not answer makes the result partial, and clients that do not are counted.
func TestSilence(t *testing.T) {
	addr := brokertest.Redis(t).Addr
	a, _ := member(t, addr, nodewire.Options{RequestTimeout: 400 * time.Millisecond})
	_, atB := member(t, addr, nodewire.Options{})
	atB.sockets = []cluster.Socket{{ID: "S"}, {ID: "T"}}
	atB.answers = []cluster.Reply{{Data: []byte(`["yes"]`)}}
	mute := client(t, addr).Subscribe(t.Context(), "socket.io-request#/#")
	defer mute.Close()
	_, err := mute.Receive(t.Context())
	check(t, err)

	// On a busy machine the other may answer too late: then the next question, which waits for longer, gets its answer.
	ctx, cancel := t.Context(), context.CancelFunc(func() {}) // of the first question: the default timeout
	defer func() { cancel() }()
	timeout := 400 * time.Millisecond
	longer := func() {
		cancel()
		timeout *= 2
		ctx, cancel = context.WithTimeout(t.Context(), timeout)
	}
	until(t, "the sockets of one, and that one is silent", func() bool {
		defer longer()
		sockets, err := a.Fetch(ctx, all("/"))
		silent, ok := errors.AsType[*cluster.SilentError](err)
		if !ok || len(silent.Nodes) != 1 {
			t.Fatal(sockets, err)
		}
		return len(sockets) == 2 && silent.Nodes[0] == "1 of the 2 other servers on socket.io-request#/#"
	})
	until(t, "the answer of one client, and that the other is silent", func() bool {
		defer longer()
		var got []string
		err := a.Gather(ctx, &cluster.Emit{Audience: all("/"), Event: "e", Data: []byte("[]")}, func(r cluster.Reply) { got = append(got, string(r.Data)+r.Err) })
		if _, ok := errors.AsType[*cluster.SilentError](err); !ok {
			t.Fatal(got, err)
		}
		return slices.Equal(got, []string{`["yes"]`, cluster.TimedOut})
	})
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := a.Fetch(stopped, all("/")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Three servers are one Redis Cluster: members on different ones find each other, and are counted over all.
func TestRedisCluster(t *testing.T) {
	var addrs []string
	var servers []*redis.Client
	for range 3 {
		// The port that cluster nodes use among themselves is 10,000 higher unless it is given.
		addr := brokertest.Redis(t, "--cluster-enabled", "yes", "--cluster-port", brokertest.FreePort(t)).Addr
		addrs, servers = append(addrs, addr), append(servers, client(t, addr))
	}
	for i, rdb := range servers {
		check(t, rdb.ClusterAddSlotsRange(t.Context(), i*16384/3, (i+1)*16384/3-1).Err())
		if i > 0 {
			nodes, err := servers[0].ClusterNodes(t.Context()).Result() // id host:port@bus flags ...
			check(t, err)
			_, bus, _ := strings.Cut(strings.Fields(nodes)[1], "@")
			bus, _, _ = strings.Cut(bus, ",")
			host, port, _ := net.SplitHostPort(addrs[0])
			check(t, rdb.Do(t.Context(), "CLUSTER", "MEET", host, port, bus).Err())
		}
	}
	for _, rdb := range servers {
		until(t, "the servers are a cluster", func() bool {
			info, err := rdb.ClusterInfo(t.Context()).Result()
			if err != nil || !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, "cluster_known_nodes:3") {
				return false
			}
			// And each has a connection to each: what is published is lost for a server to which there is none.
			nodes, err := rdb.ClusterNodes(t.Context()).Result()
			return err == nil && strings.Count(nodes, " connected") == 3 && !strings.Contains(nodes, "handshake")
		})
	}
	const members = 4 // their subscriptions are on servers that chance picks
	var all4 []*nodewire.Adapter
	var locals []*recorder
	for i := range members {
		rdb := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs})
		t.Cleanup(func() { _ = rdb.Close() })
		a := nodewire.New(rdb, nodewire.Options{Logger: slog.New(slog.DiscardHandler)})
		r := &recorder{calls: make(chan string, 1000), sockets: []cluster.Socket{{ID: fmt.Sprint("S", i)}}}
		check(t, a.Start(t.Context(), r))
		t.Cleanup(func() { check(t, a.Close(context.Background())) })
		all4, locals = append(all4, a), append(locals, r)
	}
	for _, a := range all4 {
		sockets, err := a.Fetch(t.Context(), all("/"))
		if err != nil || len(sockets) != members-1 {
			t.Error(sockets, err)
		}
	}
	for i := range 200 { // in the order of their publication
		all4[0].Emit(&cluster.Emit{Audience: all("/"), Event: "e", Data: fmt.Appendf(nil, "[%d]", i)})
	}
	for _, r := range locals[1:] {
		for i := range 200 {
			r.want(t, fmt.Sprintf("emit e / * [%d]", i))
		}
	}
	until(t, "they know each other", func() bool { return len(all4[0].Nodes()) == members-1 })
}

// A question about a namespace that the server does not have, as in an OnDisconnect of the last client, leaves
// no subscription behind; one that it has stays.
func TestQuestionsLeaveNoSubscription(t *testing.T) {
	t.Parallel() // it waits
	addr := brokertest.Redis(t).Addr
	a, _ := member(t, addr, nodewire.Options{})
	a.OpenNamespace("/mine")
	for _, namespace := range []string{"/mine", "/org/1", "/org/2"} {
		if _, err := a.Fetch(t.Context(), all(namespace)); err != nil {
			t.Error(err)
		}
	}
	rdb := client(t, addr)
	until(t, "nothing of /org is subscribed", func() bool {
		channels, err := rdb.PubSubChannels(t.Context(), "socket.io-*#/org/*").Result()
		check(t, err)
		return len(channels) == 0
	})
	if n, err := rdb.PubSubNumSub(t.Context(), "socket.io-request#/mine#").Result(); err != nil || n["socket.io-request#/mine#"] != 1 {
		t.Error(n, err)
	}
	b, atB := member(t, addr, nodewire.Options{})
	b.OpenNamespace("/org/1")
	atB.sockets = []cluster.Socket{{ID: "S"}}
	until(t, "it can be asked again", func() bool {
		sockets, err := a.Fetch(t.Context(), all("/org/1"))
		check(t, err)
		return len(sockets) == 1
	})
}
