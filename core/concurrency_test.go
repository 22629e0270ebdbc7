package core_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siokit/siokit/core"
)

// G-05: every public call from 16 goroutines while sockets come and go. The race detector judges.
func TestConcurrentUse(t *testing.T) {
	a := serve(t, core.Config{OutboxPackets: 100_000, OutboxBytes: 1 << 26})
	ns := a.Of("/x")
	core.OnCall(ns, "echo", func(c *core.Context, in int) (int, error) {
		_ = c.Join(fmt.Sprint("r", in%4))
		_ = c.To("r0", "r1").Emit("said", in, []byte("binary"))
		return in, nil
	})
	var opened, closed atomic.Int64
	ns.OnConnect(func(c *core.Context) error {
		if err := c.Join("all"); err != nil { // it may have been sent away already
			return err
		}
		opened.Add(1)
		return nil
	})
	ns.OnDisconnect(func(*core.Context, core.Reason) { closed.Add(1) })
	stop := make(chan struct{})
	var workers sync.WaitGroup
	loop := func(f func(i int)) {
		workers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					f(i)
					time.Sleep(100 * time.Microsecond) // two cores are shared with the clients
				}
			}
		})
	}
	pick := func() *core.Socket {
		if sockets := ns.Sockets(); len(sockets) > 0 {
			return sockets[rand.IntN(len(sockets))]
		}
		return nil
	}
	onSocket := func(f func(s *core.Socket, i int)) {
		loop(func(i int) {
			if s := pick(); s != nil {
				f(s, i)
			}
		})
	}
	loop(func(i int) { _ = ns.Emit("all", i) })
	loop(func(i int) { _ = ns.To("r0", "r1").Except("r2").Emit("rooms", []byte("b")) })
	loop(func(int) { _ = ns.Except("r3").Count() })
	loop(func(int) { _ = a.Stats(); _ = a.Panics(); _ = a.Of("/x").Name() })
	onSocket(func(s *core.Socket, i int) { _ = s.Emit("one", i) })
	onSocket(func(s *core.Socket, i int) { _ = s.Join(fmt.Sprint("r", i%4)); s.Leave(fmt.Sprint("r", (i+1)%4)) })
	onSocket(func(s *core.Socket, i int) { _ = s.Rooms(); _ = s.InRoom("r0"); _ = s.Connected(); _ = s.Transport() })
	onSocket(func(s *core.Socket, i int) { _ = s.Broadcast().To("r0").Emit("x"); _ = s.To(s.ID()).Emit("y") })
	onSocket(func(s *core.Socket, i int) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		_, _ = core.CallSocket[core.None](ctx, s, "q")
	})
	onSocket(func(s *core.Socket, i int) {
		_ = core.EmitFunc(s.Timeout(time.Millisecond), "q", []any{i}, func(core.None, error) {})
		_ = s.Volatile().Compress(i%2 == 0).Emit("v", i)
	})
	loop(func(int) {
		for range core.Gather[core.None](context.Background(), ns.Timeout(time.Millisecond), "g", []byte("b")) {
		}
		_ = ns.Volatile().To("r0", "r1").Send("v")
	})
	var tapped atomic.Int64
	loop(func(i int) {
		if i == 10 {
			ns.OnEmit(func(string, []any, core.Broadcast) { tapped.Add(1) })
		}
	})
	onSocket(func(s *core.Socket, i int) {
		if i%20 == 0 {
			s.Disconnect()
		} else if i%33 == 0 {
			s.DisconnectAll()
		}
	})
	loop(func(i int) {
		if i < 100 {
			core.On(ns, fmt.Sprint("event", i), func(*core.Context, core.None) error { return nil })
		}
	})
	var clients sync.WaitGroup
	for i := range 5 {
		clients.Go(func() {
			for n := range 15 {
				transport := []string{"websocket", "polling"}[(i+n)%2]
				p, status, err := a.tryDial(transport)
				if err != nil {
					t.Errorf("dial: %d %v", status, err)
					return
				}
				p.send("0/x,")
				for j := range 10 {
					m, ok := p.next()
					if !ok || m.text == "1/x," || strings.HasPrefix(m.text, "4/x,") { // sent away
						break
					}
					if strings.HasPrefix(m.text, "0/x,") || j > 0 {
						p.send(fmt.Sprintf(`2/x,%d["echo",%d]`, j, j))
					}
				}
				p.kill()
			}
		})
	}
	clients.Wait()
	eventually(t, "OnEmit sees what is emitted", func() bool { return tapped.Load() > 0 }) // its worker may be the slow one
	close(stop)
	workers.Wait()
	eventually(t, "everything is gone", func() bool {
		return a.Clients() == 0 && len(ns.Sockets()) == 0 && ns.RoomCount() == 0 && opened.Load() == closed.Load()
	})
	if opened.Load() == 0 {
		t.Error("nobody connected")
	}
}

