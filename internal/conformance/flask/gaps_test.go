package flask_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/siotest"
)

// What a connect function emits arrives after the client is connected, and a refusal before it, so
// Flask-SocketIO's always_connect is needed by nobody.
func TestEmitsOfConnect(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		want := []string{`40{"sid":`, `42["message","connected"]`, `42["message","{}"]`, `42["message","{\"my-custom-header`}
		got := a.packets(`40{"foo":"bar"}`)
		if len(got) != len(want) {
			t.Fatalf("the server said %q", got)
		}
		for i, packet := range got {
			if !strings.HasPrefix(packet, want[i]) {
				t.Errorf("packet %d is %s, want %s", i, packet, want[i])
			}
		}
	})
}

// One client's events are handled in order. Flask-SocketIO's async_handlers, which does not keep it, is
// the option Concurrent.
func TestOrdering(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c := a.connect("/")
		var inOrder []string
		for i := range 200 {
			c.Emit("random event", i)
			inOrder = append(inOrder, fmt.Sprintf(`caught "random event" %d`, i))
		}
		want(t, c, inOrder...)
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
		next := map[int]int{}
		for range 8 * 50 {
			e := siotest.Next[client.Args2[int, int]](c, "numbered")
			from, n := e.A, e.B
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
		client.OnCall(c, "question", func(_ context.Context, question string) (string, error) {
			return "no reason for " + question, nil
		})
		wantAck(t, `"the answer is no reason for why?"`, c, "ask", "why?")
	})
}

// skip_sid, include_self=False and to=[...].
func TestWhoReceives(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		core.On(a, "others", func(c *core.Context, _ core.None) error { return c.Broadcast().Emit("others") })
		var clients [3]*siotest.Client
		var ids [3]string
		for i := range clients {
			clients[i] = a.connect("/")
			ids[i] = clients[i].ID()
			siotest.Call[client.None](clients[i], "join room", room{fmt.Sprint("room ", i)})
			siotest.Call[client.None](clients[i], "join room", room{"common"})
		}
		siotest.Call[client.None](clients[0], "others")
		_ = a.Except(ids[1]).Emit("skip")
		_ = a.To("room 0", "room 1", "common").Except(ids[2]).Emit("rooms") // each once
		_ = a.To(ids[2]).Emit("direct")
		_ = a.To("").Emit("nobody")
		want(t, clients[0], `skip`, `rooms`)
		want(t, clients[1], `others`, `rooms`)
		want(t, clients[2], `others`, `skip`, `direct`)
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
		wantAck(t, `"function"`, c, "my_custom_event", 1)
		wantAck(t, ``, c, "other_custom_event", 1) // the namespace's own class
		wantAck(t, `"/ns no_such_event"`, c, "no_such_event", 1)
	})
}

func TestDisconnectReasons(t *testing.T) {
	each(t, func(t *testing.T, a *app) {
		c := a.connect("/")
		c.Emit("exit")
		wantNext(t, a.disconnected, "/ server namespace disconnect")
		a.connect("/").Disconnect()
		wantNext(t, a.disconnected, "/ client namespace disconnect")
		c = a.connect("/")
		c.Cut()
		wantNext(t, a.disconnected, map[string]string{"polling": "/ transport error", "websocket": "/ transport close"}[a.transport])
		a.connect("/test")
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := a.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		wantNext(t, a.disconnected, "/test server shutting down")
	})
}
