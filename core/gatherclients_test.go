package core_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/cluster/membus"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/internal/delivery"
	"github.com/siokit/siokit/siotest"
)

// mortal is a bus that can be cut off: its process has died without a word.
type mortal struct {
	cluster.Bus
	dead atomic.Bool
}

func (m *mortal) Publish(msg []byte) error {
	if m.dead.Load() {
		return nil
	}
	return m.Bus.Publish(msg)
}

func (m *mortal) Subscribe(ctx context.Context, receive func(msg []byte)) error {
	return m.Bus.Subscribe(ctx, func(msg []byte) {
		if !m.dead.Load() {
			receive(msg)
		}
	})
}

// D-09: Go clients on three servers are asked. One in twenty never answers, and one server dies while half of
// its clients are thinking: the result is every answer that was given, who did not answer on the living
// servers, and that the dead one is silent; then nothing is kept.
func TestGatherFromGoClientsWhileAServerDies(t *testing.T) {
	const nodes, timeout = 3, 20 * time.Second
	each := delivery.Size(100, 334, 334)
	synctest.Test(t, func(t *testing.T) {
		hub := new(membus.Hub)
		var buses [nodes]*mortal
		var servers [nodes]*core.Server
		var clients [nodes][]*siotest.Client
		killed := make(chan struct{})
		mute, thinking, voted := map[string]bool{}, map[string]bool{}, map[string]bool{} // by id
		for i := range nodes {
			buses[i] = &mortal{Bus: hub.Bus()}
			srv, err := core.New(core.Config{Bus: buses[i], Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
			if err != nil {
				t.Fatal(err)
			}
			servers[i] = srv
			ts := siotest.Serve(t, srv)
			for k := range each {
				c := ts.Dial()
				clients[i] = append(clients[i], c)
				switch id := c.ID(); {
				case k%20 == 0:
					mute[id] = true // no handler: no ack
					continue
				case i == nodes-1 && k%2 == 0:
					thinking[id] = true
				default:
					voted[id] = true
				}
				client.OnCall(c, "vote", func(ctx context.Context, question string) (string, error) {
					if thinking[c.ID()] {
						select {
						case <-killed:
						case <-ctx.Done():
						}
					}
					return question + " " + c.ID(), nil
				})
			}
		}
		for _, srv := range servers {
			eventually(t, "the servers know each other", func() bool { return len(srv.Nodes()) == nodes-1 })
		}
		dead := nodes - 1
		onDead := map[string]bool{}
		for _, c := range clients[dead] {
			onDead[c.ID()] = true
		}

		answered, missing := map[string]bool{}, map[string]error{}
		var silent *cluster.SilentError
		begin := time.Now()
		var once sync.Once
		for r, err := range core.Gather[string](t.Context(), servers[0].Timeout(timeout), "vote", "tea?") {
			switch {
			case r.ID == "" && errors.As(err, &silent):
			case answered[r.ID] || missing[r.ID] != nil:
				t.Errorf("a second entry for %s: %v", r.ID, err)
			case err != nil:
				missing[r.ID] = err
			case r.Answer != "tea? "+r.ID:
				t.Errorf("%s answered %q", r.ID, r.Answer)
			default:
				answered[r.ID] = true
			}
			if len(answered) == len(voted) {
				once.Do(func() {
					buses[dead].dead.Store(true)
					for _, c := range clients[dead] {
						c.Down()
					}
					close(killed)
				})
			}
		}
		if took := time.Since(begin); took > timeout+50*time.Millisecond {
			t.Errorf("it took %s", took)
		}
		for id := range voted {
			if !answered[id] {
				t.Errorf("the answer of %s is lost", id)
			}
		}
		for id := range mute {
			if err := missing[id]; !onDead[id] && !errors.Is(err, core.ErrTimeout) {
				t.Errorf("%s never answers: %v", id, err)
			}
		}
		for id, err := range missing {
			if !mute[id] && !thinking[id] {
				t.Errorf("%s has answered, and is missing: %v", id, err)
			}
		}
		if len(answered) != len(voted) || silent == nil || len(silent.Nodes) != 1 {
			t.Errorf("%d answers of %d, silent: %v", len(answered), len(voted), silent)
		}
		t.Logf("%d clients: %d answers, %d missing by name, %v, after %s", nodes*each, len(answered), len(missing), silent, time.Since(begin))
		for i, srv := range servers {
			for _, s := range srv.Sockets() {
				if n := s.PendingAcks(); n != 0 && i != dead {
					t.Errorf("server %d keeps %d acks of %s", i, n, s.ID())
				}
			}
		}
	})
}
