package core_test

import (
	"context"
	"testing"

	"github.com/siokit/siokit/core"
)

// A handler waits for the answer of its client in another namespace, which comes behind more events than the
// handler's own queue takes.
func TestCallIntoAnotherNamespace(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{QueueEvents: 2})
		b := a.Of("/b")
		var id string
		answers := make(chan error, 1)
		core.On(a, "more", func(*core.Context, core.None) error { return nil })
		core.On(a, "ask", func(c *core.Context, _ core.None) error {
			s, _ := b.Socket(id)
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			yes, err := core.CallSocket[bool](ctx, s, "sure?")
			if !yes {
				t.Error("the answer is no")
			}
			answers <- err
			return nil
		})
		p := a.dial(transport)
		p.join("/", "")
		id = p.join("/b", "")
		p.send(`2["ask"]`)
		p.want(`2/b,0["sure?"]`)
		p.send(`2["more"]`, `2["more"]`, `2["more"]`, `2["more"]`, `3/b,0[true]`)
		check(t, receive(t, answers))
		p.wantAlive()
	})
}
