package core_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/siokit/siokit/core"
)

// members connects n clients; client i is in room "all" and in "r<i>".
func members(t *testing.T, a *app, transport string, n int) ([]*peer, []*core.Socket) {
	t.Helper()
	peers, sockets := make([]*peer, n), make([]*core.Socket, n)
	for i := range n {
		peers[i] = a.dial(transport)
		s, ok := a.Socket(peers[i].join("/", ""))
		if !ok {
			t.Fatal("a connected socket is not found")
		}
		if err := s.Join("all", fmt.Sprintf("r%d", i)); err != nil {
			t.Fatal(err)
		}
		sockets[i] = s
	}
	return peers, sockets
}

func TestAudiences(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{})
		peers, s := members(t, a, transport, 4)
		outsider := a.dial(transport)
		a.Of("/other")
		other := outsider.join("/other", "")
		so, _ := a.Of("/other").Socket(other)
		_ = so.Join("all", "r0")
		for i, row := range []struct {
			name string
			to   core.Broadcast
			want string // the peers it reaches
		}{
			{"everybody", a.Except(), "0123"},
			{"a room", a.To("r1"), "1"},
			{"a socket's own room", a.To(s[2].ID()), "2"},
			{"union, each once", a.To("all", "r1", "r1", s[1].ID()), "0123"},
			{"union by chaining", a.To("r0").To("r3"), "03"},
			{"an unknown room", a.To("none"), ""},
			{"no rooms", a.To(), ""},
			{"the empty name", a.To(""), ""},
			{"the empty name among others", a.To("", "r1"), "1"},
			{"everybody narrowed to nobody", a.Except().To(""), ""},
			{"except a room", a.Except("r0"), "123"},
			{"except a socket", a.To("all").Except(s[1].ID(), "r2"), "03"},
			{"except nobody", a.Except(""), "0123"},
			{"room of a socket leaves it out", s[0].To("all"), "123"},
			{"own room of a socket", s[0].To("r0"), ""},
			{"broadcast", s[3].Broadcast(), "012"},
			{"everybody with options", a.Compress(false).Local().Timeout(1), "0123"},
			{"options, then rooms", a.Local().To("r0").Compress(true).To("r3", "r0").Timeout(1), "03"},
			{"options, then nobody", a.Timeout(1).To(), ""},
			{"options between exceptions", s[0].To("all").Compress(false).Except("r2").Local(), "13"},
			{"broadcast with options", s[3].Broadcast().Compress(false).Except(s[1].ID()), "02"},
			{"broadcast to a room", s[3].Broadcast().To("r3", "r2"), "2"},
			{"another client's own room", s[0].To(s[1].ID()), "1"},
		} {
			var reached string
			for j, member := range s {
				if slices.Contains(row.to.Sockets(), member) {
					reached += fmt.Sprint(j)
				}
			}
			if reached != row.want || row.to.Count() != len(row.want) {
				t.Errorf("%s: Sockets are %q, Count %d, want %q", row.name, reached, row.to.Count(), row.want)
			}
			if err := row.to.Emit("e", i); err != nil {
				t.Error(err)
			}
			for j, p := range peers {
				if slices.Contains([]byte(row.want), byte('0'+j)) {
					p.want(fmt.Sprintf(`2["e",%d]`, i))
				}
				p.wantAlive() // and nothing else
			}
		}
		outsider.send(`1/other,`, "0")
		outsider.want(connected)
	})
}

func TestRoomsOfOneSocket(t *testing.T) {
	a := serve(t, core.Config{})
	left := make(chan []string, 1)
	a.Use(func(ctx context.Context) error { c, _ := core.From(ctx); return c.Join("from middleware") })
	a.OnConnect(func(c *core.Context) error {
		if err := c.Join("from connect"); err != nil {
			return err
		}
		return a.To("from connect", "from middleware").Emit("hello", c.InRoom(c.ID()), c.InRoom("none"))
	})
	a.OnDisconnect(func(c *core.Context, _ core.Reason) {
		if err := c.Join("late"); err != core.ErrDisconnected {
			t.Errorf("Join after the end: %v", err)
		}
		c.Leave("from connect")
		if n := a.To("from connect", c.ID()).Count(); n != 0 {
			t.Errorf("%d sockets are left in the rooms", n)
		}
		left <- c.Rooms()
	})
	p := a.dial("websocket")
	sid := p.join("/", "")
	p.want(`2["hello",true,false]`)
	s, _ := a.Socket(sid)
	if err := s.Join("a", ""); err == nil || s.InRoom("a") {
		t.Errorf("the empty room was joined: %v", err)
	}
	s.Leave(sid)
	_ = s.Join("a", "b", "a", sid)
	s.Leave("b", "never joined")
	_ = a.To("b").Emit("no")
	_ = a.To(sid).Emit("yes")
	p.want(`2["yes"]`)
	p.wantAlive()
	p.kill()
	rooms := receive(t, left)
	slices.Sort(rooms)
	want := []string{"a", "from connect", "from middleware", sid}
	slices.Sort(want)
	if !slices.Equal(rooms, want) {
		t.Errorf("rooms in OnDisconnect: %q, want %q", rooms, want)
	}
	if n := a.Of("/").RoomCount(); n != 0 {
		t.Errorf("%d rooms are left", n)
	}
}

// D-07: when Join has returned, every emit arrives; when Leave has, none does.
func TestJoinThenEmit(t *testing.T) {
	a := serve(t, core.Config{OutboxPackets: 1 << 20, OutboxBytes: 1 << 28})
	peers, s := members(t, a, "websocket", 4)
	rounds := 20_000
	if testing.Short() {
		rounds = 1000
	}
	var wg sync.WaitGroup
	for i, socket := range s {
		wg.Go(func() {
			for n := range rounds {
				if err := socket.Join("x"); err != nil {
					t.Error(err)
				}
				emitted := make(chan struct{})
				go func() { _ = a.To("x").Except(others(s, i)...).Emit("in", n); close(emitted) }()
				<-emitted
				socket.Leave("x")
				_ = a.To("x").Except(others(s, i)...).Emit("out", n)
			}
		})
		wg.Go(func() {
			for n := range rounds {
				if m, ok := peers[i].next(); !ok || m.text != fmt.Sprintf(`2["in",%d]`, n) {
					t.Errorf("round %d: %q", n, m.text)
					return
				}
			}
		})
	}
	wg.Wait()
}

func others(sockets []*core.Socket, i int) []string {
	var ids []string
	for j, s := range sockets {
		if j != i {
			ids = append(ids, s.ID())
		}
	}
	return ids
}

func TestBroadcastsAreValues(t *testing.T) {
	a := serve(t, core.Config{})
	_, s := members(t, a, "websocket", 4)
	base := a.To("r0")
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 1000 {
				narrowed := base.To(fmt.Sprintf("r%d", i), "none").Except(s[0].ID())
				if got := narrowed.Sockets(); i > 0 && (len(got) != 1 || got[0] != s[i]) {
					t.Errorf("r%d: %v", i, got)
				}
			}
		})
	}
	wg.Wait()
	if got := base.Sockets(); len(got) != 1 || got[0] != s[0] {
		t.Errorf("the shared value has changed: %v", got)
	}
}
