package flask_test

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/siotest"
)

// app is the application of Flask-SocketIO's suite.
type app struct {
	*core.Server
	t            testing.TB
	web          *siotest.Server
	transport    string
	disconnected chan string // namespace and reason of each disconnect
	errors       chan string // who caught which error
	requests     chan string // c.Event and c.Args of some handlers
}

// each runs a test with an app of its own over each transport.
func each(t *testing.T, test func(t *testing.T, a *app)) {
	eachTransport(t, func(t *testing.T, transport string) { test(t, newApp(t, transport, core.Config{}, nil)) })
}

// eachTransport runs a test over each transport, in a bubble: what was said has arrived when Received returns.
func eachTransport(t *testing.T, test func(t *testing.T, transport string)) {
	for _, transport := range []string{"polling", "websocket"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { test(t, transport) })
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
	a.web = siotest.Serve(t, h, srv)
	return a
}

var foobar = map[string]string{"foo": "bar"} // what the default namespace wants as auth

// dial connects a client.
func (a *app) dial(opts ...siotest.Option) *siotest.Client {
	a.t.Helper()
	return a.web.Dial(a.with(opts)...)
}

// refused connects a client that is to be refused.
func (a *app) refused(opts ...siotest.Option) *client.ConnectError {
	a.t.Helper()
	return a.web.Refused(a.with(opts)...)
}

func (a *app) with(opts []siotest.Option) []siotest.Option {
	return append([]siotest.Option{siotest.Transports(a.transport), siotest.Auth(foobar)}, opts...)
}

// connect connects a client and forgets how it was greeted.
func (a *app) connect(ns string) *siotest.Client {
	a.t.Helper()
	c := a.dial(siotest.Namespace(ns))
	c.Received()
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

// packets sends packets on polling, one after another, and returns those that the server has sent then: for what a
// client does not show.
func (a *app) packets(send ...string) []string {
	a.t.Helper()
	web, address := a.web.HTTP(nil), siotest.URL+"/socket.io/?EIO=4&transport=polling"
	request := func(method, body string) string {
		a.t.Helper()
		r, err := http.NewRequest(method, address, strings.NewReader(body))
		if err != nil {
			a.t.Fatal(err)
		}
		resp, err := web.Do(r)
		if err != nil {
			a.t.Fatal(err)
		}
		defer resp.Body.Close()
		answer, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			a.t.Fatalf("%s %q: %s %s %v", method, body, resp.Status, answer, err)
		}
		return string(answer)
	}
	var open struct {
		SID string `json:"sid"`
	}
	if err := json.Unmarshal([]byte(request(http.MethodGet, "")[1:]), &open); err != nil {
		a.t.Fatal(err)
	}
	address += "&sid=" + open.SID
	for _, packet := range send {
		request(http.MethodPost, packet)
		synctest.Wait()
	}
	return strings.Split(request(http.MethodGet, ""), "\x1e")
}

// want compares what has come since it was last looked at with what should have come, and proves that the client
// is connected.
func want(t testing.TB, c siotest.Receiver, want ...string) {
	t.Helper()
	var got []string
	for _, e := range c.Received() {
		got = append(got, e.String())
	}
	if !slices.Equal(got, want) || !c.Connected() {
		t.Errorf("there came %q, want %q; connected: %v", got, want, c.Connected())
	}
}

// wantAck calls and compares the arguments of the ack, written as JSON.
func wantAck(t testing.TB, want string, c siotest.Receiver, event string, args ...any) {
	t.Helper()
	answer := siotest.Call[client.Args](c, event, args...)
	var got []string
	for i := range answer.Len() {
		got = append(got, string(answer.Raw(i)))
	}
	if strings.Join(got, ",") != want {
		t.Errorf("%s was answered with %s, want %s", event, got, want)
	}
}

// patience is how long a test waits for an event before it fails.
const patience = 30 * time.Second

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
