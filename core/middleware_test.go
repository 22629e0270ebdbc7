package core_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siokit/siokit/core"
)

// noting returns a middleware that notes when it begins and ends.
func noting(order chan string, name string) core.Middleware {
	return func(c *core.Context, next func() error) error {
		order <- name + " before " + c.Event()
		err := next()
		order <- fmt.Sprintf("%s after %v", name, err)
		return err
	}
}

func TestLayersOfAnEvent(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{})
		order := make(chan string, 100)
		guard := func(name string) core.Guard {
			return func(context.Context) error { order <- name; return nil }
		}
		g := a.Group(guard("group")).With(core.Around(noting(order, "with")))
		core.OnCall(g, "e", func(_ *core.Context, in int) (int, error) { order <- "handler"; return in, errors.New("failed") },
			core.Behind(guard("event 1"), guard("event 2")), core.Around(noting(order, "event")))
		core.On(g.With(), "sibling", func(*core.Context, core.None) error { order <- "sibling"; return nil })
		a.EachEvent(core.Around(noting(order, "each"))) // also for what is registered already
		a.Everywhere().EachEvent(core.Behind(guard("everywhere")))
		a.OnError(func(*core.Context, error) {})
		p := a.dial(transport)
		p.join("/", "")
		p.send(`20["e",1]`)
		p.want(`30[{"error":{"message":"internal error"}}]`)
		p.send(`20["sibling"]`)
		p.want(`30[]`)
		want := []string{"everywhere", "each before e", "group", "with before e", "event 1", "event 2", "event before e", "handler",
			"event after failed", "with after failed", "each after failed",
			"everywhere", "each before sibling", "group", "with before sibling", "sibling", "with after <nil>", "each after <nil>"}
		for _, w := range want {
			if got := receive(t, order); got != w {
				t.Errorf("%q came, want %q", got, w)
			}
		}
		silent(t, order)
	})
}

func TestMiddlewareAnswers(t *testing.T) {
	a := serve(t, core.Config{})
	hook := make(chan error, 10)
	a.OnError(func(_ *core.Context, err error) { hook <- err })
	ran := make(chan string, 10)
	h := func(c *core.Context, in int) (int, error) { ran <- c.Event(); return in, nil }
	around := func(event string, m core.Middleware) { core.OnCall(a, event, h, core.Around(m)) }
	around("refuse", func(c *core.Context, _ func() error) error {
		var n int
		if err := c.Args().Decode(0, &n); err != nil || n != 7 {
			t.Errorf("the middleware saw %d, %v", n, err)
		}
		return &core.Error{Code: "limit", Message: "too often", Data: n}
	})
	around("answer", func(*core.Context, func() error) error { return core.AnswerWith("kept", 2) })
	around("nothing", func(*core.Context, func() error) error { return nil })
	around("replace", func(_ *core.Context, next func() error) error { return errors.Join(next(), core.AnswerWith("instead")) })
	around("change", func(_ *core.Context, next func() error) error {
		var bad *core.ArgumentError
		if err := next(); !errors.As(err, &bad) {
			t.Errorf("next returned %v", err)
		}
		return &core.Error{Message: "changed"}
	})
	around("twice", func(_ *core.Context, next func() error) error { return errors.Join(next(), next()) })
	around("panic", func(_ *core.Context, next func() error) error { _ = next(); panic("boom") })
	p := a.dial("websocket")
	p.join("/", "")
	for _, row := range []struct{ send, want string }{
		{`"refuse",7`, `30[{"error":{"code":"limit","message":"too often","data":7}}]`},
		{`"answer",7`, `30["kept",2]`},
		{`"nothing",7`, `30[]`},
		{`"replace",7`, `30["instead"]`},
		{`"change","x"`, `30[{"error":{"message":"changed"}}]`},
		{`"twice",7`, `30[7]`},
	} {
		p.send(`20[` + row.send + `]`)
		p.want(row.want)
	}
	p.send(`20["panic",7]`)
	p.wantAlive() // no ack
	for _, want := range []string{"replace", "twice", "twice", "panic"} {
		if got := receive(t, ran); got != want {
			t.Errorf("the handler of %q ran, want %q", got, want)
		}
	}
	for _, want := range []string{"limit", "changed", "boom"} { // an answer is no error
		if got := receive(t, hook); !strings.Contains(got.Error(), want) {
			t.Errorf("the hook got %v, want %q", got, want)
		}
	}
	silent(t, ran)
	silent(t, hook)
}

