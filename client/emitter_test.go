package client_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/core"
)

// OnEmit sees what is emitted, once and as it was, whatever becomes of it.
func TestOnEmit(t *testing.T) {
	sent := make(chan string, 10)
	url := serve(t, core.Config{}, func(srv *core.Server) {
		core.OnCall(srv, "echo", func(_ *core.Context, in string) (string, error) { return in, nil })
		core.On(srv, "message", func(_ *core.Context, in core.Args2[string, int]) error { sent <- fmt.Sprint(in); return nil })
		asking(srv.Of("/"))
		srv.Of("/other")
	})
	everyTransport(t, func(t *testing.T, opts client.Options) {
		for _, opts.Retries = range []int{0, 1} {
			reported := make(chan error, 100)
			opts.OnError = func(_ context.Context, err error) { reported <- err }
			opts.BufferEvents = 1
			c := newClient(t, url, opts)
			var seen record
			note := func(event string, args []any) { seen.add(fmt.Sprint(event, args)) }
			c.Of("/").OnEmit(func(event string, _ []any) { panic("on purpose") })
			c.Of("/").OnEmit(note)
			c.Of("/other").OnEmit(func(string, []any) { t.Error("another namespace") })
			client.OnCall(c, "question", func(context.Context, client.None) (string, error) { return "an ack is no event", nil })
			_ = c.Emit("connect")              // cannot be encoded
			_ = c.Emit("echo", make(chan int)) // nor that
			early := asked(t, c, "echo", "early")
			if err := c.Emit("echo", "too many"); !errors.Is(err, client.ErrBufferFull) {
				t.Errorf("the second: %v", err)
			}
			_ = c.Of("/").Volatile().Emit("echo", "dropped")
			connect(t, c)
			if got := next(t, early); got != (outcome{"early", nil}) {
				t.Errorf("early: %v", got)
			}
			if _, err := client.Call[string](within(t), c, "echo", "call"); err != nil {
				t.Error(err)
			}
			if got := next(t, asked(t, c, "ask", "question")); got.err != nil {
				t.Error(got.err)
			}
			if err := c.Send("hello", 1); err != nil {
				t.Error(err)
			}
			if got := next(t, sent); got != "{hello 1}" {
				t.Errorf("sent %s", got)
			}
			want := []string{"echo[early]", "echo[too many]", "echo[dropped]", "echo[call]", "ask[question]", "message[hello 1]"}
			if got := seen.all(); !slices.Equal(got, want) {
				t.Errorf("seen %q\nwant %q", got, want)
			}
			var panicked *client.PanicError
			if err := next(t, reported); !errors.As(err, &panicked) {
				t.Errorf("reported %v", err)
			}
			_ = c.Close()
		}
	})
}

// A handler that takes itself off has seen one event, however many are queued: that is JavaScript's once.
func TestOffInsideAHandler(t *testing.T) {
	url := serve(t, core.Config{}, func(srv *core.Server) {
		core.OnCall(srv, "go", func(c *core.Context, n int) (int, error) {
			for i := range n {
				if err := c.Emit("n", i); err != nil {
					return 0, err
				}
			}
			return n, nil
		})
	})
	everyTransport(t, func(t *testing.T, opts client.Options) {
		c := newClient(t, url, opts)
		var seen record
		client.On(c, "n", func(_ context.Context, i int) error {
			client.Off(c, "n")
			seen.add(fmt.Sprint(i))
			return nil
		})
		connect(t, c)
		if got := next(t, counted(t, c, 100)); got != nil { // after the events
			t.Fatal(got)
		}
		if got := seen.all(); !slices.Equal(got, []string{"0"}) {
			t.Errorf("seen %q", got)
		}
	})
}

// counted asks for n events; the channel says when they have been handled.
func counted(t *testing.T, to client.Target, n int) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	if err := client.EmitFunc(to, "go", []any{n}, func(_ int, err error) { done <- err }); err != nil {
		t.Fatal(err)
	}
	return done
}

// Active tells, while Connected is false, whether that will change by itself.
func TestActive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		stop := memoryServer(t, n, func(srv *core.Server) {
			srv.Of("/second")
			core.On(srv, "kick me", func(c *core.Context, _ core.None) error { c.Disconnect(); return nil })
		})
		for _, row := range []struct {
			opts client.Options
			end  func(c *client.Client)
			want bool
		}{
			{client.Options{}, func(*client.Client) { n.cut() }, true},
			{client.Options{DisableReconnection: true}, func(*client.Client) { n.cut() }, false},
			{client.Options{}, func(c *client.Client) { _ = c.Emit("kick me") }, false},
			{client.Options{}, func(c *client.Client) { c.Of("/").Disconnect() }, false},
			{client.Options{}, func(c *client.Client) { c.Disconnect() }, false},
		} {
			row.opts.Transports = wsOnly
			c := memoryClient(t, n, row.opts)
			s := c.Of("/")
			c.Of("/second")
			active := make(chan bool, 1)
			s.OnDisconnect(func(context.Context, client.Reason) { active <- s.Active() })
			if s.Active() {
				t.Error("active before Connect")
			}
			connect(t, c)
			if !s.Active() || !s.Connected() {
				t.Error("not active")
			}
			row.end(c)
			if got := <-active; got != row.want {
				t.Errorf("%+v: active %t, want %t", row.opts, got, row.want)
			}
			_ = c.Close()
			if s.Active() {
				t.Error("active after Close")
			}
		}
		stop()
		n.close()
	})
}
