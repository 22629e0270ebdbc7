package core_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/siokit/siokit/core"
)

type point struct{ X, Y int }

type upload struct {
	Name string `json:"name"`
	Body []byte `json:"body"`
}

const badForm = `30[{"error":{"code":"bad_arguments","message":"an argument does not have the form that this event takes"}}]`

func badCount(want, got int) string {
	s := "s"
	if want == 1 {
		s = ""
	}
	return fmt.Sprintf(`30[{"error":{"code":"bad_arguments","message":"this event takes %d argument%s, got %d"}}]`, want, s, got)
}

// show answers with what a handler was given.
func show[In any](a *app, event string) {
	core.OnCall(a, event, func(_ *core.Context, in In) (string, error) { return fmt.Sprintf("%+v", in), nil })
}

func TestArguments(t *testing.T) {
	a := serve(t, core.Config{})
	show[point](a, "struct")
	show[string](a, "string")
	show[float64](a, "number")
	show[int](a, "int")
	show[core.None](a, "none")
	show[core.Args2[int, string]](a, "two")
	show[core.Args3[int, string, bool]](a, "three")
	show[core.Args4[int, string, bool, []int]](a, "four")
	core.OnCall(a, "optional", func(_ *core.Context, in *point) (bool, error) { return in != nil, nil })
	core.OnCall(a, "last optional", func(_ *core.Context, in core.Args2[int, *int]) (bool, error) { return in.B != nil, nil })
	core.OnCall(a, "raw", func(_ *core.Context, in json.RawMessage) (json.RawMessage, error) { return in, nil })
	core.OnCall(a, "any", func(_ *core.Context, in any) (any, error) { return in, nil })
	core.OnCall(a, "args", func(c *core.Context, in core.Args) (int, error) {
		if c.Args().Len() != in.Len() {
			t.Error("Context.Args differs")
		}
		var p point
		if err := in.Decode(7, &p); err == nil {
			t.Error("argument 7 was decoded")
		}
		return in.Len(), nil
	})
	core.OnCall(a, "plain", core.Plain(func(ctx context.Context, in int) (int, error) {
		if _, ok := core.From(ctx); !ok {
			return 0, errors.New("no Context")
		}
		return in * 2, nil
	}))
	p := a.dial("websocket")
	p.join("/", "")
	for _, row := range []struct{ send, want string }{
		{`"struct",{"x":1,"Y":2}`, `30["{X:1 Y:2}"]`},
		{`"struct"`, badCount(1, 0)},
		{`"struct",{},{}`, badCount(1, 2)},
		{`"struct",[1]`, badForm},
		{`"string","a"`, `30["a"]`},
		{`"string",1`, badForm},
		{`"number",1.5`, `30["1.5"]`},
		{`"int",1.5`, badForm},
		{`"int",99999999999999999999`, badForm},
		{`"none"`, `30["{}"]`},
		{`"none",1,2`, `30["{}"]`},
		{`"two",1,"b"`, `30["{A:1 B:b}"]`},
		{`"two",1`, badCount(2, 1)},
		{`"two","b",1`, badForm},
		{`"three",1,"b",true`, `30["{A:1 B:b C:true}"]`},
		{`"four",1,"b",true,[5]`, `30["{A:1 B:b C:true D:[5]}"]`},
		{`"four",1,"b",true,[5],6`, badCount(4, 5)},
		{`"optional"`, `30[false]`},
		{`"optional",null`, `30[false]`},
		{`"optional",{}`, `30[true]`},
		{`"last optional",1`, `30[false]`},
		{`"last optional",1,2`, `30[true]`},
		{`"last optional"`, badCount(2, 0)},
		{`"raw",{"b" : 1,"a":9007199254740993}`, `30[{"b":1,"a":9007199254740993}]`},
		{`"any",9007199254740993`, `30[9007199254740993]`},
		{`"any",{"n":[18446744073709551615,1]}`, `30[{"n":[18446744073709551615,1]}]`},
		{`"args"`, `30[0]`},
		{`"args",1,2,3`, `30[3]`},
		{`"plain",21`, `30[42]`},
		{`"plain","x"`, badForm},
	} {
		p.send(`20[` + row.send + `]`)
		m, _ := p.next()
		if got := strings.ReplaceAll(m.text, `"b" : 1`, `"b":1`); got != row.want {
			t.Errorf("%s was answered with %s, want %s", row.send, got, row.want)
		}
	}
	p.wantAlive()
}

