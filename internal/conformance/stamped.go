package conformance

import (
	"sync"

	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/internal/delivery"
)

// notes are what clients have sent to "take", by sender, until they ask for it. Who sends is a name of the
// client's own, so that it can come back after a restart.
type notes struct {
	mu      sync.Mutex
	entries map[string][]delivery.Entry // guarded by mu
}

func newNotes() *notes { return &notes{entries: make(map[string][]delivery.Entry)} }

func (n *notes) add(e delivery.Entry) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.entries[e.Sender] = append(n.entries[e.Sender], e)
}

// take removes the oldest entries of a sender, at most 1,000.
func (n *notes) take(sender string) []delivery.Entry {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := n.entries[sender]
	some := append([]delivery.Entry{}, all[:min(len(all), 1000)]...)
	if n.entries[sender] = all[len(some):]; len(some) == len(all) {
		delete(n.entries, sender)
	}
	return some
}

// Delivering asks for stamped messages, "delivered", to a room: Count of a stream, beginning with From.
type Delivering struct {
	Room   string `json:"room"`
	Stream string `json:"stream"`
	From   int    `json:"from"`
	Count  int    `json:"count"`
}

// answerStamped lets the Go client be judged: stamped messages in both directions.
func answerStamped(ns *core.Namespace, n *notes) {
	core.On(ns, "take", func(_ *core.Context, m delivery.Message) error { n.add(m.Entry()); return nil })
	core.OnCall(ns, "taken", func(_ *core.Context, sender string) ([]delivery.Entry, error) { return n.take(sender), nil })
	core.On(ns, "deliver", func(c *core.Context, in Delivering) error {
		for seq := in.From; seq < in.From+in.Count; seq++ {
			attachments := 0
			if seq%5 == 0 {
				attachments = 2
			}
			if err := c.Namespace().To(in.Room).Emit("delivered", delivery.New("server", in.Stream, seq, attachments)); err != nil {
				return err
			}
		}
		return nil
	})
}
