package core_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/siokit/siokit/core"
)

// Middleware runs around the handlers of an event, a group or a namespace. It sees name and arguments and
// can answer the ack.
func ExampleAround() {
	srv, _ := core.New(core.Config{})
	limit := func(c *core.Context, next func() error) error {
		if c.Args().Len() > 1 {
			return &core.Error{Code: "too_much", Message: "one at a time"}
		}
		err := next()
		fmt.Println("after", c.Event(), err)
		return err
	}
	core.On(srv, "say", func(c *core.Context, text string) error { return nil }, core.Around(limit))

	page := open(srv)
	defer page.close(srv)
	page.emit("0")
	page.receive()
	page.emit(`21["say","a"]`)
	fmt.Println(page.receive())
	page.emit(`22["say","a","b"]`)
	fmt.Println(page.receive())
	// Output:
	// after say <nil>
	// 31[]
	// 32[{"error":{"code":"too_much","message":"one at a time"}}]
}

// Chat serves the events of a namespace by its methods.
type Chat struct{ topic string }

// OnGetTopic serves the event get_topic.
func (h *Chat) OnGetTopic(c *core.Context) (string, error) { return h.topic, nil }

// OnMove serves the event move, with one parameter for each argument.
func (h *Chat) OnMove(ctx context.Context, x, y int) (int, error) { return x + y, nil }

func ExampleListen() {
	srv, _ := core.New(core.Config{})
	core.Listen(srv.Of("/chat"), &Chat{topic: "gophers"})

	page := open(srv)
	defer page.close(srv)
	page.emit("0/chat,")
	page.receive()
	page.emit(`2/chat,1["get_topic"]`)
	fmt.Println(page.receive())
	page.emit(`2/chat,2["move",3,4]`)
	fmt.Println(page.receive())
	// Output:
	// 3/chat,1["gophers"]
	// 3/chat,2[7]
}

var errNoRows = errors.New("no rows") // sql.ErrNoRows, for example

// One place decides what clients are told of the application's errors.
func ExampleEverywhere_MapError() {
	srv, _ := core.New(core.Config{})
	srv.Everywhere().MapError(func(c *core.Context, err error) error {
		if errors.Is(err, errNoRows) {
			return &core.Error{Code: "not_found", Message: "there is no such thing"}
		}
		return nil
	})
	core.On(srv, "open", func(c *core.Context, id int) error { return fmt.Errorf("load %d: %w", id, errNoRows) })

	page := open(srv)
	defer page.close(srv)
	page.emit("0")
	page.receive()
	page.emit(`21["open",7]`)
	fmt.Println(page.receive())
	// Output: 31[{"error":{"code":"not_found","message":"there is no such thing"}}]
}
