package flask_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/siokit/siokit/core"
)

// app is the application of Flask-SocketIO's suite.
type app struct {
	*core.Server
	t            testing.TB
	http         *httptest.Server
	transport    string
	disconnected chan string // namespace and reason of each disconnect
	errors       chan string // who caught which error
	requests     chan string // c.Event and c.Args of some handlers
}

// each runs a test with an app of its own over each transport.
func each(t *testing.T, test func(t *testing.T, a *app)) {
	for _, transport := range []string{"polling", "websocket"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			test(t, newApp(t, transport, core.Config{}, nil))
		})
	}
}

// newApp serves an app until the end of the test. around may wrap its HTTP handler.
func newApp(t testing.TB, transport string, cfg core.Config, around func(http.Handler) http.Handler) *app {
	cfg.Logger = slog.New(slog.DiscardHandler)
	srv, err := core.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	a := &app{Server: srv, t: t, transport: transport, disconnected: make(chan string, 10), errors: make(chan string, 10), requests: make(chan string, 10)}
	a.routes()
	var h http.Handler = srv
	if around != nil {
		h = around(h)
	}
	a.http = httptest.NewServer(h)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		a.http.Close()
	})
	return a
}

var foobar = map[string]string{"foo": "bar"} // what the default namespace wants as auth

// connect opens a connection and joins a namespace.
func (a *app) connect(ns string) *client {
	a.t.Helper()
	c := a.open("", nil)
	if _, refused := c.connect(ns, foobar); refused != nil {
		a.t.Fatalf("refused: %+v", refused)
	}
	c.get(ns)
	return c
}

// greet sends a client three messages, and one to a room without members.
func greet(c *core.Context) error {
	query, err := json.Marshal(c.Handshake().Query())
	if err != nil {
		return err
	}
	headers, err := json.Marshal(map[string]string{"my-custom-header": c.Handshake().Header.Get("My-Custom-Header")})
	if err != nil {
		return err
	}
	return errors.Join(c.Emit("message", "connected"), c.Emit("message", string(query)), c.Emit("message", string(headers)),
		c.Namespace().To("nobody is here").Emit("dummy", "1"))
}

func (a *app) routes() {
	srv, e := a.Server, a.Everywhere()
	for _, r := range []core.Registrar{e, srv} { // "/" has an OnUnhandled, which comes before everywhere's
		core.On(r, barrier, func(*core.Context, core.None) error { return nil })
	}
	a.OnConnect(func(c *core.Context) error {
		var auth map[string]string
		if err := c.Auth(&auth); err != nil || auth["foo"] != "bar" {
			return &core.ConnectError{Message: "auth"}
		}
		if c.Handshake().Query().Has("fail") {
			return &core.ConnectError{Message: "failed", Data: "query"}
		}
		return greet(c)
	})
	test := a.Of("/test")
	test.OnConnect(greet)
	for _, ns := range []*core.Namespace{srv.Of("/"), test} {
		ns.OnDisconnect(func(c *core.Context, reason core.Reason) { a.disconnected <- ns.Name() + " " + string(reason) })
		core.OnCall(ns, "message", func(c *core.Context, text string) (any, error) {
			return orNothing(text, text), c.Emit("message", text)
		})
		core.OnCall(ns, "json", func(c *core.Context, data map[string]any) (any, error) {
			return data, ns.Emit("json", data)
		})
		custom := func(c *core.Context, data any) (any, error) {
			a.requests <- c.Event() + " " + string(c.Args().Raw(0))
			return data, c.Emit("my custom response", data)
		}
		core.OnCall(ns, "my custom event", custom)
		core.OnCall(ns, "other custom event", custom)
		core.On(ns, "my custom broadcast event", func(c *core.Context, data any) error {
			return c.Namespace().Emit("my custom response", data)
		})
		core.On(ns, "join room", func(c *core.Context, in room) error { return c.Join(in.Room) })
		core.On(ns, "leave room", func(c *core.Context, in room) error { c.Leave(in.Room); return nil })
		core.On(ns, "my room event", func(c *core.Context, in room) error { return ns.To(in.Room).Emit("my room response", in) })
		core.On(ns, "exit", func(c *core.Context, _ core.None) error { c.Disconnect(); return nil })
		core.On(ns, "error testing", func(*core.Context, any) error { return errTest })
		core.On(ns, "panic testing", func(*core.Context, any) error { panic(errTest) })
	}
	core.On(srv, "binary", func(c *core.Context, data map[string][]byte) error { return c.Emit("binary back", data) })
	a.OnUnhandled(func(c *core.Context, name string, args core.Args) (any, error) {
		var first any
		if err := args.Decode(0, &first); err != nil {
			return nil, err
		}
		return nil, c.Emit("caught", name, first)
	})
	core.On(e, "everywhere event", func(c *core.Context, data any) error { return c.Emit("everywhere response", data) })
	a.Of("/unused_namespace")
	core.On(a.Of("/unused_namespace"), "error testing", func(*core.Context, any) error { return errTest })
	a.Of("/bgtest").OnConnect(func(c *core.Context) error {
		go func() { _ = c.Namespace().Emit("bgtest") }()
		return nil
	})
	a.handleErrors("default", e.OnError, e.MapError)
	a.handleErrors("/", a.OnError, a.MapError)
	a.handleErrors("/test", test.OnError, test.MapError)
	core.Listen(a.Of("/ns"), &classNS{a})
}

var errTest = errors.New("test error")

// handleErrors is one of the three error handlers; its return value becomes the ack.
func (a *app) handleErrors(who string, on func(func(*core.Context, error)), mapped func(func(*core.Context, error) error)) {
	on(func(c *core.Context, err error) {
		if errors.Is(err, errTest) {
			a.errors <- who + " " + c.Event() + " " + string(c.Args().Raw(0))
		}
	})
	mapped(func(c *core.Context, err error) error {
		if errors.Is(err, errTest) {
			return core.AnswerWith("error of " + who)
		}
		return nil
	})
}

// orNothing is the suite's way of a handler that sometimes returns nothing.
func orNothing(text string, answer any) any {
	if strings.Contains(text, "noackargs") {
		return core.None{}
	}
	return answer
}

type room struct {
	Room string `json:"room"`
}

// classNS is the suite's class-based namespace.
type classNS struct{ a *app }

func (n *classNS) OnConnect(c *core.Context) error { return greet(c) }
func (n *classNS) OnDisconnect(*core.Context)      { n.a.disconnected <- "/ns" }
func (n *classNS) OnMessage(c *core.Context, text string) (any, error) {
	return orNothing(text, text), c.Emit("message", text)
}
func (n *classNS) OnJSON(c *core.Context, data map[string]any) error {
	return c.Namespace().Emit("json", data)
}
func (n *classNS) OnExit(c *core.Context) { c.Disconnect() }
func (n *classNS) OnMyCustomEvent(c *core.Context, data any) error {
	n.a.requests <- c.Event() + " " + string(c.Args().Raw(0))
	return c.Emit("my custom response", data)
}
func (n *classNS) OnOtherCustomEvent(c *core.Context, data any) error {
	return n.OnMyCustomEvent(c, data)
}

// receive waits for a value.
func receive[T any](t testing.TB, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatal("waited in vain for an event")
		panic("unreachable")
	}
}

// wantNext compares the next value of a channel.
func wantNext(t testing.TB, ch <-chan string, want string) {
	t.Helper()
	if got := receive(t, ch); got != want {
		t.Errorf("%q came, want %q", got, want)
	}
}
