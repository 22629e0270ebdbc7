package core_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/go-playground/validator/v10"
	"github.com/siokit/siokit/core"
)

type createMsg struct {
	Room string `json:"room" validate:"required"`
	Text string `json:"text" validate:"required,max=5"`
}

type span struct{ From, To int }

func (s span) Validate() error {
	switch {
	case s.From < 0:
		return errors.New("secret")
	case s.From > s.To:
		return fmt.Errorf("span: %w", &core.Error{Message: "from lies behind to", Data: s})
	case s.To > 100:
		return &core.Error{Code: "too_long", Message: "too long"}
	}
	return nil
}

type color string

func (c *color) Validate() error {
	if *c == "" {
		return &core.ConnectError{Message: "a color is missing", Data: 1}
	}
	return nil
}

type tree []tree // contains itself

func TestValidation(t *testing.T) {
	v := validator.New(validator.WithRequiredStructEnabled())
	a := serve(t, core.Config{Validate: v.Struct})
	hook := make(chan error, 100)
	a.OnError(func(_ *core.Context, err error) { hook <- err })
	show[createMsg](a, "struct")
	show[*createMsg](a, "pointer")
	show[[]createMsg](a, "slice")
	show[[]*createMsg](a, "pointers")
	show[core.Args2[string, createMsg]](a, "two")
	show[span](a, "span")
	show[*span](a, "optional span")
	show[color](a, "color")
	show[int](a, "int")
	show[core.None](a, "none")
	show[core.Args](a, "args")
	show[any](a, "any")
	show[tree](a, "tree")
	show[time.Time](a, "time")
	show[map[string]createMsg](a, "map")
	core.Listen(a, validating{})
	p := a.dial("websocket")
	p.join("/", "")
	bad := func(rest string) string {
		return `30[{"error":{"code":"bad_arguments","message":"an argument is not valid"` + rest + `}}]`
	}
	field := func(field, rule string) string {
		return bad(`,"data":{"fields":[{"field":"` + field + `","rule":` + rule + `}]}`)
	}
	for _, row := range []struct {
		send, want string
		failed     bool
	}{
		{`"struct",{"room":"a","text":"b"}`, `30["{Room:a Text:b}"]`, false},
		{`"struct",{"room":"a"}`, field("Text", `"required"`), true},
		{`"struct",{"room":"a","text":"123456"}`, field("Text", `"max","param":"5"`), true},
		{`"struct",{}`, bad(`,"data":{"fields":[{"field":"Room","rule":"required"},{"field":"Text","rule":"required"}]}`), true},
		{`"pointer"`, `30["<nil>"]`, false},
		{`"pointer",{"room":"a"}`, field("Text", `"required"`), true},
		{`"slice",[]`, `30["[]"]`, false},
		{`"slice",[{"room":"a","text":"b"},{"text":"b"}]`, field("Room", `"required"`), true},
		{`"pointers",[null,{"text":"b"}]`, field("Room", `"required"`), true},
		{`"two","x",{"text":"b"}`, field("Room", `"required"`), true},
		{`"span",{"From":1,"To":2}`, `30["{From:1 To:2}"]`, false},
		{`"span",{"From":-1}`, bad(""), true},
		{`"span",{"From":2,"To":1}`, `30[{"error":{"code":"bad_arguments","message":"from lies behind to","data":{"From":2,"To":1}}}]`, true},
		{`"span",{"From":2,"To":101}`, `30[{"error":{"code":"too_long","message":"too long"}}]`, true},
		{`"optional span"`, `30["<nil>"]`, false},
		{`"optional span",{"From":-1}`, bad(""), true},
		{`"color","red"`, `30["red"]`, false},
		{`"color",""`, `30[{"error":{"code":"bad_arguments","message":"a color is missing","data":1}}]`, true},
		{`"method",{}`, bad(`,"data":{"fields":[{"field":"Room","rule":"required"},{"field":"Text","rule":"required"}]}`), true},
		{`"methods",1,{"From":-1}`, bad(""), true},
		{`"int",0`, `30["0"]`, false},
		{`"none"`, `30["{}"]`, false},
		{`"any",{}`, `30["map[]"]`, false},
		{`"tree",[[[[[[]]]]]]`, `30["[[[[[[]]]]]]"]`, false},
		{`"time","2020-01-02T03:04:05Z"`, `30["2020-01-02 03:04:05 +0000 UTC"]`, false},
		{`"map",{"a":{}}`, `30["map[a:{Room: Text:}]"]`, false},
	} {
		p.send(`20[` + row.send + `]`)
		m, _ := p.next()
		if m.text != row.want {
			t.Errorf("%s was answered with %s, want %s", row.send, m.text, row.want)
		}
		if row.failed {
			var bad *core.ArgumentError
			if err := receive(t, hook); !errors.As(err, &bad) || !bad.Invalid || bad.Err == nil {
				t.Errorf("%s: the hook got %v", row.send, err)
			}
		}
	}
	silent(t, hook)
	p.wantAlive()
}

type validating struct{}

func (validating) OnMethod(*core.Context, createMsg)        {}
func (validating) OnMethods(*core.Context, int, span) error { return nil }

// A type checks itself also without Config.Validate, and a panic in it is a panic of the event.
func TestSelfValidation(t *testing.T) {
	a := serve(t, core.Config{})
	show[span](a, "span")
	show[createMsg](a, "struct")
	show[fragile](a, "fragile")
	p := a.dial("polling")
	p.join("/", "")
	p.send(`20["span",{"From":-1}]`)
	p.want(`30[{"error":{"code":"bad_arguments","message":"an argument is not valid"}}]`)
	p.send(`20["struct",{}]`)
	p.want(`30["{Room: Text:}"]`)
	p.send(`20["fragile",1]`)
	p.wantAlive()
	if a.Panics() != 1 {
		t.Errorf("%d panics", a.Panics())
	}
}

type fragile int

func (fragile) Validate() error { panic("boom") }

// What does not fit its type is a mistake of somebody's; what is not valid is the user's everyday life.
func TestLogOfBadArguments(t *testing.T) {
	log := &logged{levels: make(chan string, 10)}
	a := serve(t, core.Config{Logger: slog.New(log)})
	show[span](a, "span")
	p := a.dial("websocket")
	p.join("/", "")
	p.send(`20["span",1]`)
	p.want(badForm)
	p.send(`20["span",{"From":-1}]`)
	p.next()
	for _, want := range []string{"WARN", "DEBUG"} {
		if got := receive(t, log.levels); got != want {
			t.Errorf("logged as %s, want %s", got, want)
		}
	}
}

// logged notes the levels at which failing handlers are logged.
type logged struct{ levels chan string }

func (l *logged) Enabled(context.Context, slog.Level) bool { return true }
func (l *logged) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *logged) WithGroup(string) slog.Handler            { return l }
func (l *logged) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "core: a handler failed" {
		l.levels <- r.Level.String()
	}
	return nil
}
