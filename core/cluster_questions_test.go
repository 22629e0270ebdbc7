package core_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siokit/siokit/cluster/membus"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/wire/msgpack"
	"github.com/siokit/siokit/wire/sio"
)

// python is a Python process on a hub.
type python struct{ *membus.Bus }

// emit sends an event to everybody, with an ack if callback is above 0.
func (p python) emit(t *testing.T, event string, arg, callback int) {
	t.Helper()
	back := "null"
	if callback > 0 {
		back = fmt.Sprintf(`["somebody","/",%d]`, callback)
	}
	check(t, p.Publish(fmt.Appendf(nil, `{"method":"emit","host_id":"python","namespace":"/","event":%q,"data":[%d],"binary":false,"room":null,"skip_sid":null,"callback":%s}`, event, arg, back)))
}

// The events of one process reach a client in their order, whether or not acks are wanted, and however many
// acks are still to come.
func TestClusterEventsWithAcksKeepTheirOrder(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		var hub membus.Hub
		p := serve(t, core.Config{Bus: hub.Bus()}).dial(transport)
		p.join("/", "")
		worker := python{hub.Bus()}
		const many = 400 // more than a server answers at a time
		for i := range many {
			worker.emit(t, "ask", i, i+1)
			worker.emit(t, "tell", i, 0)
		}
		for i := range many {
			for _, want := range []string{fmt.Sprintf(`["ask",%d]`, i), fmt.Sprintf(`["tell",%d]`, i)} {
				m, ok := p.next()
				if !ok || strings.TrimLeft(m.text, "0123456789") != want {
					t.Fatalf("got %q, want %s (open: %t)", m.text, want, ok)
				}
			}
		}
	})
}

// brittle is a parser that panics for every second question.
type brittle struct {
	sio.Parser
	asked *atomic.Int64
}

func (b brittle) Encode(dst []byte, p sio.Packet) (sio.Frame, error) {
	if p.Type == sio.Event && p.ID >= 0 && b.asked.Add(1)%2 == 0 {
		panic("the parser is broken")
	}
	return b.Parser.Encode(dst, p)
}

// A parser that panics in a question, of this server or of another, costs the question and nothing else: the
// process lives, and who has been asked before goes on.
func TestParserPanicsInQuestions(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		var hub membus.Hub
		a := serve(t, core.Config{Bus: hub.Bus(), Parser: brittle{msgpack.Parser{}, new(atomic.Int64)}})
		peers := []*peer{a.dial(transport), a.dial(transport)}
		for _, p := range peers {
			p.joinPacked()
		}
		wait := func(event string) {
			t.Helper()
			for _, p := range peers {
				for {
					m, ok := p.next()
					if !ok {
						t.Fatalf("closed before %s", event)
					}
					if strings.Contains(string(m.binary), event) {
						break
					}
				}
			}
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the parser did not panic")
				}
			}()
			for range core.Gather[core.None](t.Context(), a.Timeout(time.Minute), "here?") {
				t.Error("an answer")
			}
		}()
		check(t, a.Emit("after one"))
		wait("after one")

		python{hub.Bus()}.emit(t, "there?", 1, 1)
		eventually(t, "the panic is counted", func() bool { return a.Panics() > 0 })
		check(t, a.Emit("after two"))
		wait("after two")
	})
}

// talkative is a bus on which somebody speaks as soon as there is a subscription.
type talkative struct {
	*membus.Bus
	heard chan struct{}
}

func (b talkative) Subscribe(ctx context.Context, receive func(msg []byte)) error {
	go func() {
		defer close(b.heard)
		for range 100 {
			receive([]byte(`{"method":"close_room","host_id":"python","namespace":"/","room":"r"}`))
		}
	}()
	return b.Bus.Subscribe(ctx, receive)
}

// Other processes do not wait until New has returned. (What would go wrong is for the race detector to see.)
func TestOthersSpeakBeforeNewReturns(t *testing.T) {
	bus := talkative{new(membus.Hub).Bus(), make(chan struct{})}
	a := serve(t, core.Config{Bus: bus})
	receive(t, bus.heard)
	if n := a.ClusterStats().Received; n != 100 {
		t.Errorf("%d messages were received", n)
	}
}
