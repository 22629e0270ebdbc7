package core_test

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
	"time"

	"github.com/gorilla/websocket"
	"github.com/siokit/siokit/core"
)

// F-12: what was acknowledged has been processed, and what was queued arrives before the end.
func TestShutdown(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{})
		const clients = 20
		entered, release := make(chan struct{}, clients), make(chan struct{})
		var processed, answered, ended atomic.Int64
		core.On(a, "work", func(c *core.Context, n int) error {
			entered <- struct{}{}
			<-release
			got, err := core.Call[int](c, "how much?") // acks are still taken
			if err != nil || got != n {
				t.Errorf("Call during Shutdown: %d, %v", got, err)
			}
			processed.Add(1)
			return c.Emit("result", n)
		})
		core.On(a, "ignored", func(*core.Context, core.None) error { t.Error("an event was taken after Shutdown"); return nil })
		a.OnDisconnect(func(c *core.Context, r core.Reason) {
			var gone *core.DisconnectError
			if r != core.ServerShutdown || !errors.As(context.Cause(c), &gone) {
				t.Errorf("reason %q, %v", r, context.Cause(c))
			}
			ended.Add(1)
		})
		peers := make([]*peer, clients)
		for i := range peers {
			peers[i] = a.dial(transport)
			peers[i].join("/", "")
			peers[i].send(fmt.Sprintf(`25["work",%d]`, i))
			receive(t, entered)
		}
		idle := a.dial(transport)
		idle.join("/", "")
		done := make(chan error, 1)
		go func() { done <- a.Shutdown(context.Background()) }()
		if got := idle.wantClosed(); len(got) != 0 {
			t.Errorf("the idle client was sent %q", got)
		}
		if transport == "websocket" && idle.status != websocket.CloseGoingAway || transport == "polling" && !idle.bye {
			t.Errorf("the end: %d %t", idle.status, idle.bye)
		}
		for _, other := range []string{"polling", "websocket"} {
			if _, status, err := a.tryDial(other); status != http.StatusServiceUnavailable {
				t.Errorf("a new %s handshake: %d %v", other, status, err)
			}
		}
		silent(t, done)
		// The idle client may have been the first to have its turn.
		eventually(t, "every client has had its turn", func() bool { return a.Draining() == clients })
		for _, p := range peers {
			p.send(`26["ignored"]`)
		}
		close(release)
		for i, p := range peers {
			p.want(`20["how much?"]`)
			p.send(fmt.Sprintf(`30[%d]`, i))
			p.want(fmt.Sprintf(`2["result",%d]`, i))
			p.want(`35[]`)
			answered.Add(1)
			if rest := p.wantClosed(); len(rest) != 0 {
				t.Errorf("after the ack came %q", rest) // a 41 would stop clients from reconnecting
			}
			if transport == "websocket" && p.status != websocket.CloseGoingAway || transport == "polling" && !p.bye {
				t.Errorf("the end: %d %t %v", p.status, p.bye, p.err)
			}
		}
		if err := receive(t, done); err != nil {
			t.Error(err)
		}
		if processed.Load() != clients || ended.Load() != clients+1 || a.Clients() != 0 || a.Stats().Connections != 0 {
			t.Errorf("processed %d, disconnected %d, left %d", processed.Load(), ended.Load(), a.Clients())
		}
		if err := a.Shutdown(t.Context()); err != nil {
			t.Errorf("a second Shutdown: %v", err)
		}
	})
}

func TestShutdownThatMayNotWait(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{})
		entered, left := make(chan *core.Context, 1), make(chan error, 1)
		core.On(a, "work", func(c *core.Context, _ core.None) error {
			entered <- c
			<-c.Done()
			left <- c.Emit("too late")
			return nil
		})
		p := a.dial(transport)
		p.join("/", "")
		p.send(`20["work"]`)
		c := receive(t, entered)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := a.Shutdown(ctx); err != context.Canceled {
			t.Errorf("Shutdown = %v", err)
		}
		if got := strings.Join(p.wantClosed(), " "); got != "" {
			t.Errorf("the client was sent %q", got)
		}
		receive(t, c.Done())
		if err := receive(t, left); err != core.ErrDisconnected {
			t.Errorf("Emit = %v", err)
		}
	})
}

func TestShutdownOfAnIdleServer(t *testing.T) {
	srv, err := core.New(core.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := srv.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// F-12: closes are spread, at most 100 in a tenth of a second, and in no order that clients could have agreed on.
func TestShutdownSpreadsTheCloses(t *testing.T) {
	const clients = 350
	a := serve(t, core.Config{})
	var mu sync.Mutex
	var left []string // guarded by mu
	a.OnDisconnect(func(c *core.Context, _ core.Reason) {
		mu.Lock()
		defer mu.Unlock()
		left = append(left, c.ID())
	})
	came := make([]string, clients)
	for i := range came {
		came[i] = a.dial("websocket").join("/", "")
	}
	begin := time.Now()
	if err := a.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took < 300*time.Millisecond { // the fourth hundred has to wait for three tenths
		t.Errorf("%d clients were closed within %s", clients, took)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(left) != clients || slices.Equal(left, came) {
		t.Errorf("%d left, in the order in which they came: %t", len(left), slices.Equal(left, came))
	}
}
