package client_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/core"
)

// listener has a method of each form.
type listener struct{ seen *record }

func (l *listener) OnConnect(ctx context.Context) {
	s, _ := client.From(ctx)
	l.seen.add("connect " + s.Namespace())
}
func (l *listener) OnConnectError(_ context.Context, err error) { l.seen.add(err.Error()) }
func (l *listener) OnDisconnect(_ context.Context, reason client.Reason) {
	l.seen.add("disconnect " + string(reason))
}
func (l *listener) OnAny(_ context.Context, event string, _ client.Args) {
	if strings.HasPrefix(event, "no ") {
		l.seen.add("any " + event)
	}
}
func (l *listener) OnUnhandled(_ context.Context, event string, _ client.Args) (any, error) {
	return "unhandled " + event, nil
}

func (l *listener) OnPing(context.Context)                                  { l.seen.add("ping") }
func (l *listener) OnNoInput(context.Context) (string, error)               { return "no input", nil }
func (l *listener) OnSayHTTPVersion(_ context.Context, in string)           { l.seen.add(in) }
func (l *listener) OnFail(context.Context, int) error                       { return &client.Error{Message: "no"} }
func (l *listener) OnSwap(_ context.Context, x int, y *string) (any, error) { return []any{y, x}, nil }
func (l *listener) OnTwo(_ context.Context, in client.Args2[int, []byte]) (client.Args2[[]byte, int], error) {
	return client.Args2[[]byte, int]{A: in.B, B: in.A}, nil
}
func (l *listener) OnAll(_ context.Context, in client.Args) (int, error) { return in.Len(), nil }
func (l *listener) OnFunction(context.Context) (string, error)           { return "method", nil }
func (l *listener) OnBoom(context.Context)                               { panic("boom") }
func (l *listener) OnError(_ context.Context, text string)               { l.seen.add("error " + text) } // an event

func (l *listener) On()                  {}
func (l *listener) Once(context.Context) {}

// asking serves "ask": it sends an event to the client and answers with the JSON of its ack.
func asking(ns *core.Namespace) {
	core.OnCall(ns, "ask", func(c *core.Context, in core.Args) (string, error) {
		var event string
		if err := in.Decode(0, &event); err != nil {
			return "", err
		}
		var args []any
		for i := range in.Len() - 1 {
			var v any
			if err := in.Decode(i+1, &v); err != nil {
				return "", err
			}
			args = append(args, v)
		}
		answer, err := core.Call[core.Args](c, event, args...)
		if err != nil {
			return "", &core.Error{Message: err.Error()}
		}
		var all []string
		for i := range answer.Len() {
			all = append(all, string(answer.Raw(i)))
		}
		return strings.Join(all, ","), nil
	})
}

