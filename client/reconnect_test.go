package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/engineio"
)

func TestBackoff(t *testing.T) {
	for _, transport := range []string{"polling", "websocket"} {
		t.Run(transport, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &network{}
				stop := memoryServer(t, n, nil)
				c := memoryClient(t, n, client.Options{Transports: []string{transport}, Jitter: -1, ReconnectAttempts: 6})
				var seen record
				var began atomic.Pointer[time.Time] // of being cut off
				restart := func() { now := time.Now(); began.Store(&now) }
				note := func(what string) { seen.add(fmt.Sprintf("%s at %s", what, time.Since(*began.Load()))) }
				c.OnReconnectAttempt(func(_ context.Context, i int) { note(fmt.Sprint("attempt ", i)) })
				c.OnReconnectError(func(context.Context, error) { seen.add("failed") })
				c.OnReconnectFailed(func(context.Context, error) { note("gave up") })
				c.OnReconnect(func(_ context.Context, i int) { note(fmt.Sprint("reconnected ", i)) })
				connect(t, c)
				restart()
				n.listen(nil)
				n.cut()
				time.Sleep(4 * time.Second) // after 1 s and 3 s
				stopSecond := memoryServer(t, n, nil)
				time.Sleep(4 * time.Second) // at 7 s
				if !c.Connected() {
					t.Error("not connected again")
				}
				synctest.Wait()
				restart()
				n.listen(nil)
				n.cut()
				var gaveUp *client.ReconnectError
				if err := c.Wait(); !errors.As(err, &gaveUp) || gaveUp.Attempts != 6 || !strings.Contains(err.Error(), "nothing listens") {
					t.Errorf("Wait: %v", err)
				}
				want := []string{
					"attempt 1 at 1s", "failed", "attempt 2 at 3s", "failed", "attempt 3 at 7s", "reconnected 3 at 7s",
					"attempt 1 at 1s", "failed", "attempt 2 at 3s", "failed", "attempt 3 at 7s", "failed", "attempt 4 at 12s", "failed", "attempt 5 at 17s", "failed",
					"attempt 6 at 22s", "failed", "gave up at 22s",
				}
				if got := seen.all(); !slices.Equal(got, want) {
					t.Errorf("got  %q\nwant %q", got, want)
				}
				stop()
				stopSecond()
				n.close()
			})
		})
	}
}

// F-07: a storm of clients comes back spread out, and none of them often.
func TestBackoffSpreads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const clients = 1000
		n := &network{}
		stop := memoryServer(t, n, nil)
		var mu sync.Mutex
		attempts := map[int][]time.Duration{}
		perClient := make([]int, clients)
		var all []*client.Client
		var start time.Time
		for i := range clients {
			c := memoryClient(t, n, client.Options{Transports: []string{"websocket"}})
			c.OnReconnectAttempt(func(_ context.Context, k int) {
				mu.Lock()
				defer mu.Unlock()
				attempts[k] = append(attempts[k], time.Since(start))
				perClient[i]++
			})
			connect(t, c)
			all = append(all, c)
		}
		mu.Lock()
		start = time.Now()
		mu.Unlock()
		n.listen(nil)
		n.cut()
		time.Sleep(time.Minute)
		mu.Lock()
		for k := 1; k <= 10; k++ {
			bins := map[time.Duration]int{}
			for _, at := range attempts[k] {
				bins[at/(100*time.Millisecond)]++
			}
			for bin, count := range bins {
				if count > clients*15/100 {
					t.Errorf("attempt %d: %d of %d clients in the 100 ms at %s", k, count, clients, bin*100*time.Millisecond)
				}
			}
		}
		for i, count := range perClient {
			if count > 60 || count < 5 {
				t.Errorf("client %d tried %d times in a minute", i, count)
			}
		}
		mu.Unlock()
		for _, c := range all {
			_ = c.Close()
		}
		stop()
		n.close()
	})
}

