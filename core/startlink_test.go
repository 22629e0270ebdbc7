package core_test

import (
	"context"
	"sync"
	"testing"

	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/cluster/membus"
	"github.com/siokit/siokit/core"
)

// eagerLink has messages for the server as soon as it has been started, as a broker with busy members.
type eagerLink struct {
	cluster.Link
	told sync.WaitGroup
}

func (l *eagerLink) Start(ctx context.Context, local cluster.Local) error {
	l.told.Go(func() {
		everybody := cluster.Audience{Namespace: "/", All: true}
		local.Join(everybody, []string{"r"})
		local.Disconnect(everybody, false)
	})
	return l.Link.Start(ctx, local)
}

// What other processes say while New is still at work is taken. (The race detector sees it if not.)
func TestMessagesOfOthersWhileNewRuns(t *testing.T) {
	for range 20 {
		node, err := cluster.NewNode(new(membus.Hub).Bus(), cluster.Options{})
		check(t, err)
		link := &eagerLink{Link: node}
		serve(t, core.Config{Link: link})
		link.told.Wait()
	}
}
