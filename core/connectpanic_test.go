package core_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/siokit/siokit/core"
)

// A panic is one also when its value is an error made for clients, as that of auth.MustUser without a user is:
// counted, told to the error hook, and the client learns nothing of it.
func TestPanicWithAClientsErrorRefuses(t *testing.T) {
	fail := func() { panic(fmt.Errorf("secret: %w", &core.ConnectError{Message: "please log in"})) }
	for name, register := range map[string]func(a *app){
		"guard":     func(a *app) { a.Use(func(context.Context) error { fail(); return nil }) },
		"OnConnect": func(a *app) { a.OnConnect(func(*core.Context) error { fail(); return nil }) },
	} {
		t.Run(name, func(t *testing.T) {
			eachTransport(t, func(t *testing.T, transport string) {
				a := serve(t, core.Config{})
				errs := make(chan error, 10)
				a.OnError(func(_ *core.Context, err error) { errs <- err })
				register(a)
				p := a.dial(transport)
				p.send("0")
				p.want(`4{"message":"internal error"}`)
				if n := a.Panics(); n != 1 {
					t.Errorf("%d panics are counted", n)
				}
				if len(errs) != 1 {
					t.Errorf("the error hook was told %d times", len(errs))
				}
			})
		})
	}
}

// MapError may still say what the client is told of a panic.
func TestMapErrorOfAConnectPanic(t *testing.T) {
	a := serve(t, core.Config{})
	a.OnConnect(func(*core.Context) error { panic("secret") })
	a.MapError(func(*core.Context, error) error { return &core.ConnectError{Message: "sorry"} })
	p := a.dial("websocket")
	p.send("0")
	p.want(`4{"message":"sorry"}`)
	if n := a.Panics(); n != 1 {
		t.Errorf("%d panics are counted", n)
	}
}
