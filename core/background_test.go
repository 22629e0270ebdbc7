package core_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/siokit/siokit/core"
)

// A task emits while the server lives, and Shutdown waits for what it does at the end.
func TestGo(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{})
		p := a.dial(transport)
		p.join("/", "")
		started, cancelled, release := make(chan struct{}), make(chan error, 1), make(chan struct{})
		if err := a.Go(func(ctx context.Context) {
			_ = a.Emit("tick")
			close(started)
			<-ctx.Done()
			cancelled <- context.Cause(ctx)
			<-release
		}); err != nil {
			t.Fatal(err)
		}
		receive(t, started)
		p.want(`2["tick"]`)
		done := make(chan error, 1)
		go func() { done <- a.Shutdown(context.Background()) }()
		if cause := receive(t, cancelled); cause != core.ErrShutdown {
			t.Errorf("cancelled with %v", cause)
		}
		silent(t, done)
		close(release)
		if err := receive(t, done); err != nil {
			t.Error(err)
		}
		if err := a.Go(func(context.Context) { t.Error("a task ran after Shutdown") }); err != core.ErrShutdown {
			t.Errorf("after Shutdown: %v", err)
		}
	})
}

func TestGoThatDoesNotEnd(t *testing.T) {
	srv, err := core.New(core.Config{})
	if err != nil {
		t.Fatal(err)
	}
	release := make(chan struct{})
	_ = srv.Go(func(context.Context) { <-release })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := srv.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown = %v", err)
	}
	close(release)
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Errorf("once it has ended: %v", err)
	}
}

func TestGoRecoversPanics(t *testing.T) {
	var logged bytes.Buffer // read after Shutdown
	srv, err := core.New(core.Config{Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{}, 2)
	_ = srv.Go(func(context.Context) { defer func() { ended <- struct{}{} }(); panic("sprocket") })
	_ = srv.Go(func(context.Context) { defer func() { ended <- struct{}{} }(); runtime.Goexit() })
	receive(t, ended)
	receive(t, ended)
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if n := srv.Panics(); n != 1 {
		t.Errorf("%d panics counted", n)
	}
	for _, want := range []string{"a background task panicked", "sprocket", "background_test.go"} {
		if !strings.Contains(logged.String(), want) {
			t.Errorf("the log lacks %q: %s", want, &logged)
		}
	}
}

// Whatever the moment, a task is either refused, or cancelled and waited for.
func TestGoDuringShutdown(t *testing.T) {
	srv, err := core.New(core.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	running := 0
	var callers sync.WaitGroup
	begun := make(chan struct{}, 8)
	for range 8 {
		callers.Go(func() {
			places := make(chan struct{}, 250) // Shutdown may come late, and the race detector takes 8,128 goroutines
			for first := true; ; first = false {
				places <- struct{}{}
				err := srv.Go(func(ctx context.Context) {
					defer func() { <-places }()
					mu.Lock()
					running++
					mu.Unlock()
					<-ctx.Done()
					mu.Lock()
					running--
					mu.Unlock()
				})
				if err != nil {
					return
				}
				if first {
					begun <- struct{}{}
				}
			}
		})
	}
	for range 8 {
		receive(t, begun)
	}
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if mu.Lock(); running != 0 {
		t.Errorf("%d tasks run after Shutdown", running)
	}
	mu.Unlock()
	callers.Wait()
}
