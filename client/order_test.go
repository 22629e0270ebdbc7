package client_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/engineio"
	"github.com/siokit/siokit/internal/delivery"
)

// roomy is a server that lets a sender run ahead of its client.
func roomy() core.Config {
	return core.Config{OutboxBytes: 1 << 30, OutboxPackets: 1 << 22, QueueEvents: 1 << 20, QueueBytes: 1 << 30}
}

// D-04: many goroutines at once, in both directions, with up to ten attachments each and heartbeats between
// them. Volatile events come whole or not at all.
func TestAttachmentsOfManyGoroutines(t *testing.T) {
	everyTransport(t, func(t *testing.T, opts client.Options) {
		const goroutines = 64
		each := delivery.Size(8, 1000, 300)
		if len(opts.Transports) == 1 && opts.Transports[0] == "polling" { // 16 packets a body
			each = delivery.Size(3, 100, 30)
		}
		cfg := roomy()
		cfg.PingInterval = 100 * time.Millisecond // the shortest that there is
		here, there := delivery.NewLedger(), delivery.NewLedger()
		var volatileHere, volatileThere, volatile atomic.Int64
		sockets := make(chan *core.Socket, 1)
		whole := func(m delivery.Message) {
			if l := delivery.NewLedger(); m.Count != 10 || m.Seq != 0 {
				t.Errorf("a volatile event of %d attachments", m.Count)
			} else if l.Take(m); l.Err() != nil {
				t.Error(l.Err())
			}
		}
		url := serve(t, cfg, func(srv *core.Server) {
			srv.OnConnect(func(c *core.Context) error { sockets <- c.Socket; return nil })
			core.On(srv, "m", func(_ *core.Context, m delivery.Message) error { there.Take(m); return nil })
			core.On(srv, "volatile", func(_ *core.Context, m delivery.Message) error { whole(m); volatileThere.Add(1); return nil })
		})
		c := newClient(t, url, opts)
		client.On(c, "m", func(_ context.Context, m delivery.Message) error { here.Take(m); return nil })
		client.On(c, "volatile", func(_ context.Context, m delivery.Message) error { whole(m); volatileHere.Add(1); return nil })
		c.Of("/").OnDisconnect(func(_ context.Context, r client.Reason) {
			if r != client.ClientDisconnect {
				t.Errorf("disconnected: %s", r)
			}
		})
		connect(t, c)
		server := <-sockets
		var wg sync.WaitGroup
		for g := range goroutines {
			for who, emit := range map[string]func(string, ...any) error{"server": server.Emit, "client": c.Emit} {
				wg.Go(func() {
					for i := range each {
						m := delivery.New(who, fmt.Sprint(g), i, (g+i)%11)
						err := emit("m", m)
						for errors.Is(err, engineio.ErrOutboxFull) {
							time.Sleep(time.Millisecond)
							err = emit("m", m)
						}
						if err != nil {
							t.Errorf("%s: %v", who, err)
							return
						}
						if i%5 == 0 {
							v := delivery.New(who, "volatile", 0, 10)
							if err := errors.Join(server.Volatile().Emit("volatile", v), c.Of("/").Volatile().Emit("volatile", v)); err != nil {
								t.Errorf("volatile: %v", err)
							}
							volatile.Add(1)
						}
					}
				})
			}
		}
		wg.Wait()
		there.Want(t, goroutines*each)
		here.Want(t, goroutines*each)
		t.Logf("%d events each way; of %d volatile ones each way came %d there and %d here", goroutines*each, volatile.Load(), volatileThere.Load(), volatileHere.Load())
	})
}

// D-05: the handlers of a client run in the order in which the server has emitted, however long each takes,
// and every ack is the answer to its own event.
func TestHandlersOfAClientRunInOrder(t *testing.T) {
	n := delivery.Size(2000, 10_000, 10_000)
	synctest.Test(t, func(t *testing.T) {
		net := &network{}
		random := delivery.Random(t)
		delays := make([]time.Duration, n)
		for i := range delays {
			delays[i] = time.Duration(random.Int64N(int64(time.Millisecond)))
		}
		sockets := make(chan *core.Socket, 1)
		stop := memoryServerOf(t, net, roomy(), func(srv *core.Server) {
			srv.OnConnect(func(c *core.Context) error { sockets <- c.Socket; return nil })
		})
		c := memoryClient(t, net, client.Options{Transports: wsOnly})
		here := delivery.NewLedger()
		client.OnCall(c, "m", func(_ context.Context, m delivery.Message) (int, error) {
			here.Take(m)
			time.Sleep(delays[m.Seq])
			return m.Seq, nil
		})
		connect(t, c)
		server := <-sockets
		var wrong, answered atomic.Int64
		var wg sync.WaitGroup
		wg.Add(n)
		for i := range n {
			err := core.EmitFunc(server.Timeout(time.Minute), "m", []any{delivery.New("server", "", i, i%3)}, func(got int, err error) {
				defer wg.Done()
				if err != nil || got != i {
					wrong.Add(1)
				}
				answered.Add(1)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		wg.Wait()
		here.Want(t, n)
		if wrong.Load() != 0 || answered.Load() != int64(n) {
			t.Errorf("%d acks, %d of them wrong", answered.Load(), wrong.Load())
		}
		_ = c.Close()
		stop()
		net.close()
	})
}

// D-05, the other way: Calls that are made at once to a server whose handlers take their time.
func TestCallsToSleepingHandlersAreAnsweredInOrder(t *testing.T) {
	n := delivery.Size(2000, 10_000, 10_000)
	synctest.Test(t, func(t *testing.T) {
		net := &network{}
		random := delivery.Random(t)
		delays := make([]time.Duration, n)
		for i := range delays {
			delays[i] = time.Duration(random.Int64N(int64(time.Millisecond)))
		}
		there := delivery.NewLedger()
		stop := memoryServerOf(t, net, roomy(), func(srv *core.Server) {
			core.OnCall(srv, "m", func(_ *core.Context, m delivery.Message) (int, error) {
				there.Take(m)
				time.Sleep(delays[m.Seq])
				return m.Seq, nil
			})
		})
		c := memoryClient(t, net, client.Options{Transports: wsOnly})
		connect(t, c)
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				if got, err := client.Call[int](t.Context(), c, "m", delivery.New("client", "", i, i%3)); err != nil || got != i {
					t.Errorf("call %d: %d, %v", i, got, err)
				}
			})
			synctest.Wait() // so that they are sent in this order
		}
		wg.Wait()
		there.Want(t, n)
		_ = c.Close()
		stop()
		net.close()
	})
}
