package client_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/core"
)

// A program that ends with Flush and Close has told the server everything.
func TestFlushBeforeCloseLosesNothing(t *testing.T) {
	everyTransport(t, func(t *testing.T, opts client.Options) {
		const n = 200
		for retries := range 2 {
			got := make(chan int, n)
			url := serve(t, core.Config{}, func(srv *core.Server) {
				core.On(srv, "order", func(c *core.Context, i int) error { got <- i; return nil })
			})
			opts.Retries = retries
			c := newClient(t, url, opts)
			for i := range n / 2 {
				if err := c.Emit("order", i); err != nil { // waits for the connection
					t.Fatal(err)
				}
			}
			connect(t, c)
			var answered atomic.Bool
			for i := n / 2; i < n-1; i++ {
				if err := c.Emit("order", i); err != nil {
					t.Fatal(err)
				}
			}
			if err := client.EmitFunc(c, "order", []any{n - 1}, func(_ client.None, err error) { answered.Store(err == nil) }); err != nil {
				t.Fatal(err)
			}
			if err := c.Flush(within(t)); err != nil {
				t.Error(err)
			}
			_ = c.Close()
			if !answered.Load() {
				t.Error("the ack was not waited for")
			}
			for i := range n {
				if v := next(t, got); v != i {
					t.Fatalf("retries %d: event %d came in the place of %d", retries, v, i)
				}
			}
		}
	})
}

// Flush waits through reconnects for what was not acked before.
func TestFlushWaitsThroughReconnects(t *testing.T) {
	everyTransport(t, func(t *testing.T, opts client.Options) {
		var (
			mu    sync.Mutex
			conns []net.Conn // guarded by mu
		)
		dial := func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			if err == nil {
				mu.Lock()
				defer mu.Unlock()
				conns = append(conns, conn)
			}
			return conn, err
		}
		got := make(chan int, 1000)
		var broken atomic.Bool
		url := serve(t, core.Config{}, func(srv *core.Server) {
			core.On(srv, "order", func(c *core.Context, i int) error {
				got <- i
				if i == 5 && !broken.Swap(true) {
					mu.Lock()
					defer mu.Unlock()
					for _, conn := range conns {
						_ = conn.Close()
					}
				}
				return nil
			})
		})
		transport := &http.Transport{DialContext: dial}
		defer transport.CloseIdleConnections()
		opts.Retries, opts.ReconnectDelay, opts.HTTP = 5, time.Millisecond, &http.Client{Transport: transport}
		c := newClient(t, url, opts)
		connect(t, c)
		for i := range 10 {
			if err := c.Emit("order", i); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Flush(within(t)); err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
		var all []int
		for len(got) > 0 { // Flush has waited for all of them
			all = append(all, <-got)
		}
		if !slices.Equal(slices.Compact(all), []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}) || !broken.Load() {
			t.Errorf("the server got %v", all)
		}
	})
}

// What Close drops is not dropped in silence.
func TestDroppedEventsAreReported(t *testing.T) {
	hold := make(chan struct{})
	asked := make(chan struct{}, 1)
	url := serve(t, core.Config{}, func(srv *core.Server) {
		core.On(srv, "order", func(c *core.Context, _ int) error { asked <- struct{}{}; <-hold; return nil })
	})
	defer close(hold)
	told := make(chan error, 10)
	c := newClient(t, url, client.Options{Retries: 1, OnError: func(_ context.Context, err error) { told <- err }})
	if err := c.Flush(within(t)); err != nil {
		t.Errorf("nothing to flush: %v", err)
	}
	connect(t, c)
	for i := range 3 {
		if err := c.Emit("order", i); err != nil {
			t.Fatal(err)
		}
	}
	next(t, asked)
	ctx, cancel := context.WithCancelCause(within(t))
	patience := errors.New("no more patience")
	cancel(patience)
	if err := c.Flush(ctx); !errors.Is(err, patience) || !strings.Contains(err.Error(), "3 events") {
		t.Errorf("Flush: %v", err)
	}
	flushed := make(chan error, 1)
	go func() { flushed <- c.Flush(within(t)) }()
	_ = c.Close()
	if err := next(t, told); !errors.Is(err, client.ErrDisconnected) || !strings.Contains(err.Error(), `3 events of "/"`) || !strings.Contains(err.Error(), `"order"`) {
		t.Errorf("OnError: %v", err)
	}
	if err := next(t, flushed); err != nil && !errors.Is(err, client.ErrDisconnected) { // nil: it began after Close
		t.Errorf("Flush during Close: %v", err)
	}
	if err := c.Flush(within(t)); err != nil {
		t.Errorf("nothing is left to flush: %v", err)
	}
}

// Without a connection to come Flush does not wait.
func TestFlushBeforeConnect(t *testing.T) {
	c := newClient(t, "http://127.0.0.1:1", client.Options{})
	if err := c.Emit("x"); err != nil {
		t.Fatal(err)
	}
	if err := c.Flush(within(t)); !errors.Is(err, client.ErrNotConnected) {
		t.Error(err)
	}
}
