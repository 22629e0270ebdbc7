package clustertest

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/siokit/siokit/cluster"
)

// server is a cluster.Local that writes down what it is told, and has one socket.
type server struct {
	name  string // of its socket
	calls chan string
}

func (s *server) record(what string, a cluster.Audience, rest ...any) {
	to := "*"
	if !a.All {
		to = fmt.Sprintf("rooms=%v", a.Rooms)
	}
	if len(a.Except) > 0 {
		to += fmt.Sprintf(" except=%v", a.Except)
	}
	s.calls <- strings.TrimSpace(fmt.Sprintln(append([]any{what, a.Namespace, to}, rest...)...))
}

func (s *server) Emit(e *cluster.Emit) {
	rest := []any{string(e.Data)}
	for _, a := range e.Attachments {
		rest = append(rest, "+"+hex.EncodeToString(a))
	}
	s.record("emit "+e.Event, e.Audience, rest...)
}
func (s *server) Join(a cluster.Audience, rooms []string)  { s.order("join", a, rooms) }
func (s *server) Leave(a cluster.Audience, rooms []string) { s.order("leave", a, rooms) }
func (s *server) Disconnect(a cluster.Audience, transport bool) {
	s.order("disconnect", a, transport)
}

// order records what is to be done with an audience, unless that is the socket of another server.
func (s *server) order(what string, a cluster.Audience, rest any) {
	if len(a.Rooms) == 1 && len(a.Rooms[0]) == len(s.name) && a.Rooms[0] != s.name {
		return
	}
	s.record(what, a, rest)
}
func (s *server) Revoked(data []byte)        { s.calls <- "revoked " + string(data) }
func (s *server) Count(cluster.Audience) int { return 1 }

func (s *server) Has(_, sid string) bool { return sid == s.name }
func (s *server) socket() cluster.Socket { return cluster.Socket{ID: s.name, Rooms: []string{s.name}} }
func (s *server) answer() cluster.Reply {
	return cluster.Reply{SID: s.name, Data: []byte(`["` + s.name + `"]`)}
}
func (s *server) Fetch(cluster.Audience) []cluster.Socket { return []cluster.Socket{s.socket()} }
func (s *server) Gather(_ context.Context, _ *cluster.Emit, each func(cluster.Reply)) (wait func()) {
	return func() { each(s.answer()) }
}
func (s *server) ServerEvent(_ context.Context, _ string, e *cluster.Emit) (cluster.Reply, bool) {
	s.calls <- "server event " + e.Event
	return s.answer(), true
}

// expect reads what the server is told next.
func (s *server) expect(t *testing.T, want ...string) {
	t.Helper()
	for _, w := range want {
		select {
		case got := <-s.calls:
			if got != w {
				t.Errorf("%s was told %q, want %q", s.name, got, w)
			}
		case <-time.After(patience):
			t.Fatalf("%s waited in vain for %q", s.name, w)
		}
	}
}

// sid makes a name that looks like a socket's.
func sid(name string) string { return name + strings.Repeat("-", 20-len(name)) }

// node starts a node with a server that has the socket sid(name).
func (s *suite) node(t *testing.T, bus cluster.Bus, name string, opts cluster.Options) (*cluster.Node, *server) {
	t.Helper()
	if opts.Logger == nil {
		opts.Logger = discard
	}
	n, err := cluster.NewNode(bus, opts)
	if err != nil {
		t.Fatal(err)
	}
	local := &server{name: sid(name), calls: make(chan string, 100_000)}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := n.Start(ctx, local); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := n.Close(ctx); err != nil {
			t.Errorf("closing a node: %v", err)
		}
	})
	return n, local
}

// know waits until a node knows so many others.
func know(t *testing.T, n *cluster.Node, others int) {
	t.Helper()
	until(t, fmt.Sprintf("%d other nodes are known", others), func() bool { return len(n.Nodes()) == others })
}

func everyone() cluster.Audience { return cluster.Audience{Namespace: "/", All: true} }

func event(name string, a cluster.Audience) *cluster.Emit {
	return &cluster.Emit{Audience: a, Event: name, Data: []byte(`[1]`)}
}
