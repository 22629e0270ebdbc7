package core_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/siokit/siokit/core"
)

// chat has a method of each form.
type chat struct{ log chan string }

func (h *chat) OnConnect(c *core.Context) error { h.log <- "connect"; return c.Emit("hello") }
func (h *chat) OnDisconnect(_ *core.Context, reason core.Reason) {
	h.log <- "disconnect " + string(reason)
}
func (h *chat) OnError(c *core.Context, err error) {
	h.log <- "error " + c.Event() + ": " + err.Error()
}
func (h *chat) OnAny(_ *core.Context, event string, _ core.Args) {
	if strings.HasPrefix(event, "no ") {
		h.log <- "any " + event
	}
}
func (h *chat) OnUnhandled(_ *core.Context, event string, _ core.Args) (any, error) {
	return "unhandled " + event, nil
}

func (h *chat) OnPing(c *core.Context)                                  { h.log <- c.Event() }
func (h *chat) OnNoInput(*core.Context) (string, error)                 { return "no input", nil }
func (h *chat) OnSayHTTPVersion(_ *core.Context, in string)             { h.log <- in }
func (h *chat) OnFail(_ *core.Context, in point) error                  { return errors.New("failed") }
func (h *chat) OnSwap(_ context.Context, x int, y *string) (any, error) { return []any{y, x}, nil }
func (h *chat) OnTwo(_ *core.Context, in core.Args2[int, string]) (core.Args2[string, int], error) {
	return core.Args2[string, int]{A: in.B, B: in.A}, nil
}
func (h *chat) OnAll(c *core.Context, in core.Args) (int, error) { return in.Len(), nil }
func (h *chat) OnFunction(*core.Context) (string, error)         { return "method", nil }
func (h *chat) OnBoom(*core.Context)                             { panic("boom") }

func (h *chat) On()                  {}
func (h *chat) Once(*core.Context)   {}
func (h *chat) Other(*core.Context)  {}
func (h *chat) online(*core.Context) {}

func TestListen(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{})
		h := &chat{make(chan string, 20)}
		h.online(nil)
		ns := a.Of("/chat")
		core.OnCall(ns, "function", func(*core.Context, core.None) (string, error) { return "function", nil })
		core.Listen(ns, h)
		core.OnCall(ns, "no_input", func(*core.Context, core.None) (string, error) { return "registered later", nil })
		p := a.dial(transport)
		p.join("/chat", "")
		p.want(`2/chat,["hello"]`)
		bad := func(s string) string { return strings.TrimPrefix(s, "30") }
		for _, row := range []struct{ send, want string }{
			{`"ping"`, `[]`},
			{`"function"`, `["function"]`},
			{`"no_input"`, `["registered later"]`},
			{`"say_http_version","1.1"`, `[]`},
			{`"say_http_version",1`, bad(badForm)},
			{`"fail",{"X":1}`, `[{"error":{"message":"internal error"}}]`},
			{`"swap",1,"a"`, `[["a",1]]`},
			{`"swap",1`, `[[null,1]]`},
			{`"swap"`, bad(badCount(2, 0))},
			{`"swap","a",1`, bad(badForm)},
			{`"two",1,"a"`, `["a",1]`},
			{`"all",1,2,3`, `[3]`},
			{`"no such"`, `["unhandled no such"]`},
			{`"ce"`, `["unhandled ce"]`}, // Once is not an event
		} {
			p.send(`2/chat,0[` + row.send + `]`)
			p.want(`3/chat,0` + row.want)
		}
		p.send(`2/chat,0["boom"]`, `2/chat,1["all"]`)
		p.want(`3/chat,1[0]`)
		p.send("1/chat,")
		for _, want := range []string{"connect", "ping", "1.1", "error say_http_version: core: event", "error fail: failed", "error swap: core: event",
			"error swap: core: event", "any no such", "error boom: core: handler panicked: boom", "disconnect client namespace disconnect"} {
			if got := receive(t, h.log); !strings.HasPrefix(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
		}
		silent(t, h.log)
	})
}

