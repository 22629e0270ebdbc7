package core_test

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siokit/siokit/core"
)

// F-06: when all clients come back at once, a few run the hooks at a time, some wait, and the rest are
// told at once to try again.
func TestReconnectStorm(t *testing.T) {
	var running, most atomic.Int64
	hold := make(chan struct{})
	a := serve(t, core.Config{Handshakes: 3, HandshakeQueue: 5, Authenticate: func(r *http.Request) (context.Context, string, error) {
		now := running.Add(1)
		for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
		}
		<-hold
		running.Add(-1)
		return r.Context(), "", nil
	}})
	type result struct {
		status     int
		retryAfter string
		took       time.Duration
	}
	results := make(chan result, 100)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			began := time.Now()
			resp, err := a.ts.Client().Get(a.ts.URL + "/socket.io/?EIO=4&transport=polling")
			if err != nil {
				t.Error(i, err)
				return
			}
			defer resp.Body.Close()
			results <- result{resp.StatusCode, resp.Header.Get("Retry-After"), time.Since(began)}
		})
	}
	for range 12 { // 3 run, 5 wait
		if r := receive(t, results); r.status != http.StatusServiceUnavailable || r.retryAfter == "" {
			t.Errorf("refused with %d, Retry-After %q", r.status, r.retryAfter)
		}
	}
	eventually(t, "three run", func() bool { return running.Load() == 3 }) // a place is taken before the hook runs
	close(hold)
	wg.Wait()
	close(results)
	for r := range results {
		if r.status != http.StatusOK {
			t.Errorf("one that waited got %d", r.status)
		}
	}
	if most.Load() != 3 {
		t.Errorf("%d ran at once", most.Load())
	}
	a.dial("polling").join("/", "") // and afterwards all is well
}

func TestManyHandshakes(t *testing.T) {
	a := serve(t, core.Config{})
	var wg sync.WaitGroup
	for range 300 { // without hooks nothing is held back
		wg.Go(func() { a.dial("polling") })
	}
	wg.Wait()
}
