package core_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/siokit/siokit/core"
)

// S-40, G-04: names that clients make up leave nothing behind.
func TestDynamicNamespacesLeaveNothing(t *testing.T) {
	const clients, each = 100, 100
	a := serve(t, core.Config{MaxNamespaces: each + 1})
	parent := a.OfPattern("/dyn/{name}")
	parent.OnConnect(func(c *core.Context) error { return c.Join("room", c.Param("name")) })
	parent.OnRoom(core.RoomHooks{Join: func(*core.Socket, string) {}})
	a.OfFunc(func(_ context.Context, name string, _ json.RawMessage) (bool, error) { return name[1] == 'f', nil })
	churn := func(t *testing.T, round int) {
		a := &app{Server: a.Server, t: t, ts: a.ts} // what its clients hold ends with the round
		var wg sync.WaitGroup
		for i := range clients / 10 {
			wg.Go(func() {
				p := a.dial("websocket")
				sid := p.join("/", "")
				for n := range each - 2 {
					p.join(fmt.Sprintf("/dyn/%d-%d-%d", round, i, n), "")
				}
				p.join(fmt.Sprintf("/f%d-%d", round, i), "")
				p.send("0/refused,")
				p.want(`4/refused,{"message":"Invalid namespace"}`)
				_ = parent.To(fmt.Sprintf("%d-%d-0", round, i), sid).Emit("hello")
				p.want(fmt.Sprintf(`2/dyn/%d-%d-0,["hello"]`, round, i))
				p.kill()
			})
		}
		wg.Wait()
		eventually(t, "all are gone", func() bool {
			return a.Clients() == 0 && len(parent.Children()) == 0 && slices.Equal(a.NamespaceNames(), []string{"/"})
		})
	}
	rounds := func(from, to int) {
		for round := from; round < to; round++ {
			t.Run(fmt.Sprint("round ", round), func(t *testing.T) { churn(t, round) })
		}
	}
	rounds(0, 2) // pools fill
	goroutines, heap := runtime.NumGoroutine(), heapInUse()
	rounds(2, 12)
	waiting := 16 * runtime.GOMAXPROCS(0) // dispatchers that a server keeps, and need not all have had before
	eventually(t, "goroutines are back", func() bool { return runtime.NumGoroutine() <= goroutines+waiting+5 })
	eventually(t, "the heap is back", func() bool { return heapInUse() <= heap+heap/10+512<<10 })
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC() // what pools held
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Everything at once: namespaces come, go and are removed while others emit to them. What must hold is
// that nobody waits for ever, and that nothing is left.
func TestDynamicNamespacesInterleaved(t *testing.T) {
	a := serve(t, core.Config{})
	parent := a.OfPattern("/dyn/{n}")
	function := a.OfFunc(func(_ context.Context, name string, _ json.RawMessage) (bool, error) { return name[1] == 'f', nil })
	var mu sync.Mutex
	open := 0
	for _, ns := range []*core.Namespace{parent, function} {
		ns.OnConnect(func(c *core.Context) error {
			if err := c.Join("room"); err != nil { // removed meanwhile: refused, without OnDisconnect
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			open++
			return nil
		})
		ns.OnDisconnect(func(*core.Context, core.Reason) {
			mu.Lock()
			defer mu.Unlock()
			open--
		})
		ns.OnRoom(core.RoomHooks{Delete: func(ns *core.Namespace, room string) { _ = ns.To(room).Emit("gone") }})
	}
	a.OnNamespace(func(ns *core.Namespace) { _ = ns.Emit("new") })
	rounds := 120
	if testing.Short() {
		rounds = 50
	}
	name := func(n int) string { return []string{"/dyn/1", "/dyn/2", "/f1"}[n%3] }
	stop := make(chan struct{})
	var background, clients sync.WaitGroup
	for i := range 4 {
		background.Go(func() {
			r := rand.New(rand.NewPCG(7, uint64(i)))
			for {
				select {
				case <-stop:
					return
				default:
				}
				ns := a.Of(name(r.IntN(3)))
				switch r.IntN(8) {
				case 0:
					_ = a.RemoveNamespace(ns.Name())
				case 1:
					_ = parent.Emit("all")
				case 2:
					_ = ns.To("room").Emit("room")
				case 3:
					ns.To("room").Disconnect()
				case 4:
					_, _ = ns.Except().Fetch(t.Context())
				case 5:
					ns.CloseRoom("room")
				case 6:
					_ = ns.Except().Join("other")
				case 7:
					_, _, _ = parent.Rooms(), function.Children(), ns.Parent()
				}
			}
		})
	}
	for i := range 6 {
		clients.Go(func() {
			for n := range rounds / 6 {
				p := a.dial([]string{"websocket", "polling"}[i%2])
				for k := range 3 {
					p.send("0" + name(n+k) + ",")
				}
				_, _ = p.next()
				p.send("1" + name(n) + ",")
				p.kill()
			}
		})
	}
	clients.Wait()
	close(stop)
	background.Wait()
	eventually(t, "nothing is left", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return a.Clients() == 0 && open == 0 && len(parent.Children())+len(function.Children()) == 0 && slices.Equal(a.NamespaceNames(), []string{"/"})
	})
}

// F-15: what may be called from inside any callback of a namespace.
func TestNothingDeadlocksInsideCallbacks(t *testing.T) {
	operations := map[string]func(a *app, ns *core.Namespace, s *core.Socket){
		"emit to all":    func(_ *app, ns *core.Namespace, _ *core.Socket) { _ = ns.Emit("x") },
		"emit to room":   func(_ *app, ns *core.Namespace, _ *core.Socket) { _ = ns.To("room").Emit("x") },
		"bulk join":      func(_ *app, ns *core.Namespace, _ *core.Socket) { _ = ns.Except().Join("y") },
		"bulk leave":     func(_ *app, ns *core.Namespace, _ *core.Socket) { ns.Except().Leave("room") },
		"close room":     func(_ *app, ns *core.Namespace, _ *core.Socket) { ns.CloseRoom("room") },
		"join":           func(_ *app, _ *core.Namespace, s *core.Socket) { _ = s.Join("z") },
		"leave":          func(_ *app, _ *core.Namespace, s *core.Socket) { s.Leave("room") },
		"disconnect":     func(_ *app, _ *core.Namespace, s *core.Socket) { s.Disconnect() },
		"disconnect all": func(_ *app, _ *core.Namespace, s *core.Socket) { s.DisconnectAll() },
		"bulk end":       func(_ *app, ns *core.Namespace, _ *core.Socket) { ns.Except().DisconnectAll() },
		"fetch":          func(_ *app, ns *core.Namespace, _ *core.Socket) { _, _ = ns.Except().Fetch(context.Background()) },
		"remove":         func(_ *app, ns *core.Namespace, _ *core.Socket) { _ = ns.Remove() },
		"register":       func(a *app, ns *core.Namespace, _ *core.Socket) { a.Of("/other").OnRoom(core.RoomHooks{}) },
		"name another":   func(a *app, _ *core.Namespace, _ *core.Socket) { a.OfPattern("/new/{x}"); a.Of("/dyn/none") },
		"children":       func(a *app, ns *core.Namespace, _ *core.Socket) { a.OfPattern("/dyn/{n}").Children(); ns.Rooms() },
	}
	for name, operation := range operations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, place := range []string{"guard", "connect", "event", "disconnect", "room hook", "namespace hook", "function", "authoriser"} {
				a := serve(t, core.Config{})
				done := make(chan struct{}, 1)
				at := func(here string, ns *core.Namespace, s *core.Socket) {
					if here != place {
						return
					}
					if s == nil {
						s = &core.Socket{}
						for _, other := range a.Sockets() {
							s = other
						}
					}
					operation(a, ns, s)
					select {
					case done <- struct{}{}:
					default:
					}
				}
				parent, path := a.OfPattern("/dyn/{n}"), "/dyn/1"
				if place == "function" {
					parent = a.OfFunc(func(ctx context.Context, _ string, _ json.RawMessage) (bool, error) {
						c, _ := core.From(ctx)
						at("function", c.Namespace(), c.Socket)
						return true, nil
					})
					path = "/f"
				}
				a.OnNamespace(func(ns *core.Namespace) {
					if ns.Name() == path {
						at("namespace hook", ns, nil)
					}
				})
				parent.Use(func(ctx context.Context) error {
					c, _ := core.From(ctx)
					at("guard", c.Namespace(), c.Socket)
					return nil
				})
				parent.OnConnect(func(c *core.Context) error {
					at("connect", c.Namespace(), c.Socket)
					return c.Join("room")
				})
				core.On(parent, "e", func(c *core.Context, _ core.None) error {
					at("event", c.Namespace(), c.Socket)
					return c.JoinRequest("asked")
				})
				parent.CanJoin(func(c *core.Context, _ string) error {
					at("authoriser", c.Namespace(), c.Socket)
					return nil
				})
				parent.OnDisconnect(func(c *core.Context, _ core.Reason) { at("disconnect", c.Namespace(), c.Socket) })
				parent.OnRoom(core.RoomHooks{Join: func(s *core.Socket, _ string) { at("room hook", s.Namespace(), s) }})
				p := a.dial("websocket")
				p.join("/", "")
				p.send("0" + path + ",")
				_, _ = p.next()
				p.send("2" + path + `,["e"]`)
				if place == "disconnect" {
					p.send("1" + path + ",")
				}
				select {
				case <-done:
				case <-time.After(patience):
					t.Fatalf("in a %s: it hangs", place)
				}
				p.kill()
			}
		})
	}
}

