package core_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/siokit/siokit/core"
)

// A client that is cut off once more while it comes back, before it was told that it is connected, has not
// taken its session up: it may come back again.
func TestRecoveryCutWhileComingBack(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a, gone := recovering(t, core.Config{})
		back, release := make(chan struct{}, 1), make(chan struct{})
		a.OnConnect(func(c *core.Context) error {
			if c.Recovered() {
				back <- struct{}{}
				<-release
			}
			return nil
		})
		p := a.arrive(transport, "/", "", "")
		p.kill()
		receive(t, gone)
		check(t, a.Emit("missed", 1))
		q := a.dial(transport)
		q.send(fmt.Sprintf(`0{"pid":%q}`, p.pid))
		receive(t, back)
		q.kill()
		eventually(t, "the second cut is noticed", func() bool { return a.Clients() == 0 })
		close(release)
		receive(t, gone)
		check(t, a.Emit("missed", 2))
		r := a.arrive(transport, "/", p.pid, "")
		if r.sid != p.sid {
			t.Fatal("a new session")
		}
		r.wantEvents(`2["missed",1]`, `2["missed",2]`)
		r.wantAlive()
	})
}

// The rooms that OnDisconnect sees are those of its socket, whatever the one that came back does.
func TestRecoveryLeavesTheOldSocketsRooms(t *testing.T) {
	a, _ := recovering(t, core.Config{})
	rooms := make(chan []string, 1)
	busy, release := make(chan struct{}), make(chan struct{})
	core.On(a, "busy", func(*core.Context, core.None) error { close(busy); <-release; return nil })
	core.On(a, "leave", func(c *core.Context, room string) error { c.Leave(room); return nil })
	a.OnDisconnect(func(c *core.Context, _ core.Reason) {
		select {
		case rooms <- c.Rooms():
		default:
		}
	})
	p := a.arrive("websocket", "/", "", "")
	p.send(`20["join","r"]`)
	p.want(`30[]`)
	p.send(`2["busy"]`)
	receive(t, busy)
	p.kill()
	eventually(t, "the cut is noticed", func() bool { return a.Clients() == 0 })
	q := a.arrive("websocket", "/", p.pid, "")
	if q.sid != p.sid {
		t.Fatal("a new session")
	}
	q.send(`20["leave","r"]`)
	q.want(`30[]`)
	close(release)
	if got := receive(t, rooms); !slices.Contains(got, "r") {
		t.Errorf("the old socket's rooms are %q", got)
	}
}

// What was sent to a room before a client joined it is not for that client, also when it comes back.
func TestRecoveryReplaysNothingOfBeforeAJoin(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a, gone := recovering(t, core.Config{})
		p := a.arrive(transport, "/", "", "")
		check(t, a.Emit("all"))
		p.wantEvents(`2["all"]`)
		check(t, a.To("r").Emit("of before"))
		p.send(`20["join","r"]`)
		p.want(`30[]`)
		p.kill()
		receive(t, gone)
		check(t, a.To("r").Emit("missed"))
		p2 := a.arrive(transport, "/", p.pid, p.offset)
		if p2.sid != p.sid {
			t.Fatal("a new session")
		}
		p2.wantEvents(`2["missed"]`)
		p2.wantAlive()
	})
}