func TestListen(t *testing.T) {
	url := serve(t, core.Config{}, func(srv *core.Server) {
		asking(srv.Of("/chat"))
		srv.Of("/closed").OnConnect(func(*core.Context) error { return &core.ConnectError{Message: "closed"} })
	})
	everyTransport(t, func(t *testing.T, opts client.Options) {
		failed := make(chan error, 10)
		opts.OnError = func(_ context.Context, err error) { failed <- err }
		c := newClient(t, url, opts)
		l := &listener{&record{}}
		chat := c.Of("/chat")
		client.OnCall(chat, "function", func(context.Context, client.None) (string, error) { return "function", nil })
		client.Listen(chat, l)
		client.OnCall(chat, "no_input", func(context.Context, client.None) (string, error) { return "registered later", nil })
		connect(t, c)
		const bad = `{"error":{"message":"internal error"}}`
		for _, row := range []struct {
			event string
			args  []any
			want  string
		}{
			{"ping", nil, ``},
			{"function", nil, `"function"`},
			{"no_input", nil, `"registered later"`},
			{"say_http_version", []any{"1.1"}, ``},
			{"say_http_version", []any{1}, bad},
			{"fail", []any{1}, `{"error":{"message":"no"}}`},
			{"swap", []any{1, "a"}, `["a",1]`},
			{"swap", []any{1}, `[null,1]`},
			{"swap", nil, bad},
			{"swap", []any{"a", 1}, bad},
			{"two", []any{1, []byte("b")}, `{"_placeholder":true,"num":0},1`},
			{"all", []any{1, 2, 3}, `3`},
			{"error", []any{"an event"}, ``},
			{"no such", nil, `"unhandled no such"`},
			{"ce", nil, `"unhandled ce"`}, // Once is no event
		} {
			got, err := client.Call[string](within(t), chat, "ask", append([]any{row.event}, row.args...)...)
			if err != nil || got != row.want {
				t.Errorf("%s %v: %s %v, want %s", row.event, row.args, got, err, row.want)
			}
		}
		for range 3 { // bad arguments
			var misfit *client.ArgumentError
			if err := next(t, failed); !errors.As(err, &misfit) || strings.Contains(err.Error(), "arguments.") {
				t.Errorf("reported: %v", err)
			}
		}
		refused := &record{} // of a namespace of its own, in parallel
		client.Listen(c.Of("/closed"), &listener{refused})
		if err := c.Of("/closed").Connect(within(t)); err == nil {
			t.Error("/closed is open")
		}
		client.Off(chat, "function")
		if got, err := client.Call[string](within(t), chat, "ask", "function"); got != `"method"` || err != nil {
			t.Errorf("after Off: %s %v", got, err)
		}
		if err := chat.Emit("ask", "boom"); err != nil { // its ack stays unanswered
			t.Fatal(err)
		}
		var panicked *client.PanicError
		if err := next(t, failed); !errors.As(err, &panicked) {
			t.Errorf("reported: %v", err)
		}
		_ = c.Close()
		want := []string{"connect /chat", "ping", "1.1", "error an event", "any no such", "disconnect io client disconnect"}
		if got := l.seen.all(); !slices.Equal(got, want) {
			t.Errorf("seen %q\nwant %q", got, want)
		}
		if got, want := refused.all(), []string{`client: the server refuses namespace "/closed": closed`}; !slices.Equal(got, want) {
			t.Errorf("refused %q, want %q", got, want)
		}
	})
}

func TestListenAs(t *testing.T) {
	url := serve(t, core.Config{}, func(srv *core.Server) { asking(srv.Of("/")) })
	c := newClient(t, url, client.Options{})
	client.ListenAs(c, &listener{&record{}}, func(method string) string {
		switch method {
		case "NoInput":
			return "msg:create"
		case "All":
			return "" // not an event
		}
		return method
	})
	connect(t, c)
	for event, want := range map[string]string{"msg:create": `"no input"`, "Swap": `["x",7]`, "All": `"unhandled All"`, "no_input": `"unhandled no_input"`} {
		if got, err := client.Call[string](within(t), c, "ask", event, 7, "x"); got != want || err != nil {
			t.Errorf("%s: %s %v, want %s", event, got, err, want)
		}
	}
}

// With connection state recovery servers append an offset to events: methods do not see it.
func TestListenWithoutOffsets(t *testing.T) {
	url := serve(t, core.Config{Recovery: &core.Recovery{}}, func(srv *core.Server) {
		core.On(srv, "go", func(c *core.Context, _ core.None) error {
			return errors.Join(c.Emit("one", 1), c.Emit("two", 1, "2"), c.Emit("done"))
		})
	})
	c := newClient(t, url, client.Options{})
	m := &offsetless{done: make(chan struct{})}
	client.Listen(c, m)
	connect(t, c)
	if err := c.Emit("go"); err != nil {
		t.Fatal(err)
	}
	next(t, m.done)
	if want := []string{"one", "two 2"}; !slices.Equal(m.seen.all(), want) {
		t.Errorf("seen %q", m.seen.all())
	}
}

