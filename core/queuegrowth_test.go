package core_test

import (
	"testing"

	"github.com/siokit/siokit/core"
)

// A client that sends so steadily that its queue never gets empty costs no more memory than what waits in it.
func TestQueueThatIsNeverEmpty(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		const batches, size = 200, 100
		a := serve(t, core.Config{})
		room := make(chan int, 1)
		seen := 0
		core.On(a, "e", func(c *core.Context, _ core.None) error {
			if seen++; seen == batches*size {
				room <- c.QueueRoom()
				return nil
			}
			eventually(t, "others wait", func() bool { return c.QueuedEvents() > 1 || seen > batches*size-3 })
			return nil
		})
		p := a.dial(transport)
		p.join("/", "")
		var packets []any
		for range size {
			packets = append(packets, `2["e"]`)
		}
		go func() {
			for range batches {
				p.send(packets...)
			}
		}()
		if got := receive(t, room); got > 2048 {
			t.Errorf("after %d events, of which at most 256 waited, the queue has room for %d", batches*size, got)
		}
	})
}
