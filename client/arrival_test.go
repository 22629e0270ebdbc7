package client_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/core"
)

// When Call returns, OnArrival has seen what the server sent before the ack, though no handler is done with it. A
// panic costs nothing.
func TestArrivalsAndAcksAreInOrder(t *testing.T) {
	url := serve(t, core.Config{}, func(srv *core.Server) {
		core.OnCall(srv, "count", func(c *core.Context, n int) (int, error) {
			for i := range n {
				if err := c.Emit("n", i, []byte{byte(i)}); err != nil {
					return 0, err
				}
			}
			return n, nil
		})
	})
	everyTransport(t, func(t *testing.T, opts client.Options) {
		c := newClient(t, url, opts)
		var seen []int // owned by the reader until Call returns
		var readers atomic.Int32
		c.Of("").OnArrival(func(event string, args client.Args) {
			defer readers.Add(-1)
			if readers.Add(1) > 1 || event != "n" || args.Len() != 2 {
				t.Errorf("%s with %d arguments", event, args.Len())
			}
			var i int
			if err := args.Decode(0, &i); err != nil {
				t.Error(err)
			}
			seen = append(seen, i)
			panic("an observer's")
		})
		blocked := make(chan struct{})
		handled := make(chan int, 10)
		client.On(c, "n", func(_ context.Context, in client.Args2[int, []byte]) error {
			<-blocked
			handled <- in.A
			return nil
		})
		connect(t, c)
		if _, err := client.Call[int](within(t), c, "count", 3); err != nil {
			t.Fatal(err)
		}
		if want := []int{0, 1, 2}; !slices.Equal(seen, want) || len(handled) > 0 {
			t.Errorf("%v had arrived and %d were handled", seen, len(handled))
		}
		close(blocked)
		for i := range 3 {
			if got := next(t, handled); got != i {
				t.Errorf("handled %d, want %d", got, i)
			}
		}
	})
}
