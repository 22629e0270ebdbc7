package siotest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/cluster/membus"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/internal/leaktest"
	"github.com/siokit/siokit/siotest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func newServer(t *testing.T, cfg core.Config) *core.Server {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	srv, err := core.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return srv
}

// chat is an application with a cookie login.
func chat(t *testing.T) (http.Handler, *core.Server) {
	srv := newServer(t, core.Config{})
	srv.OnConnect(func(c *core.Context) error {
		name, err := c.Handshake().Cookie("name")
		if err != nil {
			return &core.ConnectError{Message: "please log in", Data: map[string]int{"code": 401}}
		}
		core.SetData(c, name.Value)
		return c.Join("lobby")
	})
	core.On(srv, "say", func(c *core.Context, text string) error {
		name, _ := core.Data[string](c)
		return c.To("lobby").Emit("said", name, text)
	})
	core.OnCall(srv, "fail", func(*core.Context, core.None) (string, error) {
		return "", &core.Error{Code: "no_luck", Message: "try again"}
	})
	core.OnCall(srv, "twice", func(_ *core.Context, in []byte) ([]byte, error) { return append(in, in...), nil })
	srv.Of("/news").OnConnect(func(c *core.Context) error { return c.Emit("headline", 1) })
	mux := http.NewServeMux()
	core.Mount(mux, "/socket.io/", srv)
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "name", Value: r.FormValue("name"), Path: "/"})
		fmt.Fprint(w, "hello ", r.FormValue("name"))
	})
	return mux, srv
}

func TestLoginAndTalk(t *testing.T) {
	for _, transports := range [][]string{{"websocket"}, {"polling"}, {"polling", "websocket"}} {
		t.Run(strings.Join(transports, "+"), func(t *testing.T) {
			t.Parallel()
			router, srv := chat(t)
			ts := siotest.Serve(t, router, srv)
			person := func(name string) *siotest.Client {
				jar := siotest.Jar()
				if got := ts.PostForm(jar, "/login", url.Values{"name": {name}}); got != "hello "+name {
					t.Fatal(got)
				}
				return ts.Dial(siotest.Cookies(jar), siotest.Transports(transports...))
			}
			ann, bob := person("ann"), person("bob")
			ann.Emit("say", "hi")
			if said := siotest.Next[client.Args2[string, string]](bob, "said"); said.A != "ann" || said.B != "hi" {
				t.Errorf("%+v", said)
			}
			siotest.ExpectNone(ann, "said")
			if got := siotest.Call[[]byte](ann, "twice", []byte{1, 2}); string(got) != "\x01\x02\x01\x02" {
				t.Errorf("%v", got)
			}
			if e := siotest.CallError(ann, "fail"); e.Code != "no_luck" || e.Message != "try again" {
				t.Errorf("%v", e)
			}
			news := ann.Of("/news")
			if n := siotest.Next[int](news, "headline"); n != 1 {
				t.Error(n)
			}

			nobody := ts.Refused(siotest.Transports(transports...))
			if nobody.Message != "please log in" || string(nobody.Data) != `{"code":401}` {
				t.Errorf("%v", nobody)
			}
			client.OnCall(bob, "sure?", func(_ context.Context, n int) (bool, error) { return n == 7, nil })
			s, _ := srv.Socket(bob.ID())
			if yes, err := core.CallSocket[bool](t.Context(), s, "sure?", 7); err != nil || !yes {
				t.Error(yes, err)
			}
			s.Disconnect()
			if reason := bob.Disconnected(); reason != client.ServerDisconnect {
				t.Error(reason)
			}
		})
	}
}

// Heartbeats, ack timeouts, reconnection and recovery take no time in a bubble.
func TestTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		srv := newServer(t, core.Config{Recovery: &core.Recovery{}})
		reasons := make(chan core.Reason, 10)
		srv.OnDisconnect(func(_ *core.Context, r core.Reason) { reasons <- r })
		ts := siotest.Serve(t, srv)
		c := ts.Dial(siotest.Reconnecting())
		if err := srv.Emit("n", 1); err != nil {
			t.Fatal(err)
		}
		if n := siotest.Next[int](c, "n"); n != 1 {
			t.Error(n)
		}
		s, _ := srv.Socket(c.ID())
		if _, err := core.CallSocket[bool](t.Context(), s, "nobody answers"); err != core.ErrTimeout {
			t.Error(err)
		}

		id := c.ID()
		c.Freeze()
		if r := <-reasons; r != core.PingTimeout {
			t.Error(r)
		}
		if err := srv.To(id).Emit("n", 2); err != nil {
			t.Fatal(err)
		}
		c.Up()
		if n := siotest.Next[int](c, "n"); n != 2 || c.ID() != id {
			t.Errorf("event %d, id %s after %s", n, c.ID(), id)
		}

		c.Down()
		time.Sleep(5 * time.Minute) // longer than sessions are kept
		c.Up()
		if err := srv.Emit("n", 3); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if err := srv.Emit("n", 4); err != nil {
			t.Fatal(err)
		}
		if n := siotest.Next[int](c, "n"); n != 4 || c.ID() == id {
			t.Errorf("event %d, id %s after %s", n, c.ID(), id)
		}
		if took := time.Since(began); took < 7*time.Minute {
			t.Errorf("%s of the bubble's time", took)
		}
	})
}

