package client_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/core"
)

// Connect fails as a whole: a namespace that was let in is left again, and hears a reason that the package names.
func TestOneRefusalLeavesTheOthers(t *testing.T) {
	in := make(chan struct{}, 1)
	url := serve(t, core.Config{}, func(srv *core.Server) {
		core.On(srv.Of("/open"), "in", func(*core.Context, core.None) error { in <- struct{}{}; return nil })
		srv.Of("/closed").OnConnect(func(c *core.Context) error {
			<-in
			return &core.ConnectError{Message: "members only"}
		})
	})
	everyTransport(t, func(t *testing.T, opts client.Options) {
		opts.Logger = slog.New(slog.DiscardHandler)
		c := newClient(t, url, opts)
		reasons := make(chan client.Reason, 1)
		open := c.Of("/open")
		open.OnConnect(func(context.Context) { _ = open.Emit("in") })
		open.OnDisconnect(func(_ context.Context, reason client.Reason) { reasons <- reason })
		c.Of("/closed")
		var refused *client.ConnectError
		if err := c.Connect(within(t)); !errors.As(err, &refused) || refused.Namespace != "/closed" || open.Connected() {
			t.Errorf("%v, connected %t", err, open.Connected())
		}
		if reason := next(t, reasons); reason != client.ClientDisconnect {
			t.Errorf("reason %q", reason)
		}
	})
}

// A worker whose token expires between two connections is refused, and its client ends. Connect goes on with the
// same handlers; what waited is dropped, and told.
func TestConnectAgainAfterARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		stop := memoryServer(t, n, func(srv *core.Server) {
			srv.OnConnect(func(c *core.Context) error {
				var auth struct {
					Token string `json:"token"`
				}
				if err := c.Auth(&auth); err != nil || auth.Token != "good" {
					return &core.ConnectError{Message: "token expired"}
				}
				return nil
			})
			core.OnCall(srv, "echo", func(c *core.Context, i int) (int, error) { return i, c.Emit("said", i) })
		})
		token, said, told := "good", make(chan int, 10), make(chan error, 10)
		c, err := client.New("http://memory", client.Options{
			HTTP: n.http(), Transports: wsOnly, Logger: slog.New(slog.DiscardHandler), RetryConnect: true, Retries: 2,
			Auth:    func(context.Context) (any, error) { return map[string]string{"token": token}, nil },
			OnError: func(_ context.Context, err error) { told <- err },
		})
		if err != nil {
			t.Fatal(err)
		}
		client.On(c, "said", func(_ context.Context, i int) error { said <- i; return nil })
		var refused *client.ConnectError
		for i := range 3 {
			token = "good"
			if err := c.Connect(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got, err := client.Call[int](t.Context(), c, "echo", i); err != nil || got != i || <-said != i {
				t.Errorf("Call: %d %v", got, err)
			}
			token = "expired"
			n.cut()
			synctest.Wait()
			if err := c.Emit("echo", -1); err != nil {
				t.Fatal(err)
			}
			flushed := make(chan error, 1)
			go func() { flushed <- c.Flush(t.Context()) }()
			if err := c.Wait(); !errors.As(err, &refused) || refused.Message != "token expired" {
				t.Errorf("Wait: %v", err)
			}
			if err := <-told; !errors.As(err, &refused) {
				t.Errorf("OnError: %v", err)
			}
			if err := <-flushed; !errors.Is(err, client.ErrDisconnected) {
				t.Errorf("Flush: %v", err)
			}
			time.Sleep(time.Second)
		}
		_ = c.Close()
		stop()
	})
}
