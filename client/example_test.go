package client_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"time"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/core"
)

// A server for the examples.
func exampleServer() (url string, stop func()) {
	srv, err := core.New(core.Config{})
	if err != nil {
		log.Fatal(err)
	}
	core.OnCall(srv, "join", func(c *core.Context, room string) ([]string, error) {
		if err := c.Emit("said", "welcome to "+room); err != nil {
			return nil, err
		}
		return []string{"alice", "bob"}, c.Join(room)
	})
	ts := httptest.NewServer(srv)
	return ts.URL, func() {
		_ = srv.Shutdown(context.Background())
		ts.Close()
	}
}

func Example() {
	url, stop := exampleServer()
	defer stop()
	ctx := context.Background()

	c, err := client.New(url, client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	said := make(chan string, 1)
	client.On(c, "said", func(ctx context.Context, text string) error {
		said <- text
		return nil
	})
	if err := c.Connect(ctx); err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	members, err := client.Call[[]string](ctx, c, "join", "lobby")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(members)
	fmt.Println(<-said)
	// Output:
	// [alice bob]
	// welcome to lobby
}

func ExampleDialSimple() {
	url, stop := exampleServer()
	defer stop()
	ctx := context.Background()

	s, err := client.DialSimple(ctx, url, client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	if err := s.Emit("join", "lobby"); err != nil {
		log.Fatal(err)
	}
	event, err := s.Receive(ctx)
	if err != nil {
		log.Fatal(err)
	}
	var text string
	if err := event.Args.Decode(0, &text); err != nil {
		log.Fatal(err)
	}
	fmt.Println(event.Name, text)
	// Output: said welcome to lobby
}

// Lobby handles the events of a namespace by its methods.
type Lobby struct{ said chan string }

// OnConnect runs after each connect.
func (l *Lobby) OnConnect(ctx context.Context) {
	s, _ := client.From(ctx)
	fmt.Println("connected to", s.Namespace())
}

// OnSaid serves the event "said".
func (l *Lobby) OnSaid(ctx context.Context, text string) { l.said <- text }

func ExampleListen() {
	url, stop := exampleServer()
	defer stop()
	ctx := context.Background()

	c, err := client.New(url, client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	lobby := &Lobby{said: make(chan string, 1)}
	client.Listen(c, lobby)
	if err := c.Connect(ctx); err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if _, err := client.Call[[]string](ctx, c, "join", "lobby"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-lobby.said)
	// Output:
	// connected to /
	// welcome to lobby
}

func ExampleEmitFunc() {
	url, stop := exampleServer()
	defer stop()

	c, err := client.Dial(context.Background(), url, client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	client.On(c, "said", func(ctx context.Context, text string) error {
		fmt.Println(text)
		return nil
	})
	err = client.EmitFunc(c.Of("/").Timeout(5*time.Second), "join", []any{"lobby"}, func(members []string, err error) {
		fmt.Println(members, err) // after what the server said before its ack
		c.Disconnect()
	})
	if err != nil {
		log.Fatal(err)
	}
	_ = c.Wait()
	// Output:
	// welcome to lobby
	// [alice bob] <nil>
}
