package clustertest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siokit/siokit/cluster"
)

// Everything that one node can say arrives at the others, in order; questions are answered by all.
func (s *suite) nodes(t *testing.T) {
	name := channel()
	open := func() cluster.Bus { return s.bus(t, Settings{Channel: name}) }
	a, atA := s.node(t, open(), "A", cluster.Options{})
	b, atB := s.node(t, open(), "B", cluster.Options{})
	c, atC := s.node(t, open(), "C", cluster.Options{})
	for _, n := range []*cluster.Node{a, b, c} {
		know(t, n, 2)
	}

	rooms := cluster.Audience{Namespace: "/chat", Rooms: []string{"*", "a.b", "space here", "ü"}, Except: []string{"x#"}}
	one := cluster.Audience{Namespace: "/", Rooms: []string{atB.name}}
	a.Emit(event("e", everyone()))
	a.Emit(event("f", rooms))
	a.Emit(&cluster.Emit{Audience: everyone(), Event: "g", Data: []byte(`[{"_placeholder":true,"num":0}]`), Attachments: [][]byte{{0, 255}}})
	a.Join(one, []string{"r"})
	a.Leave(one, []string{"r"})
	a.Join(rooms, []string{"s"})
	a.Leave(cluster.Audience{Namespace: "/", Rooms: []string{"closed"}}, []string{"closed"})
	a.Disconnect(one, false)
	a.Disconnect(rooms, true)
	a.Revoke([]byte("token"))
	const inRooms = "/chat rooms=[* a.b space here ü] except=[x#]"
	forB := []string{"join / rooms=[" + atB.name + "] [r]", "leave / rooms=[" + atB.name + "] [r]"}
	rest := []string{"join " + inRooms + " [s]", "leave / rooms=[closed] [closed]"}
	end := []string{"disconnect " + inRooms + " true", "revoked token"}
	both := []string{"emit e / * [1]", "emit f " + inRooms + " [1]", `emit g / * [{"_placeholder":true,"num":0}] +00ff`}
	atB.expect(t, slices.Concat(both, forB, rest, []string{"disconnect / rooms=[" + atB.name + "] false"}, end)...)
	atC.expect(t, slices.Concat(both, rest, end)...)

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	sockets, err := a.Fetch(ctx, everyone())
	if ids := socketIDs(sockets); err != nil || !slices.Equal(ids, []string{atB.name, atC.name}) {
		t.Errorf("Fetch: %v, %v", ids, err)
	}
	for what, ask := range map[string]func(func(cluster.Reply)) error{
		"Gather":     func(each func(cluster.Reply)) error { return a.Gather(ctx, event("sure?", everyone()), each) },
		"ServerEmit": func(each func(cluster.Reply)) error { return a.ServerEmit(ctx, event("servers", everyone()), each) },
	} {
		var answers []string
		err := ask(func(r cluster.Reply) { answers = append(answers, string(r.Data)) })
		slices.Sort(answers)
		if want := []string{`["` + atB.name + `"]`, `["` + atC.name + `"]`}; err != nil || !slices.Equal(answers, want) {
			t.Errorf("%s: %q, %v", what, answers, err)
		}
	}
	if len(atA.calls) > 0 {
		t.Errorf("the speaker was told %q", <-atA.calls)
	}
	for _, n := range []*cluster.Node{a, b, c} {
		if st := n.Stats(); st.Lost+st.Invalid+st.Duplicates+st.Dropped != 0 || n.Healthy() != nil {
			t.Errorf("%+v, %v", st, n.Healthy())
		}
	}
}

func socketIDs(sockets []cluster.Socket) (ids []string) {
	for _, s := range sockets {
		ids = append(ids, s.ID)
	}
	slices.Sort(ids)
	return ids
}

// mortal is a bus whose process can die: nothing goes in or out any more, and nobody is told.
type mortal struct {
	cluster.Bus
	dead atomic.Bool
}

func (m *mortal) Publish(msg []byte) error {
	if m.dead.Load() {
		return nil
	}
	return m.Bus.Publish(msg)
}

func (m *mortal) Subscribe(ctx context.Context, receive func([]byte)) error {
	return m.Bus.Subscribe(ctx, func(msg []byte) {
		if !m.dead.Load() {
			receive(msg)
		}
	})
}

// F-09: a node dies: questions name it, and give what the others said.
func (s *suite) nodeDies(t *testing.T) {
	name := channel()
	open := func() cluster.Bus { return s.bus(t, Settings{Channel: name}) }
	opts := cluster.Options{Heartbeat: 200 * time.Millisecond, DeadAfter: patience}
	a, _ := s.node(t, open(), "A", opts)
	_, atB := s.node(t, open(), "B", opts)
	end := &mortal{Bus: open()}
	c, _ := s.node(t, end, "C", opts)
	know(t, a, 2)
	end.dead.Store(true)
	timeout := 500 * time.Millisecond
	until(t, "B's socket, and that C is silent", func() bool {
		timeout *= 2 // until B answers in time, on a busy machine too
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		sockets, err := a.Fetch(ctx, everyone())
		silent, ok := errors.AsType[*cluster.SilentError](err)
		if !ok || !slices.Contains(silent.Nodes, c.ID()) {
			t.Fatalf("%v, %v; want that %s is silent", socketIDs(sockets), err, c.ID())
		}
		return len(silent.Nodes) == 1 && slices.Equal(socketIDs(sockets), []string{atB.name})
	})
}