func TestListenAs(t *testing.T) {
	a := serve(t, core.Config{})
	no := func(context.Context) error { return &core.Error{Message: "no"} }
	core.ListenAs(a.Group(no), &chat{make(chan string, 20)}, func(method string) string {
		switch method {
		case "NoInput":
			return "msg:create"
		case "All":
			return "" // not an event
		}
		return method
	})
	p := a.dial("websocket")
	p.join("/", "")
	p.want(`2["hello"]`) // a group's guards are those of events
	for _, event := range []string{"msg:create", "Two", "All", "no_input"} {
		p.send(`20["` + event + `"]`)
		p.want(`30[{"error":{"message":"no"}}]`)
	}
}

func TestSnakeCase(t *testing.T) {
	for method, want := range map[string]string{
		"MyEvent": "my_event", "Say": "say", "HTTPGet": "http_get", "GetHTTP": "get_http", "SayV2": "say_v2", "V2Say": "v2_say",
		"X": "x", "Already_Snake": "already_snake", "ÄrgerÜber": "ärger_über",
	} {
		if got := core.SnakeCase(method); got != want {
			t.Errorf("SnakeCase(%q) = %q, want %q", method, got, want)
		}
	}
}

type (
	withoutContext   struct{}
	withVariadic     struct{}
	withOneResult    struct{}
	withThreeResults struct{}
	withArgsAndMore  struct{}
	withConnect      struct{}
	withDisconnect   struct{}
	withError        struct{}
	withReserved     struct{}
	withSame         struct{}
	withNothing      struct{}
	onPointer        struct{}
)

func (withoutContext) OnE(string) error                            { return nil }
func (withVariadic) OnE(*core.Context, ...string) error            { return nil }
func (withOneResult) OnE(*core.Context) string                     { return "" }
func (withThreeResults) OnE(*core.Context) (string, int, error)    { return "", 0, nil }
func (withArgsAndMore) OnE(_ *core.Context, _ core.Args, _ string) {}
func (withConnect) OnConnect(*core.Context)                        {}
func (withDisconnect) OnDisconnect(*core.Context, string)          {}
func (withError) OnError(*core.Context, string) error              { return nil }
func (withReserved) OnConnectError(*core.Context)                  {}
func (withSame) OnMyEvent(*core.Context)                           {}
func (withSame) OnMyEVENT(*core.Context)                           {}
func (withNothing) Once()                                          {}
func (*onPointer) OnE(*core.Context)                               {}

func TestListenMistakes(t *testing.T) {
	a := serve(t, core.Config{})
	for _, row := range []struct {
		v    any
		want string
	}{
		{withoutContext{}, "method OnE is a func(string) error: its first parameter must be a *core.Context"},
		{withVariadic{}, "take core.Args for any number"},
		{withOneResult{}, "method OnE is a func(*core.Context) string: it must return nothing, an error, or an answer and an error"},
		{withThreeResults{}, "must return nothing, an error"},
		{withArgsAndMore{}, "a core.Args must be the only parameter after the context"},
		{withConnect{}, "method OnConnect must be OnConnect(*core.Context) error"},
		{withDisconnect{}, "method OnDisconnect must be OnDisconnect(*core.Context, core.Reason)"},
		{withError{}, `method OnError must be OnError(*core.Context, error); an event of that name is served by On`},
		{withReserved{}, `method OnConnectError would serve the event "connect_error", which is reserved: rename it`},
		{withSame{}, `serves the event "my_event", and so does`},
		{withNothing{}, "it has no exported method whose name begins with On"},
		{onPointer{}, "its methods are those of the pointer: pass a *core_test.onPointer"},
		{nil, "the value is nil"},
	} {
		text := panicOf(func() { core.Listen(a, row.v) })
		if !strings.HasPrefix(text, `core: Listen on "/" with `) || !strings.Contains(text, row.want) || !strings.Contains(text, "listen_test.go:") {
			t.Errorf("%T: panic %q, want %q", row.v, text, row.want)
		}
	}
	core.Listen(a, &onPointer{})
	if text := panicOf(func() { core.Listen(a, &onPointer{}) }); !strings.Contains(text, `event "e" has a method already: `) || strings.Count(text, "listen_test.go:") != 2 {
		t.Errorf("panic %q", text)
	}
}
