package core_test

import (
	"errors"
	"testing"

	"github.com/siokit/siokit/core"
)

// OnAnyError sees what fails in every namespace, and takes nothing from the error hooks and the client.
func TestOnAnyError(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		type seen struct{ namespace, event, err string }
		a := serve(t, core.Config{})
		observed, hooked := make(chan seen, 10), make(chan seen, 10)
		into := func(c chan seen) func(*core.Context, error) {
			return func(ctx *core.Context, err error) {
				if p, ok := errors.AsType[*core.PanicError](err); ok {
					err = errors.New(p.Value.(string))
				}
				c <- seen{ctx.Namespace().Name(), ctx.Event(), err.Error()}
			}
		}
		a.Everywhere().OnAnyError(into(observed))
		a.Everywhere().OnAnyError(func(*core.Context, error) { panic("the observer's") })
		a.Of("/own").OnError(into(hooked))
		a.Of("/refuses").OnConnect(func(*core.Context) error { return errors.New("not you") })
		for _, ns := range []*core.Namespace{a.Of("/"), a.Of("/own")} {
			core.On(ns, "fails", func(*core.Context, core.None) error { return errors.New("secret") })
			core.On(ns, "panics", func(*core.Context, core.None) error { panic("secret") })
		}
		p := a.dial(transport)
		p.join("/", "")
		p.join("/own", "")
		for _, row := range []struct {
			send string
			want seen
			ack  string
		}{
			{`20["fails"]`, seen{"/", "fails", "secret"}, `30[{"error":{"message":"internal error"}}]`},
			{`20["panics"]`, seen{"/", "panics", "secret"}, ""},
			{`20["nobody's"]`, seen{"/", "nobody's", core.ErrNoHandler.Error()}, ""},
			{`2/own,0["fails"]`, seen{"/own", "fails", "secret"}, `3/own,0[{"error":{"message":"internal error"}}]`},
			{`0/refuses,`, seen{"/refuses", "connect", "not you"}, `4/refuses,{"message":"internal error"}`},
		} {
			p.send(row.send)
			if got := receive(t, observed); got != row.want {
				t.Errorf("%s: %v was seen", row.send, got)
			}
			if row.want.namespace == "/own" {
				if got := receive(t, hooked); got != row.want {
					t.Errorf("%s: OnError got %v", row.send, got)
				}
			}
			if row.ack != "" {
				p.want(row.ack)
			}
		}
		p.wantAlive()
		if len(observed)+len(hooked) > 0 {
			t.Error("something was seen twice")
		}
	})
}