// A-35, F-11: clusters with different keys, or on different channels, do not hear each other.
func (s *suite) keys(t *testing.T) {
	name := channel()
	start := func(name, socket, key string) (*cluster.Node, *server) {
		return s.node(t, s.bus(t, Settings{Channel: name}), socket, cluster.Options{Key: []byte(key)})
	}
	a, atA := start(name, "A", "the key of the first")
	a2, atA2 := start(name, "A2", "the key of the first")
	b, atB := start(name, "B", "the key of another one")
	c, atC := start(channel(), "C", "the key of the first")
	know(t, a, 1)
	know(t, a2, 1)
	b.Emit(event("fromB", everyone()))
	c.Emit(event("fromC", everyone()))
	until(t, "the other cluster's messages are counted", func() bool { return a.Stats().Invalid >= 2 && a2.Stats().Invalid >= 2 })
	a.Emit(event("fromA", everyone()))
	atA2.expect(t, "emit fromA / * [1]")
	until(t, "the other cluster counts too", func() bool { return b.Stats().Invalid >= 1 })
	for _, local := range []*server{atA, atA2, atB, atC} {
		if len(local.calls) > 0 {
			t.Errorf("%s was told %q", local.name, <-local.calls)
		}
	}
	if st := c.Stats(); st.Received+st.Invalid != 0 || len(b.Nodes())+len(c.Nodes()) != 0 {
		t.Errorf("another channel is heard: %+v", st)
	}
}

// What a Flask-SocketIO process says is done, and its callbacks are called.
func (s *suite) python(t *testing.T) {
	name := channel()
	_, local := s.node(t, s.bus(t, Settings{Channel: name}), "A", cluster.Options{})
	python := s.bus(t, Settings{Channel: name})
	callbacks := make(chan string, 10)
	subscribe(t, python, func(msg []byte) {
		var m struct {
			Method string          `json:"method"`
			Host   string          `json:"host_id"`
			SID    string          `json:"sid"`
			ID     int             `json:"id"`
			Args   json.RawMessage `json:"args"`
		}
		if json.Unmarshal(msg, &m) == nil && m.Method == "callback" {
			callbacks <- fmt.Sprint(m.Host, " ", m.SID, " ", m.ID, " ", string(m.Args))
		}
	})
	for _, msg := range []string{
		`{"method": "emit", "event": "hello", "data": ["x"], "binary": false, "namespace": "/", "room": "r1", "skip_sid": null, "callback": null, "host_id": "py"}`,
		`{"method": "enter_room", "sid": "SID", "room": "r", "namespace": "/", "host_id": "py"}`,
		`{"method": "leave_room", "sid": "SID", "room": "r", "namespace": "/", "host_id": "py"}`,
		`{"method": "close_room", "room": "r", "namespace": "/", "host_id": "py"}`,
		`{"method": "disconnect", "sid": "SID", "namespace": "/", "host_id": "py"}`,
		`{"method": "emit", "event": "ask", "data": ["x"], "binary": false, "namespace": "/", "room": "SID", "skip_sid": null, "callback": ["SID", "/", 7], "host_id": "py"}`,
	} {
		publish(t, python, []byte(strings.ReplaceAll(msg, "SID", local.name)))
	}
	to := "rooms=[" + local.name + "]"
	local.expect(t, `emit hello / rooms=[r1] ["x"]`, "join / "+to+" [r]", "leave / "+to+" [r]", "leave / rooms=[r] [r]", "disconnect / "+to+" false")
	select {
	case got := <-callbacks:
		if want := "py " + local.name + ` 7 ["` + local.name + `"]`; got != want {
			t.Errorf("the callback is %q, want %q", got, want)
		}
	case <-time.After(patience):
		t.Error("no callback")
	}
}

// D-06: what a node says to everybody, to a room and in two namespaces in turn arrives in its order, all of
// it.
func (s *suite) orderOfEvents(t *testing.T) {
	name := channel()
	n := s.opts.Messages / 10
	a, _ := s.node(t, s.bus(t, Settings{Channel: name}), "A", cluster.Options{})
	b, atB := s.node(t, s.bus(t, Settings{Channel: name}), "B", cluster.Options{})
	know(t, a, 1)
	know(t, b, 1)
	to := []cluster.Audience{everyone(), {Namespace: "/", Rooms: []string{"r"}}, {Namespace: "/a", All: true}, {Namespace: "/a.b", All: true}}
	names := []string{"/ *", "/ rooms=[r]", "/a *", "/a.b *"}
	next := 0
	read := func() {
		for ; len(atB.calls) > 0; next++ {
			if got, want := <-atB.calls, fmt.Sprintf("emit e %s [%d]", names[next%4], next); got != want {
				t.Fatalf("got %q, want %q", got, want)
			}
		}
	}
	for i := range n {
		if i%500 == 0 {
			until(t, "the other node keeps up", func() bool { read(); return next >= i-ahead })
		}
		a.Emit(&cluster.Emit{Audience: to[i%4], Event: "e", Data: fmt.Appendf(nil, "[%d]", i)})
	}
	until(t, "all events", func() bool { read(); return next == n })
	if st := b.Stats(); st.Lost+st.Duplicates+st.Invalid != 0 {
		t.Errorf("%+v", st)
	}
}

