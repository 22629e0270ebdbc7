package core_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siokit/siokit/core"
)

// F-14: a handler that does not return blocks its own socket's events and nothing else.
func TestStuckHandler(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{PingInterval: 100 * time.Millisecond, PingTimeout: patience})
		stuck, release := make(chan *core.Context, 1), make(chan struct{})
		defer close(release)
		a.Of("/x")
		core.On(a, "stuck", func(c *core.Context, _ core.None) error {
			stuck <- c
			<-release
			return nil
		})
		handled := make(chan int, 1000)
		core.On(a, "n", func(_ *core.Context, n int) error { handled <- n; return nil })
		core.OnCall(a.Of("/x"), "alive", func(*core.Context, core.None) (string, error) { return "yes", nil })
		p, other := a.dial(transport), a.dial(transport)
		p.join("/", "")
		p.join("/x", "")
		other.join("/", "")
		p.send(`2["stuck"]`)
		c := receive(t, stuck)
		for i := range 3 {
			_ = c.Emit("still here", i)
			p.want(fmt.Sprintf(`2["still here",%d]`, i))
		}
		p.send(`2/x,0["alive"]`) // the connection's other namespaces go on
		p.want(`3/x,0["yes"]`)
		p.send(`2["n",1]`)
		other.wantAlive()
		silent(t, handled)
		before := p.pings.Load()
		eventually(t, "pongs are heard: there is no ping before the answer to the last", func() bool { return p.pings.Load() > before+2 })
		if !c.Connected() {
			t.Error("the stuck socket is not connected")
		}
		p.kill()
		receive(t, c.Done())
		other.wantAlive()
	})
}

// S-44: beyond 256 events the server stops reading; nothing is lost when the handler goes on.
func TestBackPressure(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{PingInterval: 100 * time.Millisecond, PingTimeout: patience})
		entered, gate, handled := make(chan struct{}), make(chan struct{}), make(chan int, 3000)
		core.On(a, "n", func(_ *core.Context, n int) error {
			if n == 0 {
				close(entered)
			}
			<-gate
			handled <- n
			return nil
		})
		p := a.dial(transport)
		s, _ := a.Socket(p.join("/", ""))
		const n = 3000
		packets := make([]any, n)
		for i := range packets {
			packets[i] = fmt.Sprintf(`2["n",%d]`, i)
		}
		sent := make(chan struct{})
		go func() { p.send(packets...); close(sent) }()
		receive(t, entered) // this one is not in the queue any more
		eventually(t, "the queue is full", func() bool { return s.QueuedEvents() == 256 })
		<-time.After(200 * time.Millisecond) // what would come has come: there is no event for "nothing more"
		if got := s.QueuedEvents(); got != 256 || !s.Connected() {
			t.Errorf("%d events are queued, connected: %t", got, s.Connected())
		}
		close(gate)
		for i := range n {
			if got := receive(t, handled); got != i {
				t.Fatalf("event %d came as number %d", got, i)
			}
		}
		receive(t, sent)
		p.wantAlive()
	})
}

func TestBackPressureByBytes(t *testing.T) {
	a := serve(t, core.Config{QueueBytes: 1000})
	gate := make(chan struct{})
	core.On(a, "s", func(*core.Context, string) error { <-gate; return nil })
	p := a.dial("websocket")
	s, _ := a.Socket(p.join("/", ""))
	for range 10 {
		p.send(`2["s","` + strings.Repeat("x", 600) + `"]`)
	}
	eventually(t, "the reader waits", func() bool { return s.QueuedEvents() == 2 })
	close(gate)
	p.wantAlive()
}

// A client whose reader waits for a stuck handler can still be ended, and the server shut down.
func TestStuckReaderIsReleased(t *testing.T) {
	for name, end := range map[string]func(a *app, s *core.Socket){
		"disconnect": func(_ *app, s *core.Socket) { s.DisconnectAll() },
		"shutdown": func(a *app, _ *core.Socket) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			if err := a.Shutdown(ctx); err != context.Canceled {
				a.t.Errorf("Shutdown = %v", err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachTransport(t, func(t *testing.T, transport string) {
				a := serve(t, core.Config{QueueEvents: 1})
				entered, release := make(chan *core.Context, 1), make(chan struct{})
				core.On(a, "n", func(c *core.Context, _ core.None) error { entered <- c; <-release; return nil })
				p := a.dial(transport)
				s, _ := a.Socket(p.join("/", ""))
				sent := make(chan struct{})
				go func() { p.send(`2["n"]`, `2["n"]`, `2["n"]`); close(sent) }()
				c := receive(t, entered)
				eventually(t, "the queue is full", func() bool { return s.QueuedEvents() == 1 })
				done := make(chan struct{})
				go func() { end(a, s); close(done) }()
				receive(t, done)
				receive(t, c.Done())
				p.wantClosed()
				eventually(t, "the client is gone", func() bool { return a.Clients() == 0 })
				receive(t, sent) // on polling the POST was held up too
				close(release)   // the last events were dropped with the socket, or run now
				select {
				case <-entered:
				default:
				}
			})
		})
	}
}

