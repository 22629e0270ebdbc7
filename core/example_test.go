package core_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/gorilla/websocket"
	"github.com/siokit/siokit/core"
)

// browser stands for a page with socket.io-client: it speaks to h in memory and shows the packets.
type browser struct {
	server *httptest.Server
	ws     *websocket.Conn
}

func open(h http.Handler) *browser {
	server := httptest.NewServer(h)
	url := "ws" + strings.TrimPrefix(server.URL, "http") + "/socket.io/?EIO=4&transport=websocket"
	ws, _, err := websocket.DefaultDialer.Dial(url, nil)
	if err != nil {
		panic(err)
	}
	b := &browser{server, ws}
	b.receive() // the engine's handshake
	return b
}

// emit sends a Socket.IO packet.
func (b *browser) emit(packet string) {
	if err := b.ws.WriteMessage(websocket.TextMessage, []byte("4"+packet)); err != nil {
		panic(err)
	}
}

// receive returns the next Socket.IO packet.
func (b *browser) receive() string {
	kind, data, err := b.ws.ReadMessage()
	if err != nil {
		panic(err)
	}
	if kind == websocket.BinaryMessage {
		return fmt.Sprintf("binary %q", data)
	}
	return string(data[1:])
}

func (b *browser) close(srv *core.Server) {
	_ = b.ws.Close()
	_ = srv.Shutdown(context.Background())
	b.server.Close()
}

func Example() {
	srv, err := core.New(core.Config{})
	if err != nil {
		panic(err)
	}
	type Say struct{ Room, Text string }
	core.On(srv, "say", func(c *core.Context, in Say) error {
		return c.Emit("said", in.Text)
	})

	page := open(srv) // in an application: http.Handle("/socket.io/", srv)
	defer page.close(srv)
	page.emit("0") // io()
	page.receive()
	page.emit(`21["say",{"room":"lobby","text":"hello"}]`) // socket.emit("say", {...}, ack)
	fmt.Println(page.receive())
	fmt.Println(page.receive(), "is the ack")
	// Output:
	// 2["said","hello"]
	// 31[] is the ack
}

// The result of the function is the argument of the client's ack. Errors made for the client
// reach it, others do not.
func ExampleOnCall() {
	srv, _ := core.New(core.Config{})
	core.OnCall(srv, "divide", func(c *core.Context, in core.Args2[int, int]) (int, error) {
		if in.B == 0 {
			return 0, &core.Error{Code: "by_zero", Message: "not by zero, please"}
		}
		return in.A / in.B, nil
	})

	page := open(srv)
	defer page.close(srv)
	page.emit("0")
	page.receive()
	page.emit(`21["divide",12,4]`)
	fmt.Println(page.receive())
	page.emit(`22["divide",12,0]`)
	fmt.Println(page.receive())
	// Output:
	// 31[3]
	// 32[{"error":{"code":"by_zero","message":"not by zero, please"}}]
}

// A function that knows nothing of sockets can be a handler.
func ExamplePlain() {
	srv, _ := core.New(core.Config{})
	upper := func(_ context.Context, s string) (string, error) { return strings.ToUpper(s), nil }
	core.OnCall(srv, "upper", core.Plain(upper))

	page := open(srv)
	defer page.close(srv)
	page.emit("0")
	page.receive()
	page.emit(`21["upper","quiet"]`)
	fmt.Println(page.receive())
	// Output: 31["QUIET"]
}

// Ask the client from inside a handler.
func ExampleCall() {
	srv, _ := core.New(core.Config{})
	core.On(srv, "delete", func(c *core.Context, file string) error {
		sure, err := core.Call[bool](c, "sure?", file)
		if err != nil {
			return err // core.ErrTimeout, core.ErrDisconnected, ...
		}
		fmt.Println("sure:", sure)
		return nil
	})

	page := open(srv)
	defer page.close(srv)
	page.emit("0")
	page.receive()
	page.emit(`21["delete","a.txt"]`)
	fmt.Println(page.receive())
	page.emit("30[true]")
	page.receive()
	// Output:
	// 20["sure?","a.txt"]
	// sure: true
}

