package redisbus_test

import (
	"bufio"
	"context"
	"encoding/json"
	"log/slog"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/cluster/clustertest"
	"github.com/siokit/siokit/cluster/internal/brokertest"
)

// python is Debian's, which has the packages that Debian has.
const python = "/usr/bin/python3"

func needPython(t *testing.T) {
	t.Helper()
	if out, err := exec.Command(python, "-c", "import socketio, redis").CombinedOutput(); err != nil {
		t.Fatalf("python3-socketio and python3-redis are needed: run make setup-python: %v\n%s", err, out)
	}
}

// quietServer is a cluster.Local without clients, which remembers the last event.
type quietServer struct{ last atomic.Pointer[cluster.Emit] }

func (s *quietServer) Emit(e *cluster.Emit)                    { s.last.Store(e) }
func (s *quietServer) Join(cluster.Audience, []string)         {}
func (s *quietServer) Leave(cluster.Audience, []string)        {}
func (s *quietServer) Disconnect(cluster.Audience, bool)       {}
func (s *quietServer) Revoked([]byte)                          {}
func (s *quietServer) Fetch(cluster.Audience) []cluster.Socket { return nil }
func (s *quietServer) Count(cluster.Audience) int              { return 0 }
func (s *quietServer) Has(string, string) bool                 { return false }
func (s *quietServer) Gather(context.Context, *cluster.Emit, func(cluster.Reply)) (wait func()) {
	return func() {}
}
func (s *quietServer) ServerEvent(context.Context, string, *cluster.Emit) (r cluster.Reply, answered bool) {
	return r, false
}

func startNode(t *testing.T, addr, channel string, opts cluster.Options) (*cluster.Node, *quietServer) {
	t.Helper()
	local := new(quietServer)
	return startLocal(t, addr, channel, opts, local), local
}

func startLocal(t *testing.T, addr, channel string, opts cluster.Options, local cluster.Local) *cluster.Node {
	t.Helper()
	open := opener(func() redis.UniversalClient { return redis.NewClient(&redis.Options{Addr: addr}) })
	opts.Logger = slog.New(slog.DiscardHandler)
	n, err := cluster.NewNode(open(t, clustertest.Settings{Channel: channel}), opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(t.Context(), local); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := n.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return n
}

// A server with python-socketio 5.7.2 hands our events to its clients, with Options.LegacyData as they
// are meant.
func TestOldPythonReceives(t *testing.T) {
	needPython(t)
	addr := brokertest.Redis(t).Addr
	cmd := exec.Command(python, "testdata/receiver.py", "redis://"+addr+"/0", "py")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close(); _ = cmd.Wait() }()
	lines := bufio.NewScanner(out)
	next := func() string {
		if !lines.Scan() {
			t.Fatal("the Python server has ended")
		}
		return lines.Text()
	}
	var ready [2]string
	if err := json.Unmarshal([]byte(next()), &ready); err != nil {
		t.Fatal(err)
	}
	rdb := redis.NewClient(&redis.Options{Addr: addr})
	defer rdb.Close()
	until(t, "Python has subscribed", func() bool {
		n, err := rdb.PubSubNumSub(t.Context(), "py").Result()
		return err == nil && n["py"] == 1
	})

	n, _ := startNode(t, addr, "py", cluster.Options{LegacyData: true})
	all := cluster.Audience{Namespace: "/", All: true}
	for _, e := range []*cluster.Emit{
		{Audience: all, Event: "text", Data: []byte(`["x"]`)},
		{Audience: all, Event: "object", Data: []byte(`[{"ü":12345678901234567890}]`)},
		{Audience: all, Event: "null", Data: []byte(`[null]`)},
		{Audience: cluster.Audience{Namespace: "/", Rooms: []string{"other"}}, Event: "nobody", Data: []byte(`[1]`)},
		{Audience: cluster.Audience{Namespace: "/", All: true, Except: []string{ready[1]}}, Event: "not you", Data: []byte(`[1]`)},
		{Audience: cluster.Audience{Namespace: "/", Rooms: []string{"r"}}, Event: "room", Data: []byte(`[[1,2]]`)},
	} {
		n.Emit(e)
	}
	for _, want := range []string{`["/", "text", "x"]`, `["/", "object", {"\u00fc": 12345678901234567890}]`, `["/", "null", null]`, `["/", "room", [1, 2]]`} {
		if got := next(); got != want {
			t.Errorf("Python's client gets %s, want %s", got, want)
		}
	}
}

// What python-socketio 5.7.2 publishes is pickled, which is never read: it is dropped and counted.
func TestPickleIsDropped(t *testing.T) {
	needPython(t)
	addr := brokertest.Redis(t).Addr
	n, local := startNode(t, addr, "py", cluster.Options{})
	if out, err := exec.Command(python, "testdata/sender.py", "redis://"+addr+"/0", "py", "20").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	rdb := redis.NewClient(&redis.Options{Addr: addr})
	defer rdb.Close()
	const valid = `{"method": "emit", "event": "valid", "data": ["x"], "binary": false, "namespace": "/", "room": null, "skip_sid": null, "callback": null, "host_id": "py"}`
	if err := rdb.Publish(t.Context(), "py", valid).Err(); err != nil {
		t.Fatal(err)
	}
	until(t, "an event", func() bool { return local.last.Load() != nil })
	if e := local.last.Load(); e.Event != "valid" || !strings.Contains(string(e.Data), "x") {
		t.Errorf("%+v", e)
	}
	if st := n.Stats(); st.Invalid != 20 {
		t.Errorf("%+v, want 20 invalid messages", st)
	}
}
