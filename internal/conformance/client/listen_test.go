package client_test

import (
	"context"
	"errors"
	"testing"

	"github.com/siokit/siokit/client"
)

// visitor handles events by its methods.
type visitor struct {
	back     chan client.Args3[string, []byte, map[string]any]
	numbers  chan int
	anything chan string
	left     chan client.Reason
}

func (v *visitor) OnBack(_ context.Context, a string, b []byte, c map[string]any) error {
	v.back <- client.Args3[string, []byte, map[string]any]{A: a, B: b, C: c}
	return nil
}
func (v *visitor) OnNumber(_ context.Context, n int)                       { v.numbers <- n }
func (v *visitor) OnQuestion(_ context.Context, in string) (string, error) { return in + "! yes", nil }
func (v *visitor) OnDisconnect(_ context.Context, reason client.Reason)    { v.left <- reason }
func (v *visitor) OnAny(_ context.Context, event string, _ client.Args)    { v.anything <- event }
func (v *visitor) OnConnect(context.Context)                               { v.anything <- "connect" }

// listening handles the events of a namespace by the methods of a value.
func listening(t *testing.T, url string, opts client.Options) {
	v := &visitor{make(chan client.Args3[string, []byte, map[string]any], 1), make(chan int, 3), make(chan string, 100), make(chan client.Reason, 1)}
	c := open(t, url+"/second", opts, func(c *client.Client) { client.Listen(c, v) })
	same(t, "first", next(t, v.anything), "connect")
	same(t, "ask me", call[string](t, c, "ask me", "sure"), "sure! yes")
	for event, args := range map[string][]any{"back": {"x", []byte("binary"), map[string]any{"k": "v"}}, "count": {3}} {
		if err := c.Emit(event, args...); err != nil {
			t.Fatal(err)
		}
	}
	same(t, "back", next(t, v.back), client.Args3[string, []byte, map[string]any]{A: "x", B: []byte("binary"), C: map[string]any{"k": "v"}})
	same(t, "numbers", []int{next(t, v.numbers), next(t, v.numbers), next(t, v.numbers)}, []int{0, 1, 2})
	seen := map[string]int{}
	for range 5 {
		seen[next(t, v.anything)]++
	}
	same(t, "seen", seen, map[string]int{"question": 1, "back": 1, "number": 3})
	_ = c.Close()
	same(t, "reason", next(t, v.left), client.ClientDisconnect)
}

// callbacks takes acks in functions: of what waited for the connection, and of what no server will answer.
func callbacks(t *testing.T, url string, opts client.Options) {
	type pair = client.Args2[int, []byte]
	answers := make(chan pair, 1)
	ended := make(chan error, 10)
	ask := func(c *client.Client) {
		err := client.EmitFunc(c, "echo2", []any{7, []byte{0, 255}}, func(in pair, err error) {
			if err != nil {
				t.Error(err)
			}
			answers <- in
		})
		if err != nil {
			t.Error(err)
		}
	}
	c := open(t, url, opts, ask)
	same(t, "asked before Connect", next(t, answers), pair{A: 7, B: []byte{0, 255}})
	ask(c)
	same(t, "asked", next(t, answers), pair{A: 7, B: []byte{0, 255}})
	for range 3 {
		if err := client.EmitFunc(c, "nobody answers", nil, func(_ int, err error) { ended <- err }); err != nil {
			t.Error(err)
		}
	}
	if err := c.Emit("kick me", true); err != nil {
		t.Error(err)
	}
	for range 3 {
		if err := next(t, ended); !errors.Is(err, client.ErrDisconnected) {
			t.Errorf("the server has ended the namespace: %v", err)
		}
	}
}
