package client_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/engineio"
	"github.com/siokit/siokit/internal/delivery"
)

// answerer is a server of bare packets, which may answer as no siokit server does: to the event ["n", i] by
// plan(i). Each duration is when an answer is sent.
type answerer struct {
	plan func(i int) []time.Duration

	mu   sync.Mutex
	conn *engineio.Conn // the last one; guarded by mu
}

func (a *answerer) accept(c *engineio.Conn, _ *http.Request) (engineio.Receiver, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.conn = c
	return &answering{a, c}, nil
}

type answering struct {
	*answerer
	conn *engineio.Conn
}

func (a *answering) Closed(engineio.Reason, error) {}

func (a *answering) Receive(data []byte, _ bool) {
	say := func(packet string) {
		_ = a.conn.Send(engineio.NewMessage(append(make([]byte, engineio.Headroom), packet...))) // or it has ended
	}
	switch text := string(data); {
	case text == "0":
		say(`0{"sid":"x"}`)
	case text[0] == '2':
		id, rest, _ := strings.Cut(text[1:], `["n",`)
		i, err := strconv.Atoi(strings.TrimSuffix(rest, "]"))
		if err != nil {
			panic(err)
		}
		for _, after := range a.plan(i) {
			time.AfterFunc(after, func() { say(fmt.Sprintf("3%s[%d]", id, i)) })
		}
	}
}

// D-08: a thousand Calls at once, answered in any order, twice, too late or never, end once each, in time and
// with their own answer; when the connection breaks the rest ends too; and nothing is kept of any.
func TestEveryCallEndsOnce(t *testing.T) {
	const calls, timeout = 1000, 5 * time.Second
	for _, transport := range []string{"websocket", "polling"} {
		t.Run(transport, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				random := delivery.Random(t)
				when := make([]time.Duration, calls)
				for i := range when {
					when[i] = time.Duration(random.Int64N(int64(4 * time.Second)))
				}
				a := &answerer{plan: func(i int) []time.Duration {
					switch i %= calls; i % 10 {
					case 0:
						return nil
					case 1:
						return []time.Duration{when[i], when[i] + time.Duration(i)*time.Millisecond}
					case 2:
						return []time.Duration{timeout + time.Second + when[i]}
					}
					return []time.Duration{when[i]}
				}}
				srv, err := engineio.NewServer(engineio.Config{Accept: a.accept, Logger: slog.New(slog.DiscardHandler)})
				if err != nil {
					t.Fatal(err)
				}
				n := &network{}
				n.listen(srv)
				c := memoryClient(t, n, client.Options{Transports: []string{transport}, DisableReconnection: true})
				connect(t, c)
				s := c.Of("/")

				var mu sync.Mutex
				ends := map[error]int{}
				var wg sync.WaitGroup
				begin := time.Now()
				for i := range calls {
					wg.Go(func() {
						got, err := client.Call[int](context.Background(), s.Timeout(timeout), "n", i)
						took := time.Since(begin)
						switch {
						case err == nil && (got != i || took < when[i] || took > when[i]+50*time.Millisecond):
							t.Errorf("call %d got %d after %s, was answered after %s", i, got, took, when[i])
						case err != nil && (took < timeout || took > timeout+50*time.Millisecond):
							t.Errorf("call %d failed after %s", i, took)
						}
						mu.Lock()
						defer mu.Unlock()
						ends[err]++
					})
				}
				wg.Wait()
				if ends[nil] != calls*8/10 || ends[client.ErrTimeout] != calls*2/10 {
					t.Errorf("ends: %v", ends)
				}
				time.Sleep(time.Minute) // the late ones, and the second ones, mean nothing to anybody
				if p := s.PendingCalls(); p != 0 {
					t.Errorf("%d Calls are kept", p)
				}
				if got, err := client.Call[int](t.Context(), s, "n", 3); got != 3 || err != nil {
					t.Errorf("afterwards: %d, %v", got, err)
				}

				for i := range calls {
					wg.Go(func() {
						_, err := client.Call[int](context.Background(), s.Timeout(timeout), "n", i*10) // never answered
						if took := time.Since(begin); !errors.Is(err, client.ErrDisconnected) || took > 100*time.Millisecond {
							t.Errorf("call %d through a cut: %v after %s", i, err, took)
						}
					})
				}
				synctest.Wait()
				if p := s.PendingCalls(); p != calls {
					t.Errorf("%d Calls wait", p)
				}
				mu.Lock()
				begin = time.Now()
				mu.Unlock()
				n.listen(nil)
				n.cut()
				wg.Wait()
				if p := s.PendingCalls(); p != 0 {
					t.Errorf("%d Calls are kept after the end", p)
				}
				_ = c.Close()
				_ = srv.Shutdown(context.Background())
				n.close()
			})
		})
	}
}
