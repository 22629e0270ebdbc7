package client_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/core"
)

// patience is how long what must come may take on a machine that is busy.
const patience = time.Minute

// serve starts a siokit server for a test. setup registers handlers.
func serve(t *testing.T, cfg core.Config, setup func(srv *core.Server)) (url string) {
	t.Helper()
	cfg.Logger = slog.New(slog.DiscardHandler)
	srv, err := core.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if setup != nil {
		setup(srv)
	}
	ts := httptest.NewServer(srv)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Errorf("the server did not end: %v", err)
		}
		ts.Close()
	})
	return ts.URL
}

func newClient(t *testing.T, url string, opts client.Options) *client.Client {
	t.Helper()
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	c, err := client.New(url, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func connect(t *testing.T, c *client.Client) {
	t.Helper()
	if err := c.Connect(within(t)); err != nil {
		t.Fatal(err)
	}
}

// within is the patience of a test.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// next waits for a value that a callback sends.
func next[T any](t *testing.T, ch <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-ch:
	case <-time.After(patience):
		t.Fatal("nothing came")
	}
	return v
}

// log collects what callbacks report, in order.
type record struct {
	mu    sync.Mutex
	lines []string // guarded by mu
}

func (r *record) add(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line)
}

func (r *record) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.lines...)
}
