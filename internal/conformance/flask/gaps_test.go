package flask_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/wire/sio"
)

// What a connect function emits arrives after the client is connected, and a refusal before it, so
// Flask-SocketIO's always_connect has no counterpart and needs none.
func TestEmitsOfConnect(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c := a.open("", nil)
		packet, err := sio.AppendConnect(nil, "/", foobar)
		if err != nil {
			t.Fatal(err)
		}
		c.send(packet)
		for i, want := range []sio.Type{sio.Connect, sio.Event, sio.Event, sio.Event} {
			if p, ok := c.next(); !ok || p.Type != want {
				t.Fatalf("packet %d is of type %v", i, p.Type)
			}
		}
	})
}

// One client's events are handled in order. Flask-SocketIO's async_handlers, which does not keep it, is
// the option Concurrent.
func TestOrdering(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c := a.connect("/")
		var want []string
		for i := range 200 {
			c.emit("/", "random event", i)
			want = append(want, fmt.Sprintf(`caught("random event",%d)`, i))
		}
		c.want("/", want...)
	})
}

func TestConcurrentEmits(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c := a.connect("/")
		var emitters sync.WaitGroup
		for i := range 8 {
			emitters.Go(func() {
				for j := range 50 {
					_ = a.Emit("numbered", i, j)
				}
			})
		}
		emitters.Wait()
		next := map[float64]float64{}
		for _, e := range c.get("/") {
			from, n := e.args[0].(float64), e.args[1].(float64)
			if n != next[from] {
				t.Fatalf("%v of emitter %v came, want %v", n, from, next[from])
			}
			next[from]++
		}
		for from, n := range next {
			if n != 50 {
				t.Errorf("%v events of emitter %v came", n, from)
			}
		}
		if len(next) != 8 {
			t.Errorf("%d emitters", len(next))
		}
	})
}

// call, also from inside a handler.
func TestCall(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		core.OnCall(a, "ask", func(c *core.Context, question string) (string, error) {
			answer, err := core.Call[string](c, "question", question)
			return "the answer is " + answer, err
		})
		c := a.connect("/")
		c.write("/", 500, "ask", []any{"why?"})
		p := c.until("the question", func(p sio.Packet) bool { return p.Type == sio.Event && p.HasID })
		packet, _, err := sio.AppendAck(nil, "/", p.ID, []any{"because"})
		if err != nil {
			t.Fatal(err)
		}
		c.send(packet)
		p = c.until("the answer", func(p sio.Packet) bool { return p.Type == sio.Ack && p.ID == 500 })
		if string(p.Data) != `["the answer is because"]` {
			t.Errorf("answer %s", p.Data)
		}
	})
}

// skip_sid, include_self=False and to=[...].
func TestWhoReceives(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		core.On(a, "others", func(c *core.Context, _ core.None) error { return c.Broadcast().Emit("others") })
		var clients [3]*client
		var ids [3]string
		for i := range clients {
			clients[i] = a.open("", nil)
			ids[i], _ = clients[i].connect("/", foobar)
			clients[i].call("/", "join room", room{fmt.Sprint("room ", i)})
			clients[i].call("/", "join room", room{"common"})
			clients[i].get("/")
		}
		clients[0].call("/", "others")
		_ = a.Except(ids[1]).Emit("skip")
		_ = a.To("room 0", "room 1", "common").Except(ids[2]).Emit("rooms") // each once
		_ = a.To(ids[2]).Emit("direct")
		_ = a.To("").Emit("nobody")
		clients[0].want("/", `skip()`, `rooms()`)
		clients[1].want("/", `others()`, `rooms()`)
		clients[2].want("/", `others()`, `skip()`, `direct()`)
	})
}

// Functions win over methods of a class, whichever came first; */* comes last.
func TestPrecedence(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		ns := a.Of("/ns")
		core.OnCall(ns, "my_custom_event", func(*core.Context, core.Args) (string, error) { return "function", nil })
		core.OnCall(a.Everywhere(), "other_custom_event", func(*core.Context, core.Args) (string, error) { return "everywhere", nil })
		a.Everywhere().OnUnhandled(func(c *core.Context, event string, _ core.Args) (any, error) {
			return c.Namespace().Name() + " " + event, nil
		})
		c := a.connect("/ns")
		c.wantAck(`"function"`, "/ns", "my_custom_event", 1)
		c.wantAck(``, "/ns", "other_custom_event", 1) // the namespace's own class
		c.wantAck(`"/ns no_such_event"`, "/ns", "no_such_event", 1)
	})
}

func TestDisconnectReasons(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c := a.connect("/")
		c.emit("/", "exit")
		wantNext(t, a.disconnected, "/ server namespace disconnect")
		a.connect("/").disconnect("/")
		wantNext(t, a.disconnected, "/ client namespace disconnect")
		a.connect("/").kill()
		wantNext(t, a.disconnected, "/ transport close")
		a.connect("/test")
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := a.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		wantNext(t, a.disconnected, "/test server shutting down")
	})
}
