package core_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/siokit/siokit/core"
)

func TestAlwaysConnect(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{AlwaysConnect: true})
		ended := make(chan core.Reason, 10)
		contexts := make(chan *core.Context, 10)
		a.Use(func(ctx context.Context) error {
			c, _ := core.From(ctx)
			var given struct{ No string }
			if err := c.Auth(&given); err != nil || given.No == "guard" {
				return &core.ConnectError{Message: "not you"}
			}
			return c.Emit("early")
		})
		a.OnConnect(func(c *core.Context) error {
			if !c.Connected() {
				t.Error("OnConnect runs before the client is connected")
			}
			var given struct{ No string }
			_ = c.Auth(&given)
			switch given.No {
			case "refused":
				contexts <- c
				return &core.ConnectError{Message: "full", Data: 7}
			case "plain":
				return errors.New("secret")
			case "panic":
				panic("secret")
			case "itself":
				c.Disconnect()
				return nil
			}
			name, err := core.Call[string](c, "name?")
			if err != nil {
				return err
			}
			return c.Emit("hello", name)
		})
		a.OnDisconnect(func(_ *core.Context, r core.Reason) { ended <- r })
		core.On(a, "e", func(c *core.Context, _ core.None) error {
			t.Error("an event of a refused client was handled")
			return nil
		})
		p := a.dial(transport)
		p.send("0")
		p.want(`0{"sid":"*"}`, `2["early"]`, `20["name?"]`)
		p.send(`30["Ada"]`)
		p.want(`2["hello","Ada"]`)
		p.wantAlive()
		p.send("1")
		if got := receive(t, ended); got != core.ClientNamespaceDisconnect {
			t.Errorf("reason %q", got)
		}
		p.send(`0{"No":"guard"}`) // guards still refuse
		p.want(`4{"message":"not you"}`)
		for no, why := range map[string]string{
			"refused": `{"message":"full","data":7}`, "plain": `{"message":"internal error"}`, "panic": `{"message":"internal error"}`,
		} {
			p.send(`0{"No":"` + no + `"}`)
			p.want(`0{"sid":"*"}`, `2["early"]`, `2["session ended",`+why+`]`, "1")
			p.send(`2["e"]`) // on its way
		}
		c := receive(t, contexts)
		var gone *core.DisconnectError
		if !errors.As(context.Cause(c), &gone) || gone.Reason != core.ServerNamespaceDisconnect || !strings.Contains(gone.Error(), "full") {
			t.Errorf("cause %v", context.Cause(c))
		}
		p.send(`0{"No":"itself"}`)
		p.want(`0{"sid":"*"}`, `2["early"]`, "1")
		if got := receive(t, ended); got != core.ServerNamespaceDisconnect {
			t.Errorf("reason %q", got)
		}
		p.send(`0`)
		p.want(`0{"sid":"*"}`, `2["early"]`)
		m, _ := p.next()
		p.send(strings.TrimSuffix(strings.Replace(m.text, "2", "3", 1), `["name?"]`) + `["Eve"]`)
		p.want(`2["hello","Eve"]`)
		p.wantAlive()
		silent(t, ended)
		if n := len(a.Sockets()); n != 1 {
			t.Errorf("%d sockets", n)
		}
	})
}

// However a client is refused, it must not stay without a namespace for ever, nor try for ever.
func TestRefusedConnectionsEnd(t *testing.T) {
	for name, always := range map[string]bool{"AlwaysConnect": true, "default": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachTransport(t, func(t *testing.T, transport string) {
				a := serve(t, core.Config{AlwaysConnect: always, ConnectTimeout: 3 * time.Second})
				a.OnConnect(func(c *core.Context) error {
					var given struct{ Leave bool }
					if _ = c.Auth(&given); given.Leave {
						c.Disconnect()
						return nil
					}
					return &core.ConnectError{Message: "no"}
				})
				once, itself, often := a.dial(transport), a.dial(transport), a.dial(transport)
				once.send("0")
				itself.send(`0{"Leave":true}`)
				for range 20 {
					often.send("0")
					if m, ok := often.next(); ok && strings.HasPrefix(m.text, "0") {
						often.want(`2["session ended",{"message":"no"}]`, "1")
					}
				}
				for _, p := range []*peer{once, itself, often} {
					p.wantClosed()
				}
			})
		})
	}
}