// Ask everybody in a room: the loop says who answered what, and who did not.
func ExampleGather() {
	srv, _ := core.New(core.Config{})
	srv.OnConnect(func(c *core.Context) error { return c.Join("board") })
	core.On(srv, "call the vote", func(c *core.Context, _ core.None) error {
		board := srv.To("board").Timeout(5 * time.Second)
		for vote, err := range core.Gather[string](c, board, "vote", "more tea?") {
			if err != nil {
				fmt.Println(vote.ID, "did not vote:", err) // core.ErrTimeout, core.ErrDisconnected, ...
				continue
			}
			fmt.Println("vote:", vote.Answer)
		}
		return nil
	})

	page := open(srv)
	defer page.close(srv)
	page.emit("0")
	page.receive()
	page.emit(`21["call the vote"]`)
	fmt.Println(page.receive())
	page.emit(`30["yes"]`)
	page.receive()
	// Output:
	// 20["vote","more tea?"]
	// vote: yes
}

// A function that gets the ack, instead of a goroutine that waits for it.
func ExampleEmitFunc() {
	srv, _ := core.New(core.Config{})
	answered := make(chan string, 1)
	srv.OnConnect(func(c *core.Context) error {
		return core.EmitFunc(c.Timeout(5*time.Second), "who are you?", nil, func(name string, err error) {
			if err == nil {
				answered <- name
			}
		})
	})

	page := open(srv)
	defer page.close(srv)
	page.emit("0")
	page.receive() // connected
	fmt.Println(page.receive())
	page.emit(`30["Ada"]`)
	fmt.Println(<-answered)
	// Output:
	// 20["who are you?"]
	// Ada
}

// Positions replace each other: a client that is not ready for one does not get it late.
func ExampleBroadcast_Volatile() {
	srv, _ := core.New(core.Config{})
	players := srv.To("game").Volatile() // may be kept, and shared between goroutines
	core.On(srv, "move", func(c *core.Context, in core.Args2[int, int]) error {
		return players.Except(c.ID()).Emit("moved", c.ID(), in.A, in.B)
	})
	fmt.Println(players)
	// Output: rooms ["game"] of "/"
}

// See everything that the program emits.
func ExampleNamespace_OnEmit() {
	srv, _ := core.New(core.Config{})
	srv.OnEmit(func(event string, args []any, to core.Broadcast) {
		fmt.Println(event, args, "->", to)
	})
	_ = srv.To("lobby").Emit("said", "hello")
	_ = srv.Send("to all")
	// Output:
	// said [hello] -> rooms ["lobby"] of "/"
	// message [to all] -> everybody in "/"
}

// srv.To includes everybody in the room; c.To leaves the sender out.
func ExampleServer_To() {
	srv, _ := core.New(core.Config{})
	srv.OnConnect(func(c *core.Context) error { return c.Join("lobby") })
	core.On(srv, "wave", func(c *core.Context, _ core.None) error {
		if err := c.To("lobby").Emit("the others see this"); err != nil {
			return err
		}
		return srv.To("lobby").Emit("everybody sees this")
	})

	page := open(srv)
	defer page.close(srv)
	page.emit("0")
	page.receive()
	page.emit(`2["wave"]`)
	fmt.Println(page.receive())
	// Output: 2["everybody sees this"]
}

// An error from OnConnect, or from middleware, refuses the client.
func ExampleNamespace_OnConnect() {
	srv, _ := core.New(core.Config{})
	srv.Of("/admin").OnConnect(func(c *core.Context) error {
		var login struct {
			Token string `json:"token"`
		}
		if err := c.Auth(&login); err != nil {
			return err
		}
		switch login.Token {
		case "good":
			return nil
		case "":
			return errors.New("the client never sees this text")
		}
		return &core.ConnectError{Message: "wrong token", Data: map[string]int{"code": 401}}
	})

	page := open(srv)
	defer page.close(srv)
	page.emit(`0/admin,{"token":"bad"}`)
	fmt.Println(page.receive())
	page.emit("0/admin,")
	fmt.Println(page.receive())
	// Output:
	// 4/admin,{"message":"wrong token","data":{"code":401}}
	// 4/admin,{"message":"internal error"}
}

// A []byte is sent as binary data wherever it stands.
func ExampleBroadcast_Emit() {
	srv, _ := core.New(core.Config{})
	type File struct {
		Name string `json:"name"`
		Body []byte `json:"body"`
	}
	core.On(srv, "open", func(c *core.Context, name string) error {
		return srv.To(c.ID()).Emit("file", File{name, []byte("contents")})
	})

	page := open(srv)
	defer page.close(srv)
	page.emit("0")
	page.receive()
	page.emit(`2["open","a.txt"]`)
	fmt.Println(page.receive())
	fmt.Println(page.receive())
	// Output:
	// 51-["file",{"name":"a.txt","body":{"_placeholder":true,"num":0}}]
	// binary "contents"
}
