package siotest_test

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/siotest"
)

// eachTransport runs a test in a bubble of its own on polling and on WebSocket.
func eachTransport(t *testing.T, test func(t *testing.T, transport siotest.Option)) {
	for _, name := range []string{"polling", "websocket"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { test(t, siotest.Transports(name)) })
		})
	}
}

func TestCut(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport siotest.Option) {
		srv := newServer(t, core.Config{})
		ts := siotest.Serve(t, srv)
		stays, returns := ts.Dial(transport), ts.Dial(transport, siotest.Reconnecting())
		for range 3 {
			id := returns.ID()
			returns.Cut()
			returns.Reconnected()
			if returns.ID() == id || !returns.Connected() {
				t.Errorf("id %s after %s", returns.ID(), id)
			}
			if r := returns.Disconnected(); r != client.TransportClose && r != client.TransportError {
				t.Errorf("left for %q", r)
			}
		}
		if !stays.Connected() {
			t.Error("the other client's connection was cut")
		}
		stays.Cut()
		for range 2 { // the answer stays
			if r := stays.Disconnected(); r != client.TransportClose && r != client.TransportError {
				t.Errorf("left for %q", r)
			}
		}
	})
}

// What is said in a frozen network arrives late, or never if it breaks before.
func TestFreeze(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport siotest.Option) {
		srv := newServer(t, core.Config{})
		heard := make(chan int, 10)
		core.On(srv, "n", func(_ *core.Context, n int) error { heard <- n; return nil })
		ts := siotest.Serve(t, srv)
		c := ts.Dial(transport, siotest.Reconnecting())
		for _, lost := range []bool{false, true} {
			c.Freeze()
			for n := range 3 {
				c.Emit("n", n)
				if err := srv.Emit("n", n); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
			if came := c.Received(); len(came) > 0 || len(heard) > 0 {
				t.Fatalf("%v and %d events came through", came, len(heard))
			}
			if lost {
				c.Cut()
				c.Up()
				c.Reconnected()
				siotest.ExpectNone(c, "n")
				if len(heard) > 0 {
					t.Errorf("%d events came to the server", len(heard))
				}
				continue
			}
			c.Up()
			for n := range 3 {
				if got := siotest.Next[int](c, "n"); got != n {
					t.Errorf("%d came, want %d", got, n)
				}
				if got := <-heard; got != n {
					t.Errorf("%d came to the server, want %d", got, n)
				}
			}
		}
	})
}

func TestDelay(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport siotest.Option) {
		srv := newServer(t, core.Config{})
		core.OnCall(srv, "echo", func(_ *core.Context, in []byte) ([]byte, error) { return in, nil })
		c := siotest.Serve(t, srv).Dial(transport)
		c.Delay(time.Second)
		began := time.Now()
		large := bytes.Repeat([]byte("x"), 600<<10) // more than fits into the window
		if got := siotest.Call[[]byte](c, "echo", large); !bytes.Equal(got, large) {
			t.Errorf("%d bytes came back", len(got))
		}
		// There and back, in at most three windows each: what is under way at once is delayed at once.
		if took := time.Since(began); took < 2*time.Second || took > 7*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}
