package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/core"
)

// everyTransport runs a test on polling, on WebSocket, and through the upgrade.
func everyTransport(t *testing.T, f func(t *testing.T, opts client.Options)) {
	for name, opts := range map[string]client.Options{
		"polling":   {Transports: []string{"polling"}},
		"websocket": {Transports: []string{"websocket"}},
		"upgrade":   {},
	} {
		t.Run(name, func(t *testing.T) { f(t, opts) })
	}
}

type upload struct {
	Name  string `json:"name"`
	Bytes []byte `json:"bytes"`
}

func TestEventsAndAcksBothWays(t *testing.T) {
	url := serve(t, core.Config{}, func(srv *core.Server) {
		core.OnCall(srv, "reverse", func(c *core.Context, in upload) (upload, error) {
			slices.Reverse(in.Bytes)
			return in, nil
		})
		core.OnCall(srv, "sum", func(c *core.Context, in core.Args2[int, *int]) (int, error) {
			if in.B == nil {
				return in.A, nil
			}
			return in.A + *in.B, nil
		})
		core.On(srv, "ask me", func(c *core.Context, question string) error {
			answer, err := core.Call[core.Args2[string, []byte]](c, "question", question)
			if err != nil {
				return err
			}
			return c.Emit("answered", answer.A, answer.B)
		})
		core.OnCall(srv, "fail", func(c *core.Context, in core.None) (int, error) {
			return 0, &core.Error{Code: "nope", Message: "not today", Data: 7}
		})
	})
	everyTransport(t, func(t *testing.T, opts client.Options) {
		c := newClient(t, url, opts)
		answered := make(chan client.Args2[string, []byte], 1)
		client.OnCall(c, "question", func(ctx context.Context, q string) (client.Args2[string, []byte], error) {
			if s, ok := client.From(ctx); !ok || s.Namespace() != "/" {
				t.Errorf("From: %v %v", s, ok)
			}
			return client.Args2[string, []byte]{A: q + "!", B: []byte{1, 0, 255}}, nil
		})
		client.On(c, "answered", func(_ context.Context, in client.Args2[string, []byte]) error {
			answered <- in
			return nil
		})
		connect(t, c)
		ctx := within(t)
		got, err := client.Call[upload](ctx, c, "reverse", upload{"x", []byte{1, 2, 3}})
		if err != nil || got.Name != "x" || !bytes.Equal(got.Bytes, []byte{3, 2, 1}) {
			t.Errorf("reverse: %v %v", got, err)
		}
		if sum, err := client.Call[int](ctx, c, "sum", 2, 3); sum != 5 || err != nil {
			t.Errorf("sum: %v %v", sum, err)
		}
		if sum, err := client.Call[int](ctx, c, "sum", 2); sum != 2 || err != nil {
			t.Errorf("sum of one: %v %v", sum, err)
		}
		if err := c.Emit("ask me", "why"); err != nil {
			t.Fatal(err)
		}
		if in := next(t, answered); in.A != "why!" || !bytes.Equal(in.B, []byte{1, 0, 255}) {
			t.Errorf("answered: %v", in)
		}
		_, err = client.Call[int](ctx, c, "fail")
		var told *client.Error
		if !errors.As(err, &told) || told.Code != "nope" || told.Message != "not today" || told.Data != 7.0 {
			t.Errorf("fail: %v", err)
		}
		_, err = client.Call[int](ctx, c.Of("/").Timeout(50*time.Millisecond), "nobody answers")
		if !errors.Is(err, client.ErrTimeout) {
			t.Errorf("no handler: %v", err)
		}
		_, err = client.Call[string](ctx, c, "sum", 1, 1)
		var misfit *client.ArgumentError
		if !errors.As(err, &misfit) || misfit.Event != "sum" {
			t.Errorf("wrong type: %v", err)
		}
		if err := c.Emit("connect"); err == nil {
			t.Error("a reserved event was sent")
		}
		if err := c.Emit("x", make(chan int)); err == nil {
			t.Error("a channel was sent")
		}
	})
}

func TestNamespacesShareAConnection(t *testing.T) {
	url := serve(t, core.Config{}, func(srv *core.Server) {
		for _, name := range []string{"/", "/chat", "/late"} {
			core.OnCall(srv.Of(name), "where", func(c *core.Context, _ core.None) (client.Args2[string, string], error) {
				return client.Args2[string, string]{A: c.Namespace().Name(), B: c.ID()}, nil
			})
		}
		srv.Of("/guarded").OnConnect(func(c *core.Context) error {
			var auth struct {
				Token string `json:"token"`
			}
			if err := c.Auth(&auth); err != nil || auth.Token != "good" {
				return &core.ConnectError{Message: "please log in", Data: map[string]int{"code": 401}}
			}
			return nil
		})
	})
	everyTransport(t, func(t *testing.T, opts client.Options) {
		ctx := within(t)
		c := newClient(t, url, opts)
		c.Of("/")
		chat := c.Of("chat")
		connect(t, c)
		if c.ID() == "" || c.ID() == chat.ID() {
			t.Errorf("ids %q and %q", c.ID(), chat.ID())
		}
		for _, to := range []*client.Socket{c.Of("/"), chat} {
			where, err := client.Call[client.Args2[string, string]](ctx, to, "where")
			if err != nil || where.A != to.Namespace() || where.B != to.ID() {
				t.Errorf("%s: %v %v", to.Namespace(), where, err)
			}
		}
		late := c.Of("/late")
		if late.Connected() {
			t.Error("late is connected")
		}
		if err := late.Connect(ctx); err != nil || !late.Connected() {
			t.Errorf("late: %v", err)
		}
		guarded := c.Of("/guarded")
		err := guarded.Connect(ctx)
		var refused *client.ConnectError
		if !errors.As(err, &refused) || refused.Message != "please log in" || string(refused.Data) != `{"code":401}` {
			t.Errorf("guarded: %v", err)
		}
		guarded.SetAuth(func(context.Context) (any, error) { return map[string]string{"token": "good"}, nil })
		if err := guarded.Connect(ctx); err != nil {
			t.Errorf("guarded with a token: %v", err)
		}
		if err := c.Of("/nowhere").Connect(ctx); !errors.As(err, &refused) {
			t.Errorf("nowhere: %v", err)
		}
		chat.Disconnect()
		if err := chat.Emit("x"); !errors.Is(err, client.ErrDisconnected) {
			t.Errorf("emit after Disconnect: %v", err)
		}
		if !c.Connected() {
			t.Error("the others are gone too")
		}
		if err := chat.Connect(ctx); err != nil {
			t.Errorf("chat again: %v", err)
		}
	})
}

