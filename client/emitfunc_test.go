package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/engineio"
)

// outcome is what the function of an EmitFunc gets.
type outcome struct {
	answer string
	err    error
}

// asked emits with a function; its outcome comes on the channel.
func asked(t *testing.T, to client.Target, event string, args ...any) <-chan outcome {
	t.Helper()
	got := make(chan outcome, 2) // a second call would show
	if err := client.EmitFunc(to, event, args, func(answer string, err error) { got <- outcome{answer, err} }); err != nil {
		t.Fatalf("%s: %v", event, err)
	}
	return got
}

func TestEmitFunc(t *testing.T) {
	url := serve(t, core.Config{}, func(srv *core.Server) {
		core.OnCall(srv, "shout", func(_ *core.Context, in string) (string, error) { return in + "!", nil })
		core.OnCall(srv, "number", func(_ *core.Context, in []byte) (int, error) { return len(in), nil })
		core.OnCall(srv, "fail", func(*core.Context, core.None) (string, error) {
			return "", &core.Error{Code: "no", Message: "not today"}
		})
	})
	everyTransport(t, func(t *testing.T, opts client.Options) {
		for _, opts.Retries = range []int{0, 2} {
			c := newClient(t, url, opts)
			early := asked(t, c, "shout", "offline")
			connect(t, c)
			if got := next(t, early); got != (outcome{"offline!", nil}) {
				t.Errorf("asked before Connect: %v", got)
			}
			if got := next(t, asked(t, c.Of("/").Compress(false), "shout", "hi")); got != (outcome{"hi!", nil}) {
				t.Errorf("shout: %v", got)
			}
			var misfit *client.ArgumentError
			if got := next(t, asked(t, c, "number", []byte("abc"))); !errors.As(got.err, &misfit) || misfit.Event != "number" || got.answer != "" {
				t.Errorf("another type: %v", got)
			}
			var told *client.Error
			if got := next(t, asked(t, c, "fail")); !errors.As(got.err, &told) || told.Code != "no" {
				t.Errorf("fail: %v", got)
			}
			never := func(int, error) { t.Error("called") }
			if err := client.EmitFunc(c, "shout", []any{make(chan int)}, never); err == nil {
				t.Error("a channel was sent")
			}
			if err := client.EmitFunc[int](c, "shout", nil, nil); err == nil {
				t.Error("no function")
			}
			if err := client.EmitFunc(c, "connect", nil, never); err == nil {
				t.Error("a reserved event was sent")
			}
			_ = c.Close()
			if err := client.EmitFunc(c, "shout", []any{"x"}, never); !errors.Is(err, client.ErrNotConnected) {
				t.Errorf("after Close: %v", err)
			}
		}
	})
}

// surrounded answers each event with an event, its ack, and another event.
type surrounded struct{ conn *engineio.Conn }

func (s surrounded) Receive(data []byte, _ bool) {
	send := func(text string) {
		_ = s.conn.Send(engineio.NewMessage(append(make([]byte, engineio.Headroom), text...)))
	}
	id, args, isEvent := strings.Cut(strings.TrimPrefix(string(data), "2"), `["q",`)
	switch i := strings.TrimSuffix(args, "]"); {
	case isEvent:
		send(`2["e","before ` + i + `"]`)
		send(`3` + id + `[` + i + `]`)
		send(`2["e","after ` + i + `"]`)
	case data[0] == '0':
		send(`0{"sid":"x"}`)
	}
}
func (surrounded) Closed(engineio.Reason, error) {}

