package core_test

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"

	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/cluster/membus"
	"github.com/siokit/siokit/core"
)

// namingLink notes which namespaces the server says it has.
type namingLink struct {
	cluster.Link
	opening, goOn chan struct{}

	mu   sync.Mutex
	said []string // guarded by mu
}

func newNamingLink(t *testing.T) *namingLink {
	node, err := cluster.NewNode(new(membus.Hub).Bus(), cluster.Options{})
	check(t, err)
	return &namingLink{Link: node, opening: make(chan struct{}, 10), goOn: make(chan struct{})}
}

func (l *namingLink) say(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said = append(l.said, what)
}

func (l *namingLink) heard() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.said)
}

func (l *namingLink) OpenNamespace(name string) {
	l.opening <- struct{}{}
	<-l.goOn
	l.say("open " + name)
}

func (l *namingLink) CloseNamespace(name string) { l.say("close " + name) }

// The only client of a dynamic namespace leaves while that is announced: what the link hears last is the end, or it
// would keep the channels of a namespace that is gone.
func TestLinkHearsOfANamespacesEndLast(t *testing.T) {
	link := newNamingLink(t)
	a := serve(t, core.Config{Link: link})
	a.OfFunc(func(context.Context, string, json.RawMessage) (bool, error) { return true, nil })
	p := a.dial("websocket")
	p.send("0/x,")
	receive(t, link.opening)
	p.kill()
	eventually(t, "the client is gone", func() bool { return a.Clients() == 0 })
	close(link.goOn)
	eventually(t, "the namespace is closed", func() bool { return lastHeard(link, "close /x") })
	if got := link.heard(); !slices.Contains(got, "open /x") {
		t.Errorf("the link heard %q", got)
	}
}

func lastHeard(link *namingLink, last string) bool {
	said := link.heard()
	return len(said) > 1 && said[len(said)-1] == last
}

// A pattern that is removed is closed like any namespace.
func TestLinkHearsOfAPatternsEnd(t *testing.T) {
	link := newNamingLink(t)
	close(link.goOn)
	a := serve(t, core.Config{Link: link})
	check(t, a.OfPattern("/org/{id}").Remove())
	if got := link.heard(); !slices.Equal(got, []string{"open /org/{id}", "close /org/{id}"}) {
		t.Errorf("the link heard %q", got)
	}
}