// rooms and namespaces with what some broker takes for a pattern or a separator arrive as they are,
// and not as one another.
func (s *suite) oddNames(t *testing.T) {
	name := channel()
	a, _ := s.node(t, s.bus(t, Settings{Channel: name}), "A", cluster.Options{})
	b, atB := s.node(t, s.bus(t, Settings{Channel: name}), "B", cluster.Options{})
	know(t, a, 1)
	know(t, b, 1)
	names := []string{
		"*", ">", "a.b", "a.*", "#", "?", "[a]", "\n", " ", "/a#/b", "x", "x.y", "a", "\u00fc", "u\u0308", `"`, `\`, "\x00", "\u2028",
		strings.Repeat("long", 2560), "socketio", "null", "[]", "{}", "%s", "$SYS.>", "__keyspace@0__:x", "amq.direct",
	}
	var want []string
	for _, n := range names {
		inRoom := cluster.Audience{Namespace: "/", Rooms: []string{n}, Except: []string{n + "."}}
		inNamespace := cluster.Audience{Namespace: "/" + n, All: true}
		a.Emit(event("e", inRoom))
		a.Emit(event("e", inNamespace))
		want = append(want, fmt.Sprintf("emit e / rooms=[%s] except=[%[1]s.] [1]", n), fmt.Sprintf("emit e /%s * [1]", n))
	}
	atB.expect(t, want...)
	if st := b.Stats(); st.Invalid+st.Lost != 0 || len(atB.calls) > 0 {
		t.Errorf("%+v, and %d calls more", st, len(atB.calls))
	}
}

// V-44, F-11: 10,000 hostile messages are counted, do nothing, and do not end the receiver: the next valid
// one is read at once.
func (s *suite) garbage(t *testing.T) {
	const n = 10_000
	name := channel()
	a, local := s.node(t, s.bus(t, Settings{Channel: name}), "A", cluster.Options{})
	enemy := s.bus(t, Settings{Channel: name})
	deep := strings.Repeat(`[`, 100_000)
	before := a.Stats().Invalid
	for i := range n {
		if i%500 == 0 {
			until(t, "garbage is read", func() bool { return a.Stats().Invalid-before >= int64(i-1000) })
		}
		publish(t, enemy, hostile(i, deep))
	}
	until(t, "all garbage is counted", func() bool { return a.Stats().Invalid-before >= n })
	const most = 100 * time.Millisecond
	took := time.Hour // the fastest of many: the machine may be busy
	for tries := 0; tries < 100 && took > most; tries++ {
		start := time.Now()
		publish(t, enemy, []byte(`{"method":"emit","event":"valid","data":[],"namespace":"/","room":null,"host_id":"py"}`))
		local.expect(t, "emit valid / * []")
		took = min(took, time.Since(start))
	}
	if took > most {
		t.Errorf("the next valid message took %s", took)
	}
	if got := a.Stats().Invalid - before; got != n {
		t.Errorf("%d of %d hostile messages were counted", got, n)
	}
}

func hostile(i int, deep string) []byte {
	switch i % 10 {
	case 0:
		return []byte(`{}`)
	case 1:
		return []byte("\x80\x04\x95pickle")
	case 2:
		return []byte(`{"method":7}`)
	case 3:
		return []byte(`{"method":"emit","event":["x"],"data":{},"namespace":"/"}`)
	case 4:
		return []byte(`{"method":"emit","event":"e","data":[NaN],"namespace":"/"}`)
	case 5:
		return []byte(`{"method":"emit","event":"connect","data":[],"namespace":"/"}`)
	case 6:
		return []byte(`{"method":"go.emit","event":"e","data":[],"namespace":"/"}`)
	case 7:
		return []byte(`{"method":"emit","event":"e","binary":true,"data":[[{"_placeholder":true,"num":-1}],"AA=="],"namespace":"/"}`)
	case 8:
		if i%1000 == 8 {
			return []byte(`{"method":"emit","event":"e","namespace":"/","data":` + deep)
		}
		return []byte(`{"method":"close_room","room":[],"namespace":"/"}`)
	case 9:
		if i%100 == 9 {
			return []byte(`{"method":"go.unknown","host_id":"x","go":{}}`)
		}
	}
	msg := make([]byte, 1+i%100)
	_, _ = rand.Read(msg)
	return msg
}