func TestBinaryBothWays(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{})
		core.OnCall(a, "upload", func(_ *core.Context, in upload) (upload, error) { return in, nil })
		core.OnCall(a, "bytes", func(_ *core.Context, in []byte) ([]byte, error) { return append([]byte("re:"), in...), nil })
		core.On(a, "several", func(c *core.Context, in core.Args2[[]byte, map[string][]byte]) error {
			return c.Emit("several", in.B["k"], "text", in.A)
		})
		p := a.dial(transport)
		p.join("/", "")
		p.send(`51-0["upload",{"name":"n","body":{"_placeholder":true,"num":0}}]`, []byte("body"))
		p.want(`61-0[{"name":"n","body":{"_placeholder":true,"num":0}}]`)
		p.wantBinary("body")
		p.send(`51-1["bytes",{"_placeholder":true,"num":0}]`, []byte{})
		p.want(`61-1[{"_placeholder":true,"num":0}]`)
		p.wantBinary("re:")
		p.send(`52-["several",{"_placeholder":true,"num":1},{"k":{"_placeholder":true,"num":0}}]`, []byte("k"), []byte("first"))
		p.want(`52-["several",{"_placeholder":true,"num":0},"text",{"_placeholder":true,"num":1}]`)
		p.wantBinary("k")
		p.wantBinary("first")
		p.wantAlive()
	})
}

// The slices of an Emit stay the caller's.
func TestEmittedBytesAreCopied(t *testing.T) {
	a := serve(t, core.Config{})
	core.On(a, "go", func(c *core.Context, _ core.None) error {
		b := []byte("before")
		err := c.Emit("b", b)
		copy(b, "after!")
		return err
	})
	p := a.dial("polling")
	p.join("/", "")
	p.send(`2["go"]`)
	p.want(`51-["b",{"_placeholder":true,"num":0}]`)
	p.wantBinary("before")
}

type appError struct{}

func (appError) Error() string              { return "secret" }
func (appError) ClientError() (string, any) { return "shown", []int{1} }

func TestErrorsOfHandlers(t *testing.T) {
	a := serve(t, core.Config{})
	hook := make(chan error, 10)
	a.OnError(func(c *core.Context, err error) {
		if c.Event() == "" || c.ID() == "" {
			t.Error("the hook got an empty Context")
		}
		hook <- err
	})
	fail := func(event string, err error) {
		core.On(a, event, func(*core.Context, core.None) error { return err })
	}
	secret := errors.New("secret")
	fail("plain", secret)
	fail("error", &core.Error{Code: "c", Message: "m", Data: map[string]int{"k": 1}})
	fail("wrapped", fmt.Errorf("secret: %w", &core.Error{Message: "m"}))
	fail("connect error", &core.ConnectError{Message: "m", Data: 5})
	fail("foreign", appError{})
	core.OnCall(a, "unencodable", func(*core.Context, core.None) (any, error) { return make(chan int), nil })
	core.On(a, "typed", func(*core.Context, point) error { return nil })
	p := a.dial("websocket")
	p.join("/", "")
	for _, row := range []struct{ event, want string }{
		{"plain", `30[{"error":{"message":"internal error"}}]`},
		{"error", `30[{"error":{"code":"c","message":"m","data":{"k":1}}}]`},
		{"wrapped", `30[{"error":{"message":"m"}}]`},
		{"connect error", `30[{"error":{"message":"m","data":5}}]`},
		{"foreign", `30[{"error":{"message":"shown","data":[1]}}]`},
		{"unencodable", `30[{"error":{"message":"internal error"}}]`},
		{"typed", badCount(1, 0)},
	} {
		p.send(fmt.Sprintf(`20[%q]`, row.event))
		p.want(row.want)
		err := receive(t, hook)
		if row.event == "plain" && err != secret {
			t.Errorf("the hook got %v", err)
		}
		var bad *core.ArgumentError
		if row.event == "typed" && (!errors.As(err, &bad) || bad.Event != "typed" || bad.Got != 0 || bad.Want != 1) {
			t.Errorf("the hook got %v", err)
		}
		p.send(fmt.Sprintf(`2[%q]`, row.event)) // without an ack nothing comes back
		p.wantAlive()
		if row.event != "unencodable" {
			receive(t, hook)
		}
	}
	silent(t, hook)
	if err := a.Emit("x", make(chan int)); err == nil || !strings.Contains(err.Error(), "argument 1") {
		t.Errorf("Emit of a channel: %v", err)
	}
}

