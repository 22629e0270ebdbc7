package core_test

import (
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"github.com/siokit/siokit/core"
)

func TestMapError(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{})
		hook := make(chan error, 100)
		a.OnError(func(_ *core.Context, err error) { hook <- err })
		fail := map[string]error{
			"not found": fmt.Errorf("load: %w", sql.ErrNoRows), "secret": errors.New("secret"),
			"client": &core.Error{Code: "c", Message: "m"}, "hidden": &core.Error{Code: "hidden", Message: "m"},
			"value": errors.New("value"), "default": errors.New("default"), "explosive": errors.New("explosive"),
		}
		for event, err := range fail {
			core.On(a, event, func(*core.Context, core.None) error { return err })
		}
		core.On(a, "panic", func(*core.Context, core.None) error { panic("secret") })
		core.On(a, "other panic", func(*core.Context, core.None) error { panic("secret") })
		core.On(a, "typed", func(*core.Context, int) error { return nil })
		a.MapError(func(c *core.Context, err error) error {
			var p *core.PanicError
			var bad *core.ArgumentError
			var known *core.Error
			switch {
			case errors.Is(err, sql.ErrNoRows):
				return &core.Error{Code: "not_found", Message: c.Event()}
			case errors.As(err, &p) && c.Event() == "panic":
				return &core.Error{Code: "crashed", Message: "sorry"}
			case errors.As(err, &bad):
				return &core.Error{Message: "read the manual", Data: bad.Want}
			case c.Event() == "value":
				return core.AnswerWith("an", "answer")
			case errors.As(err, &known) && known.Code == "hidden":
				return errors.New("secret again")
			case c.Event() == "explosive":
				panic("in MapError")
			}
			return nil
		})
		a.Everywhere().MapError(func(c *core.Context, err error) error {
			if c.Event() == "default" || c.Event() == "not found" {
				return &core.Error{Message: "everywhere"}
			}
			return nil
		})
		p := a.dial(transport)
		p.join("/", "")
		for _, row := range []struct{ event, want string }{
			{"not found", `{"error":{"code":"not_found","message":"not found"}}`},
			{"secret", `{"error":{"message":"internal error"}}`},
			{"client", `{"error":{"code":"c","message":"m"}}`},
			{"hidden", `{"error":{"message":"internal error"}}`},
			{"value", `"an","answer"`},
			{"default", `{"error":{"message":"everywhere"}}`},
			{"panic", `{"error":{"code":"crashed","message":"sorry"}}`},
			{"typed", `{"error":{"message":"read the manual","data":1}}`},
		} {
			p.send(fmt.Sprintf(`20[%q]`, row.event))
			p.want(`30[` + row.want + `]`)
			err := receive(t, hook) // what happened, not what was shown
			if want, ok := fail[row.event]; ok && err != want {
				t.Errorf("%s: the hook got %v", row.event, err)
			}
		}
		p.send(`20["other panic"]`)
		p.wantAlive() // still unanswered
		receive(t, hook)
		p.send(`20["explosive"]`)
		p.want(`30[{"error":{"message":"internal error"}}]`)
		var panicked *core.PanicError
		if err := receive(t, hook); !errors.As(err, &panicked) {
			t.Errorf("the hook got %v", err)
		}
		receive(t, hook)
		silent(t, hook)
	})
}

func TestMapErrorOfRefusals(t *testing.T) {
	a := serve(t, core.Config{})
	a.OnConnect(func(*core.Context) error { return fmt.Errorf("load: %w", sql.ErrNoRows) })
	a.Of("/answer").OnConnect(func(*core.Context) error { return core.AnswerWith(1) })
	a.Everywhere().MapError(func(c *core.Context, err error) error {
		if errors.Is(err, sql.ErrNoRows) {
			return &core.ConnectError{Message: "no such account", Data: c.Event()}
		}
		return nil
	})
	p := a.dial("websocket")
	p.send("0")
	p.want(`4{"message":"no such account","data":"connect"}`)
	p.send("0/answer,")
	p.want(`4/answer,{"message":"internal error"}`)
}
