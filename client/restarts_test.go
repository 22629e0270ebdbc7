package client_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/core"
)

// A client survives a thousand restarts of its server: every Call ends, no event is seen twice, and nothing
// is left behind.
func TestAThousandRestarts(t *testing.T) {
	const restarts = 1000
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		var tick atomic.Int64
		start := func() *core.Server {
			srv, err := core.New(core.Config{Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			core.OnCall(srv, "n", func(c *core.Context, i int) (int, error) {
				return i, c.Emit("tick", tick.Add(1))
			})
			n.listen(srv)
			return srv
		}
		srv := start()
		c := memoryClient(t, n, client.Options{Transports: wsOnly})
		var last int64
		client.On(c, "tick", func(_ context.Context, i int64) error {
			if i <= last {
				t.Errorf("tick %d after %d", i, last)
			}
			last = i
			return nil
		})
		connected := make(chan struct{}, 1)
		c.Of("/").OnConnect(func(context.Context) { connected <- struct{}{} })
		connect(t, c)
		<-connected
		answered, broken, before := 0, 0, 0
		for i := range restarts {
			calls := make(chan error, 2)
			for range 2 {
				go func() {
					got, err := client.Call[int](context.Background(), c, "n", i)
					if err == nil && got != i {
						t.Errorf("call %d got %d", i, got)
					}
					calls <- err
				}()
			}
			if i%2 == 0 {
				synctest.Wait() // so that they are answered; otherwise the restart is in between
			}
			old := srv
			n.listen(nil)
			n.cut()
			_ = old.Shutdown(context.Background())
			srv = start()
			<-connected
			for range 2 {
				switch err := <-calls; {
				case err == nil:
					answered++
				case errors.Is(err, client.ErrDisconnected):
					broken++
				default:
					t.Errorf("restart %d: %v", i, err)
				}
			}
			if i == 10 {
				before = runtime.NumGoroutine()
			}
		}
		if answered < restarts || answered+broken != 2*restarts {
			t.Errorf("%d answered, %d broken off, of %d", answered, broken, 2*restarts)
		}
		time.Sleep(time.Minute)
		if after := runtime.NumGoroutine(); after > before+5 {
			t.Errorf("%d goroutines, %d after ten restarts", after, before)
		}
		_ = c.Close()
		_ = srv.Shutdown(context.Background())
		n.close()
	})
}
