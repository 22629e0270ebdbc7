package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/engineio"
)

// What waits for a connection goes on waiting when that ends as it begins.
func TestABufferOutlivesAConnectionThatEndsAtOnce(t *testing.T) {
	got := make(chan struct{}, 1000)
	var attempts atomic.Int64 // of the present client
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost:
			body, _ := io.ReadAll(r.Body)
			if strings.Contains(string(body), `2["n"]`) {
				got <- struct{}{}
			}
			fmt.Fprint(w, "ok")
		case r.URL.Query().Get("sid") == "":
			// 10 ms; longer after each five attempts, or a machine that always takes longer would never connect.
			half := 5 << (attempts.Add(1) / 5)
			fmt.Fprintf(w, `0{"sid":"x","upgrades":[],"pingInterval":%d,"pingTimeout":%[1]d,"maxPayload":1000000}`, half)
		default:
			time.Sleep(7*time.Millisecond + time.Duration(rand.IntN(4_000_000))) // the heartbeat is over about now
			fmt.Fprint(w, `40{"sid":"x"}`)
		}
	}))
	defer ts.Close()
	for range 50 {
		attempts.Store(0)
		lost := make(chan error, 10)
		c := newClient(t, ts.URL, client.Options{
			Transports: []string{"polling"}, RetryConnect: true, ReconnectDelay: time.Millisecond, ReconnectDelayMax: time.Millisecond,
			OnError: func(_ context.Context, err error) { lost <- err },
		})
		if err := c.Emit("n"); err != nil {
			t.Fatal(err)
		}
		connect(t, c)
		select {
		case <-got:
		case err := <-lost:
			if errors.Is(err, engineio.ErrClosed) {
				t.Fatalf("the event was given up: %v", err)
			}
		case <-time.After(100 * time.Millisecond): // lost with its connection, as any event without an ack may be
		}
		_ = c.Close()
	}
}