// The function has its place among the handlers: after what the server sent before the ack, before the rest.
func TestEmitFuncIsInOrder(t *testing.T) {
	srv, err := engineio.NewServer(engineio.Config{Accept: func(c *engineio.Conn, _ *http.Request) (engineio.Receiver, error) {
		return surrounded{c}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	ts := httptest.NewServer(srv)
	t.Cleanup(func() {
		_ = srv.Shutdown(context.Background())
		ts.Close()
	})
	everyTransport(t, func(t *testing.T, opts client.Options) {
		for _, opts.Retries = range []int{0, 2} {
			c := newClient(t, ts.URL, opts)
			var seen []string // of the namespace's goroutine alone: the race detector judges
			done := make(chan struct{})
			const n = 200
			client.On(c, "e", func(_ context.Context, in string) error {
				if seen = append(seen, in); in == fmt.Sprint("after ", n-1) {
					close(done)
				}
				return nil
			})
			connect(t, c)
			var want []string
			for i := range n {
				want = append(want, fmt.Sprint("before ", i), fmt.Sprint("ack ", i), fmt.Sprint("after ", i))
				err := client.EmitFunc(c, "q", []any{i}, func(answer int, err error) {
					if seen = append(seen, fmt.Sprint("ack ", answer)); err != nil {
						t.Error(err)
					}
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			next(t, done)
			_ = c.Close()
			if !slices.Equal(seen, want) {
				t.Errorf("seen %q", seen)
			}
		}
	})
}

// Whatever happens to the connection, the function runs once.
func TestEmitFuncEndsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		stop := memoryServer(t, n, func(srv *core.Server) {
			core.OnCall(srv, "echo", func(c *core.Context, in string) (string, error) { return in, nil })
			core.OnCall(srv, "late", func(c *core.Context, in string) (string, error) { time.Sleep(3 * time.Second); return in, nil }, core.Concurrent(10))
			core.OnCall(srv, "never", func(c *core.Context, _ core.None) (string, error) { <-c.Done(); return "", nil }, core.Concurrent(10))
		})
		c := memoryClient(t, n, client.Options{Transports: wsOnly, CallTimeout: 10 * time.Second, Jitter: -1})
		var seen record
		c.Of("/").OnDisconnect(func(context.Context, client.Reason) { seen.add("disconnect") })
		note := func(to client.Target, event string, arg string) {
			t.Helper()
			start := time.Now()
			err := client.EmitFunc(to, event, []any{arg}, func(answer string, err error) {
				if err == nil && answer != arg {
					t.Errorf("%s got %q", arg, answer)
				}
				seen.add(fmt.Sprintf("%s %v after %s", arg, err, time.Since(start)))
			})
			if err != nil {
				t.Errorf("%s: %v", arg, err)
			}
		}
		wantSeen := func(want ...string) {
			t.Helper()
			synctest.Wait()
			got := seen.all()
			seen.mu.Lock()
			seen.lines = nil
			seen.mu.Unlock()
			if !slices.Equal(got, want) {
				t.Errorf("seen %q\nwant %q", got, want)
			}
		}
		timeout, gone := client.ErrTimeout.Error(), client.ErrDisconnected.Error()

		// Without a connection: given up in time, and not sent any more; or answered after it.
		note(c.Of("/").Timeout(time.Second), "echo", "too early")
		note(c, "echo", "waits")
		time.Sleep(2 * time.Second)
		wantSeen("too early " + timeout + " after 1s")
		connect(t, c)
		wantSeen("waits <nil> after 2s")

		// Timeouts, the default and the Emitter's; a late answer is nobody's.
		note(c, "never", "a")
		note(c.Of("/").Timeout(time.Second), "late", "b")
		time.Sleep(20 * time.Second)
		wantSeen("b "+timeout+" after 1s", "a "+timeout+" after 10s")

		// The connection breaks: at once, in their order, before OnDisconnect; the rest waits for the next.
		for i := range 20 {
			note(c, "late", fmt.Sprint(i))
		}
		synctest.Wait()
		n.cut()
		synctest.Wait()
		note(c, "echo", "offline")
		never := func(int, error) { t.Error("called") }
		if err := client.EmitFunc(c.Of("/").Volatile(), "echo", nil, never); !errors.Is(err, client.ErrNotWritable) {
			t.Errorf("volatile: %v", err)
		}
		var want []string
		for i := range 20 {
			want = append(want, fmt.Sprintf("%d %s after 0s", i, gone))
		}
		wantSeen(append(want, "disconnect")...)
		time.Sleep(2 * time.Second)
		wantSeen("offline <nil> after 1s")
		note(c.Of("/").Volatile(), "echo", "volatile")
		wantSeen("volatile <nil> after 0s")

		// The namespace ends, and then the client.
		note(c, "late", "left")
		c.Of("/").Disconnect()
		wantSeen("left "+gone+" after 0s", "disconnect")
		_ = c.Wait()
		connect(t, c)
		note(c, "never", "closed")
		ended := false // written by the callback, read after Close: the race detector judges
		err := client.EmitFunc(c, "never", nil, func(core.None, error) {
			time.Sleep(time.Second)
			ended = true
		})
		if err != nil {
			t.Error(err)
		}
		_ = c.Close()
		if !ended {
			t.Error("Close did not wait for a callback")
		}
		wantSeen("closed "+gone+" after 0s", "disconnect")
		time.Sleep(time.Minute)
		wantSeen()
		stop()
		n.close()
	})
}

// With Retries the function hears of the end only: an ack after a cut, or that there was none.
func TestEmitFuncWithRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		cuts := 2
		stop := memoryServer(t, n, func(srv *core.Server) {
			core.OnCall(srv, "cut", func(c *core.Context, in string) (string, error) {
				if cuts--; cuts >= 0 {
					n.cut()
				}
				return in, nil
			})
		})
		c := memoryClient(t, n, client.Options{Transports: wsOnly, Retries: 2, AckTimeout: time.Second, CallTimeout: time.Hour, OnError: func(_ context.Context, err error) { t.Error(err) }})
		connect(t, c)
		first, second, third := asked(t, c, "cut", "x"), asked(t, c, "unanswered"), asked(t, c.Of("/").Timeout(time.Minute), "cut", "y")
		if got := <-first; got != (outcome{"x", nil}) {
			t.Errorf("through two cuts: %v", got)
		}
		if got := <-second; !errors.Is(got.err, client.ErrTimeout) {
			t.Errorf("unanswered: %v", got)
		}
		if got := <-third; got != (outcome{"y", nil}) {
			t.Errorf("the next: %v", got)
		}
		blocked, waits := asked(t, c, "unanswered"), asked(t, c.Of("/").Timeout(500*time.Millisecond), "cut", "z")
		if got := <-waits; !errors.Is(got.err, client.ErrTimeout) { // behind the other, and never sent
			t.Errorf("given up: %v", got)
		}
		_ = c.Close()
		if got := <-blocked; !errors.Is(got.err, client.ErrDisconnected) {
			t.Errorf("closed: %v", got)
		}
		for _, ch := range []<-chan outcome{first, second, third, blocked, waits} {
			if len(ch) > 0 {
				t.Errorf("a second call: %v", <-ch)
			}
		}
		stop()
		n.close()
	})
}

