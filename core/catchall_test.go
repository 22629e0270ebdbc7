package core_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/siokit/siokit/core"
)

func TestOnAny(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		l := newLogin()
		a := serve(t, core.Config{Sessions: l})
		order := make(chan string, 100)
		hook := make(chan error, 10)
		a.OnError(func(_ *core.Context, err error) { hook <- err })
		note := func(who string) func(*core.Context, string, core.Args) {
			return func(c *core.Context, event string, args core.Args) {
				order <- fmt.Sprint(who, " ", event, " ", args.Len(), " ", c.Event() == event)
			}
		}
		a.OnAny(note("first"))
		a.OnAny(func(*core.Context, string, core.Args) { panic("boom") })
		a.OnAny(note("second"))
		a.Everywhere().OnAny(note("everywhere"))
		core.On(a.Group(func(context.Context) error { order <- "guard"; return nil }), "e", func(*core.Context, core.None) error { order <- "handler"; return nil })
		core.On(a, "typed", func(*core.Context, int) error { return nil })
		core.On(a, "beside", func(*core.Context, core.None) error { return nil }, core.Concurrent(1))
		a.Of("/x")
		p := a.dial(transport, as("ann"))
		p.join("/", "")
		p.join("/x", "")
		seen := func(event string, n int, more ...string) {
			t.Helper()
			for _, who := range []string{"everywhere", "first", "second"} {
				more = append(more, "")
				copy(more[1:], more)
				more[0] = fmt.Sprint(who, " ", event, " ", n, " true")
			}
			want := map[string]bool{}
			for _, w := range more {
				want[w] = true
			}
			for range more {
				if got := receive(t, order); !want[got] {
					t.Errorf("%q, want one of %q", got, more)
				}
			}
			receive(t, hook)
		}
		p.send(`20["e",1,2]`)
		p.want(`30[]`)
		seen("e", 2, "guard", "handler")
		p.send(`20["typed"]`) // whose arguments do not fit
		p.want(badCount(1, 0))
		seen("typed", 0)
		receive(t, hook)
		p.send(`20["beside",0]`)
		p.want(`30[]`)
		seen("beside", 1)
		p.send(`20["unknown",1]`)
		seen("unknown", 1)
		p.send(`2/x,["elsewhere"]`)
		if got := receive(t, order); got != "everywhere elsewhere 0 true" {
			t.Errorf("%q", got)
		}
		p.send(`2777["alive"]`)
		p.want(`3777[]`)
		for range 2 { // the two connects
			receive(t, l.saved)
		}
		var saved []string
		for range 6 {
			saved = append(saved, receive(t, l.saved))
		}
		if got := strings.Join(saved, " "); !strings.Contains(got, "unknown") || !strings.Contains(got, "elsewhere") {
			t.Errorf("saved after %s", got) // what an observer wrote is kept
		}
	})
}

