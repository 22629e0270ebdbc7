package client_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/core"
)

func TestSimple(t *testing.T) {
	url := serve(t, core.Config{}, func(srv *core.Server) {
		chat := srv.Of("/chat")
		core.OnCall(chat, "who am I", func(c *core.Context, _ core.None) (string, error) { return c.ID(), nil })
		core.On(chat, "message", func(c *core.Context, in core.Args2[string, []byte]) error { return c.Emit("said", in.A, in.B) })
		core.OnCall(chat, "slow", func(c *core.Context, _ core.None) (int, error) { <-c.Done(); return 0, nil })
	})
	everyTransport(t, func(t *testing.T, opts client.Options) {
		ctx := within(t)
		opts.Logger = slog.New(slog.DiscardHandler)
		s, err := client.DialSimple(ctx, url+"/chat", opts)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		if s.Namespace() != "/chat" || !s.Connected() || s.Transport() == "" || len(opts.Transports) > 0 && s.Transport() != opts.Transports[0] {
			t.Errorf("namespace %q, connected %t, transport %q", s.Namespace(), s.Connected(), s.Transport())
		}
		if id, err := client.Call[string](ctx, s, "who am I"); err != nil || id != s.ID() || id == "" {
			t.Errorf("id %q there, %q here: %v", id, s.ID(), err)
		}
		if err := s.Send("hi", []byte{1}); err != nil {
			t.Fatal(err)
		}
		e, err := s.Receive(ctx)
		var text string
		var data []byte
		if err != nil || e.Name != "said" || errors.Join(e.Args.Decode(0, &text), e.Args.Decode(1, &data)) != nil || text != "hi" || string(data) != "\x01" {
			t.Errorf("%v %q %v: %v", e.Name, text, data, err)
		}
		if got := fmt.Sprint(e.Args); got != `["hi",{"_placeholder":true,"num":0}]` {
			t.Errorf("in a log: %s", got)
		}
		if err := s.Flush(ctx); err != nil {
			t.Error(err)
		}
		if _, err := client.Call[int](ctx, s.Timeout(20*time.Millisecond), "slow"); !errors.Is(err, client.ErrTimeout) {
			t.Errorf("slow: %v", err)
		}
		_ = s.Close()
		if _, err := s.Receive(ctx); !errors.Is(err, client.ErrNotConnected) || s.Connected() || s.ID() != "" {
			t.Errorf("after Close: %v", err)
		}
	})
}

// Receive, Emit and Call wait through a reconnect; a Receive that was given up loses no event.
func TestSimpleThroughReconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		stop := memoryServer(t, n, func(srv *core.Server) {
			core.OnCall(srv, "n", func(c *core.Context, i int) (int, error) { return i, c.Emit("n", i) })
			core.On(srv, "kick me", func(c *core.Context, _ core.None) error { c.Disconnect(); return nil })
		})
		s, err := client.DialSimple(t.Context(), "http://memory", client.Options{HTTP: n.http(), Transports: wsOnly, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		want := func(i int) {
			t.Helper()
			e, err := s.Receive(t.Context())
			var got int
			if err != nil || e.Args.Decode(0, &got) != nil || got != i {
				t.Errorf("got %s %d %v, want %d", e.Name, got, err, i)
			}
		}
		n.cut()
		synctest.Wait()
		if err := s.Emit("n", 1); err != nil || s.Connected() {
			t.Errorf("connected %t: %v", s.Connected(), err)
		}
		want(1)
		n.cut()
		synctest.Wait()
		if got, err := client.Call[int](t.Context(), s, "n", 2); got != 2 || err != nil {
			t.Errorf("Call: %d %v", got, err)
		}
		want(2)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if _, err := s.Receive(ctx); !errors.Is(err, client.ErrTimeout) {
			t.Errorf("nothing to come: %v", err)
		}
		cancel()
		for i := range 3 {
			_ = s.Emit("n", i)
		}
		for i := range 3 {
			want(i)
		}
		_ = s.Emit("kick me")
		var ended *client.DisconnectError
		if _, err := s.Receive(t.Context()); !errors.As(err, &ended) || ended.Reason != client.ServerDisconnect {
			t.Errorf("kicked: %v", err)
		}
		_ = s.Close()
		stop()
		n.close()
	})
}
