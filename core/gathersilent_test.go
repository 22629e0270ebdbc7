package core_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/cluster/membus"
	"github.com/siokit/siokit/core"
)

// lateLink says who was silent only after the time of whoever asks is over, as on a busy machine.
type lateLink struct {
	cluster.Link
	over chan struct{}
}

func (l *lateLink) Gather(context.Context, *cluster.Emit, func(cluster.Reply)) error {
	<-l.over
	time.Sleep(20 * time.Millisecond)
	return &cluster.SilentError{Nodes: []string{"mute"}}
}

// shortly is when these tests' questions end: late enough that they have been asked before, on a busy machine too.
const shortly = 3 * time.Second

func TestGatherNamesWhoWasSilentAtTheEnd(t *testing.T) {
	t.Parallel()
	for name, ask := range map[string]func(a *app) (context.Context, core.Broadcast){
		"context": func(a *app) (context.Context, core.Broadcast) {
			ctx, cancel := context.WithTimeout(context.Background(), shortly)
			t.Cleanup(cancel)
			return ctx, a.Everybody()
		},
		"Timeout": func(a *app) (context.Context, core.Broadcast) {
			return context.Background(), a.Timeout(shortly)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it waits
			node, err := cluster.NewNode(new(membus.Hub).Bus(), cluster.Options{})
			check(t, err)
			link := &lateLink{node, make(chan struct{})}
			a := serve(t, core.Config{Link: link})
			id := a.dial("websocket").join("/", "")
			ctx, to := ask(a)
			var silent []string
			for r, err := range core.Gather[core.None](ctx, to, "vote") {
				if who, ok := errors.AsType[*cluster.SilentError](err); ok {
					silent = append(silent, who.Nodes...)
				} else if r.ID != id || err != core.ErrTimeout {
					t.Errorf("%+v %v", r, err)
				} else {
					close(link.over)
				}
			}
			if !slices.Equal(silent, []string{"mute"}) {
				t.Errorf("silent: %q", silent)
			}
		})
	}
}

// AskServers says who was silent also when it is ctx that ends it.
func TestAskServersNamesWhoWasSilentByADeadline(t *testing.T) {
	t.Parallel() // it waits
	hub := new(membus.Hub)
	a := serve(t, core.Config{Bus: hub.Bus()})
	check(t, hub.Bus().Publish([]byte(`{"method":"go.hello","host_id":"mute","go":{"seq":1}}`)))
	eventually(t, "the other is known", func() bool { return len(a.Nodes()) == 1 })
	ctx, cancel := context.WithTimeout(context.Background(), shortly)
	defer cancel()
	var silent []string
	for _, err := range core.AskServers[int](ctx, a, "load") {
		if who, ok := errors.AsType[*cluster.SilentError](err); ok {
			silent = append(silent, who.Nodes...)
		} else {
			t.Error(err)
		}
	}
	if !slices.Equal(silent, []string{"mute"}) {
		t.Errorf("silent: %q", silent)
	}
}