// F-15: nothing that a callback may do blocks it.
func TestCallbacksMayDoAnything(t *testing.T) {
	var registered sync.Map
	actions := map[string]func(a *app, c *core.Context){
		"emit":           func(a *app, _ *core.Context) { _ = a.Emit("all") },
		"emit to own":    func(a *app, c *core.Context) { _ = a.To("r", c.ID()).Emit("room") },
		"broadcast":      func(_ *app, c *core.Context) { _ = c.Broadcast().Emit("others"); _ = c.To("r").Emit("others") },
		"join":           func(_ *app, c *core.Context) { _ = c.Join("a", "b") },
		"leave":          func(_ *app, c *core.Context) { c.Leave("r") },
		"rooms":          func(_ *app, c *core.Context) { _ = c.Rooms(); _ = c.InRoom("r") },
		"disconnect":     func(_ *app, c *core.Context) { c.Disconnect() },
		"disconnect all": func(_ *app, c *core.Context) { c.DisconnectAll() },
		"call": func(_ *app, c *core.Context) {
			ctx, cancel := context.WithTimeout(c, 50*time.Millisecond)
			defer cancel()
			_, _ = core.Call[core.None](ctx, "unanswered")
		},
		"register": func(a *app, c *core.Context) {
			if _, again := registered.LoadOrStore(a, true); !again {
				core.On(a, "new", func(*core.Context, core.None) error { return nil })
			}
			a.OnConnect(func(*core.Context) error { return nil })
			a.OnError(func(*core.Context, error) {})
			a.Use(func(context.Context) error { return nil })
			a.Of("/new")
		},
		"sockets":  func(a *app, _ *core.Context) { _ = a.Sockets(); _ = a.To("r").Count(); _ = a.Except("r").Sockets() },
		"shutdown": func(a *app, _ *core.Context) { go a.Shutdown(context.Background()) },
	}
	for _, place := range []string{"middleware", "OnConnect", "event", "OnDisconnect", "OnError", "guard", "Around", "ack"} {
		for name, act := range actions {
			t.Run(place+"/"+name, func(t *testing.T) {
				t.Parallel()
				a := serve(t, core.Config{})
				done := make(chan struct{}, 10)
				once := func(where string, c *core.Context) {
					if where == place {
						act(a, c)
						done <- struct{}{}
					}
				}
				a.Use(func(ctx context.Context) error {
					c, _ := core.From(ctx)
					_ = c.Join("r")
					once("middleware", c)
					return nil
				})
				a.OnConnect(func(c *core.Context) error { once("OnConnect", c); return nil })
				a.OnDisconnect(func(c *core.Context, _ core.Reason) { once("OnDisconnect", c) })
				a.OnError(func(c *core.Context, _ error) { once("OnError", c) })
				around := core.Around(func(c *core.Context, next func() error) error { once("Around", c); return next() })
				core.On(a.Group(func(ctx context.Context) error { c, _ := core.From(ctx); once("guard", c); return nil }), "e",
					func(c *core.Context, _ core.None) error { once("event", c); return fmt.Errorf("for the error hook") }, around)
				core.On(a, "ask", func(c *core.Context, _ core.None) error {
					return core.EmitFunc(c, "asked", nil, func(core.None, error) { once("ack", c) })
				})
				bystander := a.dial("polling")
				bystander.send("0")
				if place == "middleware" || place == "OnConnect" {
					receive(t, done)
				} else {
					bystander.want(connected)
				}
				p := a.dialUnless(name == "shutdown" && (place == "middleware" || place == "OnConnect"))
				if p == nil {
					return
				}
				p.send("0")
				if place != "middleware" && place != "OnConnect" {
					p.want(connected)
					p.send(`20["e"]`)
				}
				if place == "ack" {
					p.send(`2["ask"]`)
					p.want(`30[{"error":{"message":"internal error"}}]`, `20["asked"]`)
					p.send(`30[]`)
				}
				if place == "OnDisconnect" {
					p.want(`30[{"error":{"message":"internal error"}}]`)
					p.kill()
				}
				select {
				case <-done:
				case <-time.After(patience):
					t.Fatal("deadlock")
				}
			})
		}
	}
}

// dialUnless is dial for a server that may be shutting down.
func (a *app) dialUnless(over bool) *peer {
	if over {
		return nil
	}
	return a.dial("websocket")
}

// 1,000 handlers that never look at anything do not slow down another client.
func TestManyStuckHandlers(t *testing.T) {
	a := serve(t, core.Config{})
	var entered sync.WaitGroup
	release := make(chan struct{})
	defer close(release)
	core.On(a, "stuck", func(*core.Context, core.None) error { entered.Done(); <-release; return nil })
	const n = 200
	entered.Add(n)
	for range n {
		p := a.dial("websocket")
		p.join("/", "")
		p.send(`2["stuck"]`)
	}
	entered.Wait()
	p := a.dial("websocket")
	p.join("/", "")
	for range 100 {
		p.wantAlive()
	}
}

// F-14: a handler that does not return is listed.
func TestLongRunning(t *testing.T) {
	a := serve(t, core.Config{})
	entered, release := make(chan struct{}), make(chan struct{})
	core.On(a, "stuck", func(*core.Context, core.None) error {
		close(entered)
		<-release
		return nil
	})
	p, other := a.dial("websocket"), a.dial("websocket")
	id := p.join("/", "")
	other.join("/", "")
	p.send(`2["stuck"]`)
	receive(t, entered)
	// The handlers of other events are listed, too, until they have returned, which is after their answer.
	stuckAlone := func() bool {
		running := a.LongRunning(0)
		return len(running) == 1 && running[0].Event == "stuck" && running[0].Socket == id && running[0].Namespace == "/" && running[0].For > 0
	}
	eventually(t, "the stuck handler alone is listed", stuckAlone)
	if young := a.LongRunning(time.Hour); len(young) != 0 {
		t.Errorf("%+v", young)
	}
	other.wantAlive()
	p.kill()
	eventually(t, "the client has left", func() bool { _, there := a.Socket(id); return !there })
	eventually(t, "the stuck handler is listed after its client has left", stuckAlone)
	close(release)
	eventually(t, "nothing is listed", func() bool { return len(a.LongRunning(0)) == 0 })
}