// A client that was sent away comes back when the test says so, and only then.
func TestJoinAgain(t *testing.T) {
	for _, transport := range []string{"polling", "websocket"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t, core.Config{})
			allowed := make(chan bool, 1)
			srv.OnConnect(func(c *core.Context) error {
				if !<-allowed {
					return &core.ConnectError{Message: "not now"}
				}
				return c.Emit("hi", c.ID())
			})
			srv.Of("/other")
			allowed <- true
			c := siotest.Serve(t, srv).Dial(siotest.Transports(transport), siotest.Reconnecting())
			other := c.Of("/other")
			siotest.Next[string](c, "hi")
			for i := range 100 {
				s, _ := srv.Socket(c.ID())
				s.Disconnect()
				if r := c.Disconnected(); r != client.ServerDisconnect {
					t.Fatal(r)
				}
				if i < 5 { // not more: the server suspects an attack
					allowed <- false
					c.RefusedOf("/")
				}
				allowed <- true
				if id := siotest.Next[string](c.Of("/"), "hi"); id != c.ID() || !other.Connected() {
					t.Fatalf("the server calls %s %s", c.ID(), id)
				}
			}
			allowed <- true
			c.Cut()
			c.Reconnected()
			if id := siotest.Next[string](c, "hi"); id != c.ID() {
				t.Errorf("the server calls %s %s", c.ID(), id)
			}
		})
	}
}

func TestCluster(t *testing.T) {
	var hub membus.Hub
	a, b := newServer(t, core.Config{Bus: hub.Bus()}), newServer(t, core.Config{Bus: hub.Bus()})
	near, far := siotest.Serve(t, a).Dial(), siotest.Serve(t, b).Dial()
	if err := a.Emit("hello", "all"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*siotest.Client{near, far} {
		if got := siotest.Next[string](c, "hello"); got != "all" {
			t.Error(got)
		}
	}
}

// recorder is a test that fails.
type recorder struct {
	testing.TB
	cleanups []func()
	failed   []string
	deadline time.Time
	output   bytes.Buffer
}

func (r *recorder) Deadline() (time.Time, bool) { return r.deadline, !r.deadline.IsZero() }
func (r *recorder) Output() io.Writer           { return &r.output }

func (r *recorder) Helper()             {}
func (r *recorder) Cleanup(f func())    { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Logf(string, ...any) {}
func (r *recorder) Errorf(format string, args ...any) {
	r.failed = append(r.failed, fmt.Sprintf(format, args...))
}

type stop struct{}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	panic(stop{})
}

func (r *recorder) run(f func()) (texts string) {
	func() {
		defer func() {
			if v := recover(); v != nil && v != (stop{}) {
				panic(v)
			}
		}()
		f()
	}()
	for i := len(r.cleanups) - 1; i >= 0; i-- {
		r.cleanups[i]()
	}
	return strings.Join(r.failed, "\n")
}

// A failure says what did arrive.
func TestFailures(t *testing.T) {
	for name, row := range map[string]struct {
		test func(ts *siotest.Server, srv *core.Server)
		want []string
	}{
		"nothing comes": {func(ts *siotest.Server, srv *core.Server) {
			c := ts.Dial()
			_ = srv.Emit("other", 1, "x")
			siotest.Next[int](c, "missing")
		}, []string{`no event "missing" in / within 10s`, `other 1 "x"`}},
		"another type": {func(ts *siotest.Server, srv *core.Server) {
			c := ts.Dial()
			_ = srv.Emit("n", "text")
			siotest.Next[int](c, "n")
		}, []string{`the event n "text" does not fit int`}},
		"unexpected": {func(ts *siotest.Server, srv *core.Server) {
			c := ts.Dial()
			_ = srv.Emit("n", 1)
			siotest.ExpectNone(c, "n")
		}, []string{"unexpected event in /: n 1"}},
		"no handler": {func(ts *siotest.Server, srv *core.Server) {
			siotest.Call[int](ts.Dial(), "unknown")
		}, []string{`the ack of "unknown": core: no handler`, `"unknown" in / has no handler`}},
		"refused": {func(ts *siotest.Server, srv *core.Server) {
			ts.Dial(siotest.Namespace("/none"))
		}, []string{"Invalid namespace"}},
		"accepted": {func(ts *siotest.Server, srv *core.Server) {
			ts.Refused()
		}, []string{"the client was accepted"}},
		"wrong path": {func(ts *siotest.Server, srv *core.Server) {
			ts.Dial(siotest.Path("/nowhere/"))
		}, []string{"404"}},
		"a leak": {func(ts *siotest.Server, srv *core.Server) {
			forever := make(chan struct{})
			leaks = append(leaks, forever)
			core.On(srv, "leak", func(*core.Context, core.None) error { go leak(forever); return nil })
			siotest.Call[core.None](ts.Dial(), "leak")
		}, []string{"goroutines are left", "siotest_test.leak"}},
		"a handler that does not end": {func(ts *siotest.Server, srv *core.Server) {
			forever := make(chan struct{})
			leaks = append(leaks, forever)
			core.On(srv, "endless", func(*core.Context, core.None) error { leak(forever); return nil })
			siotest.Call[core.None](ts.Dial(), "endless")
		}, []string{"the ack of \"endless\": client: ", "still running:\n\t\"endless\" in /, for 10s", "does a handler ignore its Context", "for 20s", "siotest_test.leak"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &recorder{TB: t}
				got := r.run(func() {
					srv := newServer(t, core.Config{})
					row.test(siotest.Serve(r, srv), srv)
				})
				for _, want := range row.want {
					if !strings.Contains(got, want) {
						t.Errorf("the test said %q, want %q in it", got, want)
					}
				}
				for _, c := range leaks {
					close(c)
				}
				leaks = nil
			})
		})
	}
}

var leaks []chan struct{}

func leak(forever chan struct{}) { <-forever }