type offsetless struct {
	seen record
	done chan struct{}
}

func (o *offsetless) OnOne(context.Context, int)                { o.seen.add("one") }
func (o *offsetless) OnTwo(_ context.Context, _ int, in string) { o.seen.add("two " + in) }
func (o *offsetless) OnDone(context.Context)                    { close(o.done) }

type (
	withoutContext   struct{}
	withCoreContext  struct{}
	withVariadic     struct{}
	withOneResult    struct{}
	withThreeResults struct{}
	withArgsAndMore  struct{}
	withConnect      struct{}
	withConnectError struct{}
	withDisconnect   struct{}
	withReserved     struct{}
	withSame         struct{}
	withNothing      struct{}
	onPointer        struct{}
)

func (withoutContext) OnE(string) error                              { return nil }
func (withCoreContext) OnE(*core.Context)                            {}
func (withVariadic) OnE(context.Context, ...string) error            { return nil }
func (withOneResult) OnE(context.Context) string                     { return "" }
func (withThreeResults) OnE(context.Context) (string, int, error)    { return "", 0, nil }
func (withArgsAndMore) OnE(_ context.Context, _ client.Args, _ bool) {}
func (withConnect) OnConnect(context.Context) error                  { return nil }
func (withConnectError) OnConnectError(context.Context)              {}
func (withDisconnect) OnDisconnect(context.Context, string)          {}
func (withReserved) OnNewListener(context.Context)                   {}
func (withSame) OnMyEvent(context.Context)                           {}
func (withSame) OnMyEVENT(context.Context)                           {}
func (withNothing) Once()                                            {}
func (*onPointer) OnE(context.Context)                               {}

func TestListenMistakes(t *testing.T) {
	c := newClient(t, "http://127.0.0.1:1", client.Options{})
	for _, row := range []struct {
		v    any
		want string
	}{
		{withoutContext{}, "method OnE is a func(string) error: its first parameter must be a context.Context"},
		{withCoreContext{}, "its first parameter must be a context.Context"},
		{withVariadic{}, "take client.Args for any number"},
		{withOneResult{}, "method OnE is a func(context.Context) string: it must return nothing, an error, or an answer and an error"},
		{withThreeResults{}, "must return nothing, an error"},
		{withArgsAndMore{}, "a client.Args must be the only parameter after the context"},
		{withConnect{}, "method OnConnect must be OnConnect(context.Context);"},
		{withConnectError{}, "method OnConnectError must be OnConnectError(context.Context, error)"},
		{withDisconnect{}, "method OnDisconnect must be OnDisconnect(context.Context, client.Reason)"},
		{withSame{}, `serves the event "my_event", and so does`},
		{withNothing{}, "it has no exported method whose name begins with On"},
		{onPointer{}, "its methods are those of the pointer: pass a *client_test.onPointer"},
		{nil, "the value is nil"},
	} {
		text := panicOf(func() { client.Listen(c, row.v) })
		if !strings.HasPrefix(text, `client: Listen on "/" with `) || !strings.Contains(text, row.want) || !strings.Contains(text, "listen_test.go:") {
			t.Errorf("%T: panic %q, want %q", row.v, text, row.want)
		}
	}
	reserved := func(string) string { return "connect" }
	if text := panicOf(func() { client.ListenAs(c, withReserved{}, reserved) }); !strings.Contains(text, `method OnNewListener would serve the event "connect", which is reserved: rename it`) {
		t.Errorf("panic %q", text)
	}
	client.Listen(c, &onPointer{})
	if text := panicOf(func() { client.Listen(c, &onPointer{}) }); !strings.Contains(text, `event "e" has a method already: `) || strings.Count(text, "listen_test.go:") != 2 {
		t.Errorf("panic %q", text)
	}
}

// panicOf returns the text that f panics with.
func panicOf(f func()) (text string) {
	defer func() { text, _ = recover().(string) }()
	f()
	return ""
}
