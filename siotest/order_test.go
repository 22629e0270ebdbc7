package siotest_test

import (
	"fmt"
	"testing"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/siotest"
)

// An application that says several things, in two namespaces, before it answers. Its events have offsets, which the
// tests do not see.
func talkative(t *testing.T) *core.Server {
	srv := newServer(t, core.Config{Recovery: &core.Recovery{}})
	core.OnCall(srv, "say", func(c *core.Context, n int) (int, error) {
		for i := range 3 {
			if err := c.Emit("said", n, i, []byte{byte(i)}); err != nil {
				return 0, err
			}
		}
		return n, srv.Of("/news").Emit("headline", n)
	})
	core.OnCall(srv, "fail", func(c *core.Context, n int) (int, error) {
		_ = c.Emit("said", n)
		return 0, &core.Error{Code: "no"}
	})
	core.On(srv, "tell all", func(_ *core.Context, n int) error { return srv.Emit("told", n) })
	srv.Of("/news")
	return srv
}

// What the server has sent before an ack is there when Call returns, a thousand times.
func TestReceivedAfterCall(t *testing.T) {
	for _, transport := range []string{"polling", "websocket"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			c := siotest.Serve(t, talkative(t)).Dial(siotest.Transports(transport))
			news := c.Of("/news")
			for n := range 1000 {
				siotest.Call[int](c, "say", n)
				want := fmt.Sprintf(`[said %d 0 {"_placeholder":true,"num":0} said %d 1 {"_placeholder":true,"num":0} said %d 2 {"_placeholder":true,"num":0}]`, n, n, n)
				if got := fmt.Sprint(c.Received()); got != want {
					t.Fatalf("%s had come, want %s", got, want)
				}
				if got, want := fmt.Sprint(news.Received()), fmt.Sprintf("[headline %d]", n); got != want {
					t.Fatalf("%s had come, want %s", got, want)
				}
				siotest.CallError(c, "fail", n)
				if got, want := fmt.Sprint(c.Received()), fmt.Sprintf("[said %d]", n); got != want {
					t.Fatalf("%s had come, want %s", got, want)
				}
			}
		})
	}
}

// In a bubble Received and Connected have everything that was caused before, as in Flask's test client.
func TestReceivedInABubble(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport siotest.Option) {
		srv := talkative(t)
		ts := siotest.Serve(t, srv)
		ann, bob := ts.Dial(transport), ts.Dial(transport)
		for n := range 100 {
			ann.Emit("tell all", n)
			for _, c := range []*siotest.Client{ann, bob} {
				if got, want := fmt.Sprint(c.Received()), fmt.Sprintf("[told %d]", n); got != want {
					t.Fatalf("%s had come, want %s", got, want)
				}
			}
		}
		srv.To(ann.ID()).Disconnect()
		if ann.Connected() || !bob.Connected() {
			t.Error("the server has disconnected one of them, and this one is not it")
		}
		if r := ann.Disconnected(); r != client.ServerDisconnect {
			t.Error(r)
		}
		ann.Of("/") // the client has ended: a new connection
		ann.Emit("tell all", 1)
		if got := fmt.Sprint(ann.Received(), ann.Connected()); got != "[told 1] true" {
			t.Error(got)
		}
	})
}