func TestARefusalFailsConnect(t *testing.T) {
	url := serve(t, core.Config{}, func(srv *core.Server) {
		srv.OnConnect(func(c *core.Context) error { return &core.ConnectError{Message: "full"} })
	})
	everyTransport(t, func(t *testing.T, opts client.Options) {
		c := newClient(t, url, opts)
		var refused *client.ConnectError
		for range 2 {
			if err := c.Connect(within(t)); !errors.As(err, &refused) || refused.Message != "full" {
				t.Fatalf("Connect: %v", err)
			}
		}
		if err := c.Wait(); !errors.As(err, &refused) {
			t.Errorf("Wait: %v", err)
		}
		if err := c.Emit("x"); !errors.Is(err, client.ErrNotConnected) {
			t.Errorf("Emit: %v", err)
		}
	})
}

func TestServerDisconnectEndsTheClient(t *testing.T) {
	url := serve(t, core.Config{}, func(srv *core.Server) {
		core.On(srv, "kick me", func(c *core.Context, _ core.None) error {
			_ = c.Emit("bye", "now")
			c.Disconnect()
			return nil
		})
	})
	everyTransport(t, func(t *testing.T, opts client.Options) {
		c := newClient(t, url, opts)
		var seen record
		c.Of("/").OnConnect(func(context.Context) { seen.add("connect") })
		client.On(c, "bye", func(_ context.Context, when string) error { seen.add("bye " + when); return nil })
		c.Of("/").OnDisconnect(func(_ context.Context, reason client.Reason) { seen.add(string(reason)) })
		connect(t, c)
		if err := c.Emit("kick me"); err != nil {
			t.Fatal(err)
		}
		var ended *client.DisconnectError
		if err := c.Wait(); !errors.As(err, &ended) || ended.Reason != client.ServerDisconnect {
			t.Errorf("Wait: %v", err)
		}
		want := []string{"connect", "bye now", "io server disconnect"}
		if got := seen.all(); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestCatchAllAndPanics(t *testing.T) {
	url := serve(t, core.Config{}, func(srv *core.Server) {
		core.OnCall(srv, "ask", func(c *core.Context, event string) (string, error) {
			limit := 15 * time.Second // what answers does it on a busy machine too
			if event == "boom" {
				limit = 300 * time.Millisecond
			}
			args, err := core.CallSocket[core.Args](c, c.Timeout(limit), event, 1, "two")
			if err != nil {
				return err.Error(), nil
			}
			text := ""
			for i := range args.Len() {
				text += string(args.Raw(i))
			}
			return text, nil
		})
	})
	everyTransport(t, func(t *testing.T, opts client.Options) {
		failed := make(chan error, 4)
		opts.OnError = func(_ context.Context, err error) { failed <- err }
		c := newClient(t, url, opts)
		var seen record
		c.Of("/").OnAny(func(_ context.Context, event string, args client.Args) { seen.add(fmt.Sprint(event, args.Len())) })
		c.Of("/").OnUnhandled(func(_ context.Context, event string, args client.Args) (any, error) { return "no " + event, nil })
		client.On(c, "boom", func(context.Context, client.Args) error { panic("boom") })
		client.On(c, "misfit", func(context.Context, int) error { return nil })
		connect(t, c)
		for event, want := range map[string]string{
			"what":   `"no what"`,
			"boom":   core.ErrTimeout.Error(),
			"misfit": `{"error":{"message":"internal error"}}`,
		} {
			if got, err := client.Call[string](within(t), c, "ask", event); err != nil || got != want {
				t.Errorf("%s: %q %v, want %q", event, got, err, want)
			}
		}
		var panicked *client.PanicError
		var misfit *client.ArgumentError
		if err := errors.Join(next(t, failed), next(t, failed)); !errors.As(err, &panicked) || !errors.As(err, &misfit) {
			t.Errorf("reported: %v", err)
		}
		if n := len(seen.all()); n != 3 {
			t.Errorf("%d events seen, want 3", n)
		}
	})
}

func TestRegistrationMistakes(t *testing.T) {
	c := newClient(t, "http://127.0.0.1:1", client.Options{})
	client.On(c, "twice", func(context.Context, int) error { return nil })
	for name, f := range map[string]func(){
		"twice":    func() { client.On(c, "twice", func(context.Context, int) error { return nil }) },
		"reserved": func() { client.On(c, "connect", func(context.Context, int) error { return nil }) },
		"nil":      func() { client.On[int](c, "nil", nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
	if !client.Off(c, "twice") || client.Off(c, "twice") {
		t.Error("Off")
	}
	for _, address := range []string{"", "example.com", "ftp://x", "http://", ":"} {
		if _, err := client.New(address, client.Options{}); err == nil {
			t.Errorf("%q was accepted", address)
		}
	}
}
