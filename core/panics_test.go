package core_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/siokit/siokit/core"
)

// F-13: the callbacks that TestPanics does not reach. Each panics once; it is counted, and the server goes on.
func TestPanicsOfOtherCallbacks(t *testing.T) {
	type in struct{ A int }
	nothing := func(*core.Context, core.None) error { return nil }
	for name, row := range map[string]struct {
		cfg   core.Config
		setUp func(a *app)
		send  string
		want  []string
	}{
		"OnUnhandled": {send: `20["none"]`, setUp: func(a *app) {
			a.OnUnhandled(func(*core.Context, string, core.Args) (any, error) { panic("secret") })
		}},
		"Around": {send: `20["e"]`, setUp: func(a *app) {
			core.On(a, "e", nothing, core.Around(func(*core.Context, func() error) error { panic("secret") }))
		}},
		"CanJoin": {send: `20["join"]`, setUp: func(a *app) {
			a.CanJoin(func(*core.Context, string) error { panic("secret") })
			core.On(a, "join", func(c *core.Context, _ core.None) error { return c.JoinRequest("chat:1") })
		}},
		"MapError": {send: `20["fails"]`, want: []string{`30[{"error":{"message":"internal error"}}]`}, setUp: func(a *app) {
			a.MapError(func(*core.Context, error) error { panic("secret") })
			core.On(a, "fails", func(*core.Context, core.None) error { return errors.New("x") })
		}},
		"Validate": {send: `20["checked",{"A":1}]`, cfg: core.Config{Validate: func(any) error { panic("secret") }}, setUp: func(a *app) {
			core.On(a, "checked", func(*core.Context, in) error { return nil })
		}},
		"Listen": {send: `20["boom"]`, setUp: func(a *app) { core.Listen(a, panicking{}) }},
		"OfFunc": {send: "0/f,", want: []string{`4/f,{"message":"internal error"}`}, setUp: func(a *app) {
			a.OfFunc(func(context.Context, string, json.RawMessage) (bool, error) { panic("secret") })
		}},
		"OnRoom": {send: `20["room"]`, want: []string{"30[]"}, setUp: func(a *app) {
			a.OnRoom(core.RoomHooks{Join: func(*core.Socket, string) { panic("secret") }})
			core.On(a, "room", func(c *core.Context, _ core.None) error { return c.Join("chat:1") })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			eachTransport(t, func(t *testing.T, transport string) {
				a := serve(t, row.cfg)
				row.setUp(a)
				p, other := a.dial(transport), a.dial(transport)
				p.join("/", "")
				other.join("/", "")
				p.send(row.send)
				p.want(row.want...)
				p.wantAlive() // and no ack but that
				other.wantAlive()
				eventually(t, "the panic is counted", func() bool { return a.Panics() == 1 })
				for _, s := range a.Sockets() { // no lock is held
					if err := s.Join("after"); err != nil {
						t.Error(err)
					}
				}
				_ = a.To("after").Emit("bye")
				p.want(`2["bye"]`)
				a.To("after").DisconnectAll()
				p.wantClosed()
				other.wantClosed()
			})
		})
	}
}

type panicking struct{}

func (panicking) OnBoom(*core.Context) { panic("secret") }