// F-07: a server that refuses all of them says when to come back: none comes earlier, and they are as spread out as
// before.
func TestRetryAfterSpreads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const clients = 1000
		n := &network{}
		stop := memoryServer(t, n, nil)
		var all []*client.Client
		for range clients {
			c := memoryClient(t, n, client.Options{Transports: []string{"websocket"}})
			connect(t, c)
			all = append(all, c)
		}
		n.listen(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "10")
			w.WriteHeader(http.StatusServiceUnavailable)
		}))
		start := time.Now()
		before := n.count()
		n.cut()
		time.Sleep(time.Minute)
		n.mu.Lock()
		bins := map[time.Duration]int{}
		for _, at := range n.dials[before:] {
			bins[at.Sub(start)/(100*time.Millisecond)]++
		}
		total := len(n.dials) - before
		n.mu.Unlock()
		if total < 5*clients || total > 6*clients { // the first after 1 s, and then one every 10 s and a little
			t.Errorf("%d attempts in a minute", total)
		}
		for bin, count := range bins {
			if count > clients*15/100 {
				t.Errorf("%d of %d clients in the 100 ms at %s", count, clients, bin*100*time.Millisecond)
			}
			if at := bin * 100 * time.Millisecond; at > 1500*time.Millisecond && at < 10*time.Second {
				t.Errorf("%d clients came at %s, before they were told to", count, at)
			}
		}
		for _, c := range all {
			_ = c.Close()
		}
		stop()
		n.close()
	})
}

// F-07: likewise, one client to the second.
func TestRetryAfterIsHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		stop := memoryServer(t, n, nil)
		c := memoryClient(t, n, client.Options{Jitter: -1, Transports: []string{"websocket"}})
		connect(t, c)
		before := n.count()
		stop()
		n.listen(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "30")
			w.WriteHeader(http.StatusServiceUnavailable)
		}))
		n.cut()
		time.Sleep(25 * time.Second) // one attempt after 1 s, the next 30 s later
		if got := n.count() - before; got != 1 {
			t.Errorf("%d attempts, want 1", got)
		}
		time.Sleep(10 * time.Second)
		if got := n.count() - before; got != 2 {
			t.Errorf("%d attempts, want 2", got)
		}
		_ = c.Close() // does not wait for the next one
		n.close()
	})
}

// F-07: "io server disconnect" is the end, as in JavaScript.
func TestNoReconnectionAfterServerDisconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		stop := memoryServer(t, n, func(srv *core.Server) {
			core.On(srv, "kick me", func(c *core.Context, _ core.None) error { c.Disconnect(); return nil })
		})
		c := memoryClient(t, n, client.Options{Transports: []string{"websocket"}})
		connect(t, c)
		_ = c.Emit("kick me")
		_ = c.Wait()
		time.Sleep(time.Minute)
		if n.count() != 1 {
			t.Errorf("%d connections, want 1", n.count())
		}
		if err := c.Connect(t.Context()); err != nil {
			t.Errorf("Connect again: %v", err)
		}
		_ = c.Close()
		stop()
		n.close()
	})
}

func TestFreshCredentialsForEachAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		type auth struct {
			Token string `json:"token"`
		}
		tokens := make(chan string, 10)
		stop := memoryServer(t, n, func(srv *core.Server) {
			srv.OnConnect(func(c *core.Context) error {
				var got auth
				_ = c.Auth(&got)
				tokens <- got.Token + c.Handshake().Header.Get("X-Attempt")
				return nil
			})
		})
		i, h := 0, 0
		c := memoryClient(t, n, client.Options{
			Transports: []string{"websocket"},
			Auth: func(context.Context) (any, error) {
				if i++; i == 2 {
					return nil, errors.New("the token service is down")
				}
				return auth{fmt.Sprint("token ", i)}, nil
			},
			HeaderFunc: func(context.Context) (http.Header, error) {
				h++
				return http.Header{"X-Attempt": {fmt.Sprint(", header ", h)}}, nil
			},
		})
		failures := make(chan error, 10)
		c.OnReconnectError(func(_ context.Context, err error) { failures <- err })
		connect(t, c)
		n.cut()
		if got := []string{<-tokens, <-tokens}; !slices.Equal(got, []string{"token 1, header 1", "token 3, header 3"}) {
			t.Errorf("tokens %q", got)
		}
		if err := <-failures; !strings.Contains(err.Error(), "the token service is down") {
			t.Errorf("failure %v", err)
		}
		_ = c.Close()
		stop()
		n.close()
	})
}