// life is what one socket has been through.
type life struct {
	mu                    sync.Mutex
	connects, disconnects int
	late                  int // events after disconnect
}

// D-14: random operations. Each socket connects once, disconnects once, and handles nothing after.
func TestRandomOperations(t *testing.T) {
	a := serve(t, core.Config{})
	var lives sync.Map // *life by *core.Socket
	of := func(c *core.Context) *life {
		l, _ := lives.LoadOrStore(c.Socket, new(life))
		return l.(*life)
	}
	spaces := []string{"/", "/a", "/b"}
	for _, name := range spaces {
		ns := a.Of(name)
		ns.OnConnect(func(c *core.Context) error {
			l := of(c)
			l.mu.Lock()
			defer l.mu.Unlock()
			l.connects++
			return nil
		})
		ns.OnDisconnect(func(c *core.Context, r core.Reason) {
			l := of(c)
			l.mu.Lock()
			defer l.mu.Unlock()
			if l.disconnects++; l.connects != 1 || r == "" {
				t.Errorf("disconnect (%s) after %d connects", r, l.connects)
			}
		})
		for event, act := range map[string]func(c *core.Context){
			"nothing": func(*core.Context) {},
			"panic":   func(*core.Context) { panic("on purpose") },
			"leave":   func(c *core.Context) { c.Disconnect() },
			"end":     func(c *core.Context) { c.DisconnectAll() },
			"room":    func(c *core.Context) { _ = c.Join("r"); _ = a.To("r").Emit("hi") },
		} {
			core.On(ns, event, func(c *core.Context, _ core.None) error {
				l := of(c)
				l.mu.Lock()
				if l.connects != 1 || l.disconnects != 0 {
					l.late++
				}
				l.mu.Unlock()
				act(c)
				return nil
			})
		}
	}
	var clients sync.WaitGroup
	for worker := range 8 {
		clients.Go(func() {
			random := rand.New(rand.NewPCG(uint64(worker), 7))
			var p *peer
			for range 600 {
				if p == nil {
					var err error
					if p, _, err = a.tryDial([]string{"websocket", "polling"}[random.IntN(4)/3]); err != nil {
						t.Error(err)
						return
					}
				}
				ns := spaces[random.IntN(len(spaces))]
				if ns == "/" {
					ns = ""
				} else {
					ns += ","
				}
				events := []string{"nothing", "nothing", "nothing", "panic", "leave", "end", "room"}
				switch n := random.IntN(20); {
				case n < 8:
					p.send("0" + ns)
					_, _ = p.next()
				case n < 17:
					p.send("2" + ns + `["` + events[random.IntN(len(events))] + `"]`)
				case n < 19:
					p.send("1" + ns)
				default:
					p.kill()
				}
				for p != nil {
					select {
					case _, ok := <-p.in:
						if !ok {
							p.kill()
							p = nil
						}
						continue
					default:
					}
					break
				}
			}
			if p != nil {
				p.kill()
			}
		})
	}
	clients.Wait()
	if err := a.Shutdown(context.Background()); err != nil { // every dispatcher has ended
		t.Error(err)
	}
	n := 0
	lives.Range(func(_, v any) bool {
		n++
		if l := v.(*life); l.connects != 1 || l.disconnects != 1 || l.late != 0 {
			t.Errorf("a socket had %d connects, %d disconnects and %d events after that", l.connects, l.disconnects, l.late)
		}
		return true
	})
	if n < 100 {
		t.Errorf("only %d sockets lived", n)
	}
	for _, name := range spaces {
		if ns := a.Of(name); len(ns.Sockets())+ns.RoomCount() != 0 {
			t.Errorf("%s is not empty", name)
		}
	}
}

// Users.md 9, 12: churn leaves nothing behind.
func TestChurn(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{})
		a.OnConnect(func(c *core.Context) error { return c.Join("all", "own:"+c.ID()) })
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 50 {
					p, _, err := a.tryDial(transport)
					if err != nil {
						t.Error(err)
						return
					}
					p.send("0")
					_, _ = p.next()
					p.kill()
				}
			})
		}
		wg.Wait()
		eventually(t, "nothing is left", func() bool {
			return a.Clients() == 0 && a.Stats().Connections == 0 && a.Of("/").RoomCount() == 0 && len(a.Sockets()) == 0
		})
	})
}