func TestObserversRunBeforeTheHandler(t *testing.T) {
	a := serve(t, core.Config{})
	order := make(chan string, 10)
	core.On(a, "e", func(*core.Context, core.None) error { order <- "handler"; return nil }, core.Behind(func(context.Context) error { order <- "guard"; return nil }))
	a.OnAny(func(*core.Context, string, core.Args) { order <- "any" })
	a.Everywhere().OnAny(func(*core.Context, string, core.Args) { order <- "everywhere" })
	p := a.dial("websocket")
	p.join("/", "")
	p.send(`2["e"]`)
	for _, want := range []string{"everywhere", "any", "guard", "handler"} {
		if got := receive(t, order); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestOnUnhandled(t *testing.T) {
	a := serve(t, core.Config{})
	core.OnCall(a, "known", func(*core.Context, core.None) (string, error) { return "handler", nil })
	a.OnUnhandled(func(c *core.Context, event string, args core.Args) (any, error) {
		switch event {
		case "nothing":
			return nil, nil
		case "two":
			return core.Args2[int, string]{A: args.Len(), B: event}, nil
		case "fails":
			return "ignored", &core.Error{Code: "unknown_event", Message: "there is no such event"}
		}
		var first string
		err := args.Decode(0, &first)
		return first + " " + c.Event(), err
	})
	p := a.dial("websocket")
	p.join("/", "")
	for _, row := range []struct{ send, want string }{
		{`"known"`, `30["handler"]`},
		{`"nothing"`, `30[]`},
		{`"two",1,2,3`, `30[3,"two"]`},
		{`"fails"`, `30[{"error":{"code":"unknown_event","message":"there is no such event"}}]`},
		{`"other","the"`, `30["the other"]`},
		{`"*","the"`, `30["the *"]`}, // a star is a name like any other
	} {
		p.send(`20[` + row.send + `]`)
		p.want(row.want)
	}
	text := panicOf(func() { a.OnUnhandled(func(*core.Context, string, core.Args) (any, error) { return nil, nil }) })
	if !strings.HasPrefix(text, `core: OnUnhandled on "/" registered twice: at `) || strings.Count(text, "catchall_test.go:") != 2 {
		t.Errorf("panic %q", text)
	}
}

func TestUnhandledBehindAGuard(t *testing.T) {
	a := serve(t, core.Config{})
	a.OnUnhandled(func(*core.Context, string, core.Args) (any, error) { return "in", nil },
		core.Behind(func(context.Context) error { return &core.Error{Message: "no"} }))
	p := a.dial("websocket")
	p.join("/", "")
	p.send(`20["x"]`)
	p.want(`30[{"error":{"message":"no"}}]`)
}

// The order in which an event finds its handler.
func TestLookupOrder(t *testing.T) {
	a := serve(t, core.Config{})
	everywhere := a.Everywhere()
	answer := func(who string) func(*core.Context, core.None) (string, error) {
		return func(*core.Context, core.None) (string, error) { return who, nil }
	}
	catch := func(who string) func(*core.Context, string, core.Args) (any, error) {
		return func(*core.Context, string, core.Args) (any, error) { return who, nil }
	}
	p := a.dial("polling")
	p.join("/", "")
	want := func(who string) {
		t.Helper()
		p.send(`20["say"]`)
		p.want(`30["` + who + `"]`)
	}
	p.send(`20["say"]`)
	p.wantAlive() // nobody
	everywhere.OnUnhandled(catch("*/*"))
	want("*/*")
	core.Listen(everywhere, &sayer{"class of *"})
	want("class of *")
	core.OnCall(everywhere, "say", answer("*/say"))
	want("*/say")
	a.OnUnhandled(catch("ns/*"))
	want("ns/*")
	core.Listen(a, &sayer{"class of ns"})
	want("class of ns")
	core.OnCall(a, "say", answer("ns/say"))
	want("ns/say")

	late := a.Of("/late") // made after the registrations
	late.OnConnect(func(c *core.Context) error { return c.Emit("here", c.Namespace().Name()) })
	p.join("/late", "")
	p.want(`2/late,["here","/late"]`)
	p.send(`2/late,0["say"]`)
	p.want(`3/late,0["*/say"]`)
	p.send(`0/nowhere,`) // registering everywhere makes no namespace
	p.want(`4/nowhere,{"message":"Invalid namespace"}`)
}

type sayer struct{ name string }

func (s *sayer) OnSay(*core.Context) (string, error) { return s.name, nil }

// What is registered everywhere serves the namespaces without their own.
func TestEverywhereIsADefault(t *testing.T) {
	a := serve(t, core.Config{})
	order := make(chan string, 20)
	e := a.Everywhere()
	boom := errors.New("boom")
	e.OnConnect(func(c *core.Context) error { order <- "default connect " + c.Namespace().Name(); return nil })
	e.OnDisconnect(func(c *core.Context, _ core.Reason) { order <- "default disconnect " + c.Namespace().Name() })
	e.OnError(func(c *core.Context, err error) {
		order <- fmt.Sprint("default error ", c.Namespace().Name(), " ", err, " ", c.Event())
	})
	core.On(e, "fail", func(*core.Context, core.None) error { return boom })
	own := a.Of("/own")
	own.OnConnect(func(*core.Context) error { order <- "own connect"; return nil })
	own.OnDisconnect(func(*core.Context, core.Reason) { order <- "own disconnect" })
	own.OnError(func(c *core.Context, err error) { order <- "own error" })
	p := a.dial("websocket")
	p.join("/", "")
	p.join("/own", "")
	p.send(`20["fail"]`)
	p.want(`30[{"error":{"message":"internal error"}}]`)
	p.send(`2/own,0["fail"]`)
	p.want(`3/own,0[{"error":{"message":"internal error"}}]`)
	p.send("1/own,")
	for _, want := range []string{"default connect /", "own connect", "default error / boom fail", "own error", "own disconnect"} {
		if got := receive(t, order); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	p.send("1")
	if got := receive(t, order); got != "default disconnect /" {
		t.Errorf("%q", got)
	}
}

// A reserved name reaches no handler, whichever side uses it.
func TestReservedNamesOnBothSides(t *testing.T) {
	for _, name := range []string{"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"} {
		a := serve(t, core.Config{})
		ran := make(chan string, 10)
		a.OnUnhandled(func(_ *core.Context, event string, _ core.Args) (any, error) { ran <- event; return nil, nil })
		a.OnAny(func(_ *core.Context, event string, _ core.Args) { ran <- event })
		if text := panicOf(func() { core.On(a, name, func(*core.Context, core.None) error { return nil }) }); !strings.Contains(text, "reserved") {
			t.Errorf("On(%q): panic %q", name, text)
		}
		text := panicOf(func() { core.ListenAs(a.Everywhere(), &sayer{}, func(string) string { return name }) })
		if !strings.Contains(text, "OnSay") || !strings.Contains(text, "reserved") {
			t.Errorf("ListenAs(%q): panic %q", name, text)
		}
		p := a.dial("websocket")
		p.join("/", "")
		p.send(`20["` + name + `"]`)
		p.wantClosed()
		silent(t, ran)
	}
}
