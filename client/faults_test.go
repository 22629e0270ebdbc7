package client_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/core"
)

// wsOnly is for tests that cut: net/http repeats a poll whose connection was cut, and nobody notices.
var wsOnly = []string{"websocket"}

func TestBufferingIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		got := make(chan int, 10)
		stop := memoryServer(t, n, func(srv *core.Server) {
			core.On(srv, "n", func(c *core.Context, i int) error { got <- i; return nil })
		})
		c := memoryClient(t, n, client.Options{Transports: wsOnly, BufferEvents: 3})
		for i := range 3 {
			if err := c.Emit("n", i); err != nil {
				t.Errorf("Emit %d: %v", i, err)
			}
		}
		if err := c.Emit("n", 3); !errors.Is(err, client.ErrBufferFull) {
			t.Errorf("one too many: %v", err)
		}
		if err := c.Of("/").Volatile().Emit("n", 4); err != nil {
			t.Errorf("volatile: %v", err)
		}
		if _, err := client.Call[int](t.Context(), c.Of("/").Volatile(), "n", 5); !errors.Is(err, client.ErrNotWritable) {
			t.Errorf("volatile Call: %v", err)
		}
		connect(t, c)
		for i := range 3 {
			if v := <-got; v != i {
				t.Errorf("got %d in place %d", v, i)
			}
		}
		_ = c.Close()
		if err := c.Emit("n", 6); !errors.Is(err, client.ErrNotConnected) {
			t.Errorf("after Close: %v", err)
		}
		none := memoryClient(t, n, client.Options{BufferEvents: -1})
		if err := none.Emit("n", 7); !errors.Is(err, client.ErrNotConnected) {
			t.Errorf("without a buffer: %v", err)
		}
		stop()
		n.close()
		if len(got) > 0 {
			t.Errorf("%d came too much", len(got))
		}
	})
}

// With Retries every event arrives, in order, through lost acks and cut connections.
func TestRetriesDeliverAtLeastOnceInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		var seen record
		deaf := map[int]int{2: 1, 5: 2} // how often the connection breaks before the ack
		var mu sync.Mutex
		stop := memoryServer(t, n, func(srv *core.Server) {
			core.OnCall(srv, "n", func(c *core.Context, i int) (int, error) {
				seen.add(fmt.Sprint(i))
				mu.Lock()
				withhold := deaf[i] > 0
				deaf[i]--
				mu.Unlock()
				if withhold {
					n.cut()
				}
				return i * 10, nil
			})
		})
		c := memoryClient(t, n, client.Options{Transports: wsOnly, Retries: 3, AckTimeout: time.Second, ReconnectDelay: time.Second})
		for i := range 5 {
			if err := c.Emit("n", i); err != nil {
				t.Fatal(err)
			}
		}
		connect(t, c)
		got, err := client.Call[int](context.Background(), c, "n", 5)
		if got != 50 || err != nil {
			t.Errorf("Call: %v %v", got, err)
		}
		var order []string
		for _, i := range seen.all() {
			if !slices.Contains(order, i) {
				order = append(order, i)
			}
		}
		if !slices.Equal(order, []string{"0", "1", "2", "3", "4", "5"}) || len(seen.all()) != 9 {
			t.Errorf("seen %q", seen.all())
		}
		_ = c.Close()
		stop()
		n.close()
	})
}

func TestRetriesGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		var seen record
		stop := memoryServer(t, n, func(srv *core.Server) {
			srv.OnAny(func(_ *core.Context, event string, _ core.Args) { seen.add(event) })
			core.OnCall(srv, "answered", func(c *core.Context, _ core.None) (int, error) { return 1, nil })
		})
		failed := make(chan error, 1)
		c := memoryClient(t, n, client.Options{Transports: wsOnly, Retries: 2, AckTimeout: time.Second, OnError: func(_ context.Context, err error) { failed <- err }})
		connect(t, c)
		start := time.Now()
		_ = c.Emit("unanswered")
		if got, err := client.Call[int](t.Context(), c, "answered"); got != 1 || err != nil {
			t.Errorf("Call: %v %v", got, err)
		}
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("after %s, want 3s", d)
		}
		if err := <-failed; !errors.Is(err, client.ErrTimeout) {
			t.Errorf("reported: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		if _, err := client.Call[int](ctx, c, "unanswered"); !errors.Is(err, client.ErrTimeout) {
			t.Errorf("Call in vain: %v", err)
		}
		cancel()
		if got, err := client.Call[int](t.Context(), c, "answered"); got != 1 || err != nil {
			t.Errorf("after a Call that was given up: %v %v", got, err)
		}
		if want := []string{"unanswered", "unanswered", "unanswered", "answered", "unanswered", "answered"}; !slices.Equal(seen.all(), want) {
			t.Errorf("seen %q", seen.all())
		}
		_ = c.Close()
		stop()
		n.close()
	})
}

// D-08: many Calls at once, answered late, never, or through a cut, end exactly once.
func TestCallsEndOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		stop := memoryServer(t, n, func(srv *core.Server) {
			core.OnCall(srv, "n", func(c *core.Context, i int) (int, error) {
				switch {
				case i%10 == 0:
					<-c.Done()
				case i%10 == 1:
					time.Sleep(20 * time.Second)
				default:
					time.Sleep(time.Duration(i*7919%1000) * time.Millisecond)
				}
				return i, nil
			}, core.Concurrent(1000))
		})
		c := memoryClient(t, n, client.Options{Transports: wsOnly})
		connect(t, c)
		const calls = 1000
		var wg sync.WaitGroup
		var mu sync.Mutex
		ends := map[error]int{}
		for i := range calls {
			wg.Go(func() {
				got, err := client.Call[int](context.Background(), c.Of("/").Timeout(5*time.Second), "n", i)
				if err == nil && got != i {
					t.Errorf("call %d got %d", i, got)
				}
				mu.Lock()
				defer mu.Unlock()
				ends[err]++
			})
		}
		start := time.Now()
		wg.Wait()
		if ends[nil] != calls*8/10 || ends[client.ErrTimeout] != calls*2/10 || time.Since(start) != 5*time.Second {
			t.Errorf("ends %v after %s", ends, time.Since(start))
		}
		time.Sleep(20 * time.Second) // late answers are ignored
		for range 100 {
			wg.Go(func() {
				if _, err := client.Call[int](context.Background(), c, "n", 0); !errors.Is(err, client.ErrDisconnected) {
					t.Errorf("through a cut: %v", err)
				}
			})
		}
		synctest.Wait()
		n.cut()
		wg.Wait()
		_ = c.Close()
		stop()
		n.close()
	})
}

// A handler that is slow holds the server up, not the acks, and loses nothing.
func TestASlowHandlerHoldsTheServerUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		const events = 2000
		stop := memoryServer(t, n, func(srv *core.Server) {
			core.On(srv, "go", func(c *core.Context, _ core.None) error {
				for i := range events {
					if err := c.Emit("n", i); err != nil {
						return err
					}
				}
				return nil
			})
			core.OnCall(srv, "echo", func(c *core.Context, i int) (int, error) { return i, nil })
		})
		c := memoryClient(t, n, client.Options{Transports: wsOnly, QueueEvents: 200})
		seen := 0
		done := make(chan struct{})
		client.On(c, "n", func(ctx context.Context, i int) error {
			if i != seen {
				t.Errorf("got %d in place %d", i, seen)
			}
			seen++
			if i == 0 {
				time.Sleep(5 * time.Second) // the server waits for 10 s, then it gives up
			}
			if i%100 == 0 {
				if got, err := client.Call[int](ctx, c, "echo", i); got != i || err != nil {
					t.Errorf("Call in a handler: %v %v", got, err)
				}
			}
			if seen == events {
				close(done)
			}
			return nil
		})
		connect(t, c)
		_ = c.Emit("go")
		<-done
		_ = c.Close()
		stop()
		n.close()
	})
}
