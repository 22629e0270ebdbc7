package siotest_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/siotest"
)

// faulty is an application whose handlers fail in every way.
func faulty(t *testing.T) (http.Handler, *core.Server) {
	srv := newServer(t, core.Config{Logger: siotest.Logger(t)})
	core.On(srv, "boom", func(*core.Context, core.None) error { panic("a nil map") })
	core.OnCall(srv, "error", func(*core.Context, core.None) (int, error) { return 0, errors.New("the database is away") })
	core.On(srv, "typed", func(*core.Context, int) error { return nil })
	core.On(srv, "ask", func(c *core.Context, _ core.None) error {
		_, err := core.Call[int](c, "question")
		return err
	})
	srv.OnRoom(core.RoomHooks{Join: func(_ *core.Socket, room string) {
		if room == "forbidden" {
			panic("a hook's")
		}
	}})
	core.On(srv, "join", func(c *core.Context, room string) error { return c.Join(room) })
	srv.Of("/closed").OnConnect(func(*core.Context) error { return errors.New("the table is gone") })
	mux := http.NewServeMux()
	core.Mount(mux, "/socket.io/", srv)
	mux.HandleFunc("/page", func(http.ResponseWriter, *http.Request) { panic("a page's") })
	return mux, srv
}

// A panic fails the test that did not ask for it, and what handlers return is in the text of a failure.
func TestFailuresOfHandlers(t *testing.T) {
	type row struct {
		test     func(ts *siotest.Server)
		want     []string      // none: the test passes
		duration time.Duration // at most
	}
	for name, row := range map[string]row{
		"a panic": {test: func(ts *siotest.Server) {
			ts.Dial().Emit("boom")
			synctest.Wait()
		}, want: []string{`"boom" in /: core: handler panicked: a nil map`, "siotest_test.faulty"}},
		"a panic instead of an answer": {test: func(ts *siotest.Server) {
			siotest.Call[int](ts.Dial(), "boom")
		}, want: []string{`the ack of "boom": core: handler panicked: a nil map`}, duration: 3 * time.Second},
		"a panic that was asked for": {test: func(ts *siotest.Server) {
			ts.Dial().Emit("boom")
			if p, ok := errors.AsType[*core.PanicError](ts.Failed("boom")); !ok || p.Value != "a nil map" {
				panic(p)
			}
		}},
		"panics that are allowed": {test: func(ts *siotest.Server) {
			ts.AllowPanics = true
			c := ts.Dial()
			c.Emit("boom")
			siotest.Call[client.None](c, "join", "forbidden")
		}},
		"a panic of a hook": {test: func(ts *siotest.Server) {
			siotest.Call[client.None](ts.Dial(), "join", "forbidden")
		}, want: []string{"1 panics of hooks"}},
		"a panic of a page": {test: func(ts *siotest.Server) {
			ts.Get(nil, "/page")
		}, want: []string{"GET /page: core: handler panicked: a page's", "siotest_test.faulty"}},
		"a panic of a page that was asked for": {test: func(ts *siotest.Server) {
			_, err := ts.HTTP(nil).Get(siotest.URL + "/page")
			if got := ts.Failed("GET /page"); err == nil || got == nil {
				panic(got)
			}
		}},
		"a panic of a client": {test: func(ts *siotest.Server) {
			c := ts.Dial()
			client.On(c, "question", func(context.Context, client.None) error { panic("the test's own") })
			c.Emit("ask")
			siotest.Next[client.None](c, "question")
			synctest.Wait()
		}, want: []string{"a callback of a client in /: client: a callback panicked: the test's own"}},
		"an error": {test: func(ts *siotest.Server) {
			c := ts.Dial()
			c.Emit("error")
			c.Emit("typed", "text")
			siotest.Next[int](c, "result")
		}, want: []string{`no event "result"`, "\"error\" in /: the database is away", `"typed" in /: `, "int"}},
		"many errors": {test: func(ts *siotest.Server) {
			c := ts.Dial()
			for range 1100 {
				c.Emit("misspelt")
			}
			siotest.CallError(c, "error")
			if ts.Failed("misspelt") != core.ErrNoHandler || ts.Failed("error") == nil {
				panic("they are lost")
			}
		}},
		"an error fails nothing by itself": {test: func(ts *siotest.Server) {
			if e := siotest.CallError(ts.Dial(), "error"); e.Message != "internal error" {
				panic(e)
			}
		}},
		"an error behind an answer": {test: func(ts *siotest.Server) {
			siotest.Call[int](ts.Dial(), "error")
		}, want: []string{"internal error", "the database is away"}},
		"an error of connect": {test: func(ts *siotest.Server) {
			ts.Dial(siotest.Namespace("/closed"))
		}, want: []string{`"connect" in /closed: the table is gone`}},
		"no handler": {test: func(ts *siotest.Server) {
			siotest.CallError(ts.Dial(), "misspelt")
		}, want: []string{`the ack of "misspelt": core: no handler for this event`}, duration: time.Second},
		"no failure": {test: func(ts *siotest.Server) {
			ts.Failed("error")
		}, want: []string{`no handler of "error" has failed within 10s`}},
		"nothing can come any more": {test: func(ts *siotest.Server) {
			c := ts.Dial()
			c.Cut()
			siotest.Next[int](c, "n")
		}, want: []string{`no event "n"`, "the client was disconnected: transport"}, duration: time.Second},
		"less patience": {test: func(ts *siotest.Server) {
			ts.Patience = time.Second
			siotest.Next[int](ts.Dial(), "n")
		}, want: []string{`no event "n" in / within 1s`}, duration: 2 * time.Second},
		"more patience": {test: func(ts *siotest.Server) {
			siotest.Next[int](ts.Dial(siotest.Patience(time.Minute)), "n")
		}, want: []string{`no event "n" in / within 1m0s`}, duration: 2 * time.Minute},
		"a longer quiet": {test: func(ts *siotest.Server) {
			ts.Quiet = time.Hour
			c := ts.Dial()
			siotest.ExpectNone(c, "n")
			if since := time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)); since < time.Hour {
				panic(since)
			}
			quick := ts.Dial(siotest.Quiet(time.Second))
			siotest.ExpectNone(quick, "n")
		}, duration: 2 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := &recorder{TB: t}
				began := time.Now()
				var took time.Duration
				got := r.run(func() {
					defer func() { took = time.Since(began) }()
					router, srv := faulty(t)
					row.test(siotest.Serve(r, router, srv))
				})
				if len(row.want) == 0 && got != "" {
					t.Errorf("the test failed: %s", got)
				}
				if strings.Contains(got, "dispatch") {
					t.Errorf("the stacks are not the application's alone: %s", got)
				}
				for _, want := range row.want {
					if !strings.Contains(got, want) {
						t.Errorf("the test said %q, want %q in it", got, want)
					}
				}
				if row.duration > 0 && took > row.duration {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}

// The socket server was not passed.
func TestForgottenSockets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		router, srv := chat(t)
		r := &recorder{TB: t}
		got := r.run(func() {
			ts := siotest.Serve(r, router)
			ts.Dial(siotest.Header("Cookie", "name=ann"))
		})
		if want := "pass the *core.Server to Serve"; !strings.Contains(got, want) {
			t.Errorf("the test said %q, want %q in it", got, want)
		}
		if err := srv.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// What is in a bubble cannot talk to what is not.
func TestServedOutsideOfTheBubble(t *testing.T) {
	router, srv := chat(t)
	ts := siotest.Serve(t, router, srv)
	synctest.Test(t, func(t *testing.T) {
		for _, use := range []func(ts *siotest.Server){
			func(ts *siotest.Server) { ts.Dial() },
			func(ts *siotest.Server) { ts.Get(siotest.Jar(), "/") },
		} {
			r := &recorder{TB: t}
			if got := r.run(func() { use(ts.In(r)) }); !strings.Contains(got, "call Serve inside") {
				t.Errorf("the test said %q", got)
			}
		}
	})
}

// Clients of a subtest fail it, not its parent, and leave with it.
func TestSubtests(t *testing.T) {
	router, srv := chat(t)
	ts := siotest.Serve(t, router, srv)
	for _, name := range []string{"ann", "bob"} {
		t.Run(name, func(t *testing.T) {
			c := ts.In(t).Dial(siotest.Header("Cookie", "name="+name))
			siotest.CallError(c, "fail")
			if n := len(srv.Sockets()); n != 1 {
				t.Errorf("%d sockets are connected", n)
			}
		})
		for deadline := time.Now().Add(10 * time.Second); len(srv.Sockets()) > 0; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the client of the subtest is still connected")
			}
		}
	}
	r := &recorder{TB: t}
	got := r.run(func() { ts.In(r).Refused(siotest.Header("Cookie", "name=eve")) })
	if !strings.Contains(got, "the client was accepted") {
		t.Errorf("the subtest said %q", got)
	}
}

// A test fails with its story before go test -timeout ends the run.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{TB: t, deadline: time.Now().Add(5 * time.Second)}
		began := time.Now()
		got := r.run(func() {
			defer func() {
				if took := time.Since(began); took > 3*time.Second+time.Millisecond {
					t.Errorf("it took %s", took)
				}
			}()
			siotest.Next[int](siotest.Serve(r, newServer(t, core.Config{})).Dial(), "n")
		})
		if want := `no event "n" in / within `; !strings.Contains(got, want) {
			t.Errorf("the test said %q, want %q in it", got, want)
		}
	})
}

// The log is the test's, and what is logged after the test goes nowhere.
func TestLogger(t *testing.T) {
	r := &recorder{TB: t}
	log := siotest.Logger(r)
	r.run(func() { log.Debug("during the test", "n", 1) })
	log.Error("after it")
	if got, want := r.output.String(), "level=DEBUG msg=\"during the test\" n=1\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