func TestTimeout(t *testing.T) {
	a := serve(t, core.Config{})
	ctxs := make(chan *core.Context, 10)
	late := func(c *core.Context, in string) (string, error) {
		if _, ok := c.Deadline(); !ok {
			return "", errors.New("no deadline")
		}
		derived, cancel := context.WithCancel(c)
		defer cancel()
		<-derived.Done()
		ctxs <- c
		switch in {
		case "ignore":
			return "done", nil
		case "own":
			return "", fmt.Errorf("wrapped: %w", &core.Error{Message: "mine"})
		case "call":
			_, err := core.Call[int](c, "never answered")
			return "", err
		}
		return "", fmt.Errorf("query: %w", context.Cause(c))
	}
	core.OnCall(a, "late", late, core.Timeout(time.Millisecond))
	core.OnCall(a.With(core.Timeout(time.Hour)), "own limit wins", late, core.Timeout(time.Millisecond))
	core.OnCall(a.Of("/each"), "late", late)
	a.Of("/each").EachEvent(core.Timeout(time.Millisecond))
	core.OnCall(a, "in time", func(c *core.Context, _ core.None) (bool, error) {
		ctxs <- c
		return c.Err() == nil, nil
	}, core.Timeout(time.Hour))
	a.OnError(func(*core.Context, error) {})
	p := a.dial("websocket")
	p.join("/", "")
	p.join("/each", "")
	const timeout = `[{"error":{"code":"timeout","message":"the server did not finish in time"}}]`
	for _, row := range []struct{ send, want string }{
		{`20["late",""]`, `30` + timeout},
		{`20["own limit wins",""]`, `30` + timeout},
		{`2/each,0["late",""]`, `3/each,0` + timeout},
		{`20["late","ignore"]`, `30["done"]`},
		{`20["late","own"]`, `30[{"error":{"message":"mine"}}]`},
	} {
		p.send(row.send)
		p.want(row.want)
		if c := receive(t, ctxs); c.Err() != context.DeadlineExceeded || !c.Connected() {
			t.Errorf("%s: %v", row.send, c.Err())
		}
	}
	p.send(`20["late","call"]`)
	p.want(`20["never answered"]`, `30`+timeout)
	receive(t, ctxs)
	p.send(`20["in time"]`)
	p.want(`30[true]`)
	c := receive(t, ctxs)
	receive(t, c.Done()) // it ends with the handler
	if c.Err() != context.Canceled {
		t.Errorf("after the handler: %v", c.Err())
	}
}

// A session is saved after a handler's time is over too.
func TestTimeoutDoesNotReachTheSession(t *testing.T) {
	b := &savingBinder{errs: make(chan error, 10)}
	a := serve(t, core.Config{Sessions: b})
	core.On(a, "late", func(c *core.Context, _ core.None) error { <-c.Done(); return c.Err() }, core.Timeout(time.Millisecond))
	a.OnError(func(*core.Context, error) {})
	p := a.dial("websocket")
	p.join("/", "")
	p.send(`20["late"]`)
	if m, _ := p.next(); !strings.Contains(m.text, `"timeout"`) {
		t.Errorf("ack %s", m.text)
	}
	for range 2 { // connect and late
		if err := receive(t, b.errs); err != nil {
			t.Errorf("SaveSession got a context with %v", err)
		}
	}
}

type savingBinder struct{ errs chan error }

func (b *savingBinder) BindSession(r *http.Request) (context.Context, error) { return r.Context(), nil }

func (b *savingBinder) SaveSession(ctx context.Context) error {
	_, limited := ctx.Deadline()
	if _, ok := core.From(ctx); !ok || limited {
		b.errs <- errors.New("no Context, or one with a deadline")
		return nil
	}
	derived, cancel := context.WithCancel(ctx)
	defer cancel()
	b.errs <- errors.Join(ctx.Err(), derived.Err())
	return nil
}

func TestOptionMistakes(t *testing.T) {
	a := serve(t, core.Config{})
	for want, f := range map[string]func(){
		"core: Concurrent(0)":                                     func() { core.Concurrent(0) },
		"core: Timeout(-1s)":                                      func() { core.Timeout(-time.Second) },
		"core: Behind: a guard":                                   func() { core.Behind(nil) },
		"core: Around: a middleware":                              func() { core.Around(nil) },
		`core: OnConnect on "/n": the function is nil`:            func() { a.Of("/n").OnConnect(nil) },
		`core: OnDisconnect on "/n": the function is nil`:         func() { a.Of("/n").OnDisconnect(nil) },
		`core: OnError on "every namespace": the function is nil`: func() { a.Everywhere().OnError(nil) },
		`core: OnAny on "/n": the function is nil`:                func() { a.Of("/n").OnAny(nil) },
		`core: MapError on "/": the function is nil`:              func() { a.MapError(nil) },
		"core: OnUnhandled on \"/\": the handler is nil, at":      func() { a.OnUnhandled(nil) },
	} {
		if text := panicOf(f); !strings.HasPrefix(text, want) {
			t.Errorf("panic %q, want %q", text, want)
		}
	}
}

func panicOf(f func()) (text string) {
	defer func() { text, _ = recover().(string) }()
	f()
	return ""
}

func TestOff(t *testing.T) {
	a := serve(t, core.Config{})
	first := func(*core.Context, core.None) (int, error) { return 1, nil }
	core.OnCall(a, "e", first)
	p := a.dial("websocket")
	p.join("/", "")
	p.send(`20["e"]`)
	p.want(`30[1]`)
	got := []bool{core.Off(a, "none"), core.Off(a.Of("/other"), "e"), core.Off(a.Group(), "e"), core.Off(a, "e")}
	if !slices.Equal(got, []bool{false, false, true, false}) {
		t.Errorf("Off returned %v", got)
	}
	p.send(`20["e"]`)
	p.wantAlive() // no ack
	core.OnCall(a, "e", func(*core.Context, core.None) (int, error) { return 2, nil })
	p.send(`20["e"]`)
	p.want(`30[2]`)
}
