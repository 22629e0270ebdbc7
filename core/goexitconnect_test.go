package core_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/siokit/siokit/core"
)

// Guards and OnConnect may end their goroutine too: the client is refused, and nothing half-open remains.
func TestGoexitWhileConnecting(t *testing.T) {
	for name, register := range map[string]func(ns *core.Namespace){
		"guard":     func(ns *core.Namespace) { ns.Use(func(context.Context) error { runtime.Goexit(); return nil }) },
		"OnConnect": func(ns *core.Namespace) { ns.OnConnect(func(*core.Context) error { runtime.Goexit(); return nil }) },
	} {
		t.Run(name, func(t *testing.T) {
			eachTransport(t, func(t *testing.T, transport string) {
				a := serve(t, core.Config{})
				b := a.Of("/b")
				register(b)
				p := a.dial(transport)
				p.join("/", "")
				p.send("0/b,")
				p.want(`4/b,{"message":"internal error"}`)
				if n := len(b.Sockets()); n != 0 {
					t.Errorf("%d sockets remain", n)
				}
				p.send("0/b,")
				p.want(`4/b,{"message":"internal error"}`)
				p.wantAlive()
			})
		})
	}
}