func TestASilentServerIsGivenUp(t *testing.T) {
	for _, transport := range []string{"polling", "websocket"} {
		t.Run(transport, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &network{}
				srv, err := engineio.NewServer(engineio.Config{PingInterval: 25 * time.Second, PingTimeout: 20 * time.Second, Accept: func(c *engineio.Conn, _ *http.Request) (engineio.Receiver, error) {
					return greeter{c}, nil
				}})
				if err != nil {
					t.Fatal(err)
				}
				n.listen(srv)
				c := memoryClient(t, n, client.Options{Transports: []string{transport}, DisableReconnection: true})
				start := time.Now()
				connect(t, c)
				synctest.Wait()
				n.freeze()
				var ended *client.DisconnectError
				if err := c.Wait(); !errors.As(err, &ended) || ended.Reason != client.PingTimeout {
					t.Errorf("Wait: %v", err)
				}
				if d := time.Since(start); d != 45*time.Second {
					t.Errorf("given up after %s, want 45s", d)
				}
				n.listen(nil)
				n.cut()
				_ = srv.Shutdown(context.Background())
				n.close()
			})
		})
	}
}

// greeter accepts the namespace and says nothing more.
type greeter struct{ conn *engineio.Conn }

func (g greeter) Receive([]byte, bool) {
	_ = g.conn.Send(engineio.NewMessage(append(make([]byte, engineio.Headroom), `0{"sid":"x"}`...)))
}
func (g greeter) Closed(engineio.Reason, error) {}

func TestTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		n.listen(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
		c := memoryClient(t, n, client.Options{})
		start := time.Now()
		err := c.Connect(context.Background())
		if d := time.Since(start); d != 20*time.Second || err == nil || !strings.Contains(err.Error(), "20s") {
			t.Errorf("after %s: %v", d, err)
		}
		n.cut()

		stop := memoryServer(t, n, func(srv *core.Server) {
			srv.Of("/slow").Use(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
			core.OnCall(srv, "never", func(c *core.Context, _ core.None) (int, error) { <-c.Done(); return 0, nil })
		})
		start = time.Now()
		slow := memoryClient(t, n, client.Options{})
		slow.Of("/slow")
		if err := slow.Connect(context.Background()); err == nil || time.Since(start) != 20*time.Second {
			t.Errorf("no answer to CONNECT: after %s: %v", time.Since(start), err)
		}

		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		start = time.Now()
		if err := slow.Connect(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("ctx: after %s: %v", time.Since(start), err)
		}
		cancel()

		c = memoryClient(t, n, client.Options{Transports: []string{"websocket"}})
		if err := c.Connect(context.Background()); err != nil {
			t.Fatal(err)
		}
		start = time.Now()
		if _, err := client.Call[int](context.Background(), c, "never"); !errors.Is(err, client.ErrTimeout) || time.Since(start) != time.Minute {
			t.Errorf("Call: after %s: %v", time.Since(start), err)
		}
		start = time.Now()
		time.AfterFunc(time.Second, n.cut)
		if _, err := client.Call[int](context.Background(), c, "never"); !errors.Is(err, client.ErrDisconnected) || time.Since(start) != time.Second {
			t.Errorf("Call through a cut: after %s: %v", time.Since(start), err)
		}
		_ = c.Close()
		stop()
		n.close()
	})
}