func TestGuardsAndGroups(t *testing.T) {
	a := serve(t, core.Config{})
	order := make(chan string, 10)
	guard := func(name string, err error) core.Guard {
		return func(ctx context.Context) error {
			if c, ok := core.From(ctx); !ok || c.Event() != "e" {
				t.Error("the guard got another context")
			}
			order <- name
			return err
		}
	}
	denied := &core.Error{Code: "denied", Message: "no"}
	core.On(a.Group(guard("1", nil)).Group(guard("2", nil)), "e", func(*core.Context, core.None) error { order <- "handler"; return nil })
	core.On(a.Of("g").Group(guard("1", denied), guard("2", nil)), "e", func(*core.Context, core.None) error { order <- "handler"; return nil })
	p := a.dial("websocket")
	p.join("/", "")
	p.join("/g", "")
	p.send(`20["e"]`)
	p.want(`30[]`)
	p.send(`2/g,0["e",7]`)
	p.want(`3/g,0[{"error":{"code":"denied","message":"no"}}]`)
	for _, want := range []string{"1", "2", "handler", "1"} {
		if got := receive(t, order); got != want {
			t.Errorf("%q ran, want %q", got, want)
		}
	}
	silent(t, order)
}

func TestRegistrationMistakes(t *testing.T) {
	a := serve(t, core.Config{})
	nothing := func(*core.Context, core.None) error { return nil }
	core.On(a, "twice", nothing)
	for _, row := range []struct {
		register func()
		want     string
		sites    int
	}{
		{func() { core.On(a, "twice", nothing) }, `core: event "twice" on "/" registered twice: at `, 2},
		{func() { core.On(a.Group(), "twice", nothing) }, "registered twice", 2},
		{func() {
			core.OnCall(a, "twice", func(*core.Context, core.None) (int, error) { return 0, nil })
		}, "registered twice", 2},
		{func() { core.On(a, "disconnect", nothing) }, "is reserved; use OnConnect or OnDisconnect", 1},
		{func() { core.On[core.None](a, "nil", nil) }, "the handler is nil", 1},
		{func() { core.OnCall[core.None, int](a, "nil", nil) }, "the handler is nil", 1},
	} {
		func() {
			defer func() {
				text, _ := recover().(string)
				if !strings.Contains(text, row.want) || strings.Count(text, "handlers_test.go:") != row.sites {
					t.Errorf("panic %q, want %q with %d places in this file", text, row.want, row.sites)
				}
			}()
			row.register()
		}()
	}
	core.On(a.Of("/other"), "twice", nothing) // another namespace has events of its own
}

func TestRegistrationWhileServing(t *testing.T) {
	a := serve(t, core.Config{})
	p := a.dial("websocket")
	p.join("/", "")
	p.send(`20["late"]`) // unknown: no handler, no ack
	p.wantAlive()
	core.On(a, "late", func(*core.Context, core.None) error { return nil })
	p.send(`20["late"]`)
	p.want(`30[]`)
}

func TestAuthPayload(t *testing.T) { // and A-30's last clause
	a := serve(t, core.Config{})
	type login struct {
		Token string `json:"token"`
		Admin bool   `json:"admin"`
	}
	check := func(c *core.Context) error {
		in := login{Token: "default"}
		if err := c.Auth(&in); err != nil {
			return &core.ConnectError{Message: "bad auth"}
		}
		return c.Emit("auth", in)
	}
	a.OnConnect(check)
	a.Of("/b").OnConnect(check)
	p := a.dial("websocket")
	p.join("/", `{"token":"t","admin":false,"ADMIN":true,"__proto__":{"admin":true}}`)
	p.want(`2["auth",{"token":"t","admin":false}]`)
	p.join("/b", "")
	p.want(`2/b,["auth",{"token":"default","admin":false}]`)
	p.send("1", `0{"token":5}`)
	p.want(`4{"message":"bad auth"}`)
}