// With Recovery a dynamic namespace stays for those who were cut off, and no longer.
func TestDynamicNamespacesAndRecovery(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{Recovery: &core.Recovery{Window: 5 * time.Second}})
		parent := a.OfPattern("/org/{id}")
		p := a.arrive(transport, "/org/7", "", "")
		s, _ := parent.Socket(p.sid)
		_ = s.Join("room")
		p.kill()
		eventually(t, "it was cut off", func() bool { return len(parent.Sockets()) == 0 })
		if err := a.Of("/org/7").To("room").Emit("missed"); err != nil {
			t.Error(err)
		}
		again := a.arrive(transport, "/org/7", p.pid, "")
		if again.sid != p.sid {
			t.Error("the session was not taken up")
		}
		if m, ok := again.next(); !ok || m.text[:len(`2/org/7,["missed"`)] != `2/org/7,["missed"` {
			t.Errorf("received %q", m.text)
		}
		again.kill()
		eventually(t, "the empty namespace is gone", func() bool { return len(parent.Children()) == 0 && slices.Equal(a.NamespaceNames(), []string{"/"}) })
		late := a.arrive(transport, "/org/7", again.pid, "")
		if late.sid == p.sid {
			t.Error("a session outlived its namespace")
		}
		_ = a.Of("/org/none").Emit("nobody") // an address keeps nothing
	})
}
