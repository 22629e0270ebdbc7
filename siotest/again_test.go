package siotest_test

import (
	"testing"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/siotest"
)

// A client may leave its last namespace and join it again at once, on a new connection.
func TestOfJoinsTheLastNamespaceAgain(t *testing.T) {
	srv, err := core.New(core.Config{})
	if err != nil {
		t.Fatal(err)
	}
	core.OnCall(srv, "twice", func(_ *core.Context, i int) (int, error) { return 2 * i, nil })
	ts := siotest.Serve(t, srv)
	for _, transport := range []string{"polling", "websocket"} {
		t.Run(transport, func(t *testing.T) {
			c := ts.In(t).Dial(siotest.Transports(transport))
			for i := range 50 {
				c.Client.Of("/").Disconnect()
				if got := siotest.Call[int](c.Of("/"), "twice", i); got != 2*i {
					t.Fatalf("got %d", got)
				}
			}
			c.Client.Of("/").Disconnect()
			if reason := c.Disconnected(); reason != client.ClientDisconnect {
				t.Errorf("disconnected: %s", reason)
			}
		})
	}
}