// explosive panics when it is decoded.
type explosive struct{}

func (*explosive) UnmarshalJSON([]byte) error { panic("on purpose") }

func TestEmitFuncPanics(t *testing.T) {
	url := serve(t, core.Config{}, func(srv *core.Server) {
		core.OnCall(srv, "q", func(*core.Context, core.None) (int, error) { return 1, nil })
	})
	reported := make(chan error, 3)
	c := newClient(t, url, client.Options{OnError: func(_ context.Context, err error) { reported <- err }})
	connect(t, c)
	wantPanic := func(err error) {
		t.Helper()
		var panicked *client.PanicError
		if !errors.As(err, &panicked) {
			t.Errorf("got %v", err)
		}
	}
	_ = client.EmitFunc(c, "q", nil, func(int, error) { panic("on purpose") })
	wantPanic(next(t, reported))

	told := make(chan error, 1)
	_ = client.EmitFunc(c, "q", nil, func(_ explosive, err error) { told <- err })
	wantPanic(next(t, told))
	wantPanic(next(t, reported))

	// What t.FailNow does must not stop the namespace.
	_ = client.EmitFunc(c, "q", nil, func(int, error) { runtime.Goexit() })
	_ = client.EmitFunc(c, "q", nil, func(_ int, err error) { told <- err })
	if err := next(t, told); err != nil {
		t.Error(err)
	}
}
