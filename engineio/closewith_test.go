package engineio_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siokit/siokit/engineio"
)

// A poll that is parked gets all of the last messages: the client may not be let in for another.
func TestCloseWith(t *testing.T) {
	errLast := errors.New("the login ended")
	last := func() []*engineio.Message { return []*engineio.Message{message("why"), message("bye")} }
	for range 50 { // two messages and a wake-up: the order decides
		r := serve(t, engineio.Config{CloseTimeout: time.Minute})
		ws, s := r.ws(t)
		sid, p := r.open(t)
		poll := r.park(t, sid)
		s.conn.CloseWith(engineio.ServerClose, errLast, last()...)
		p.conn.CloseWith(engineio.ServerClose, errLast, last()...)
		ws.wantText("4why")
		ws.wantText("4bye")
		ws.wantClose(1000)
		poll.answer("GET").want(t, 200, "4why\x1e4bye")
		s.wantClosed(t, engineio.ServerClose)
		p.wantClosed(t, engineio.ServerClose)
		p.conn.CloseWith(engineio.ServerClose, nil, message("too late"))
		if a := r.request(t, "GET", polling+"&sid="+sid); a.body != "1" {
			t.Errorf("the next poll: %d %q", a.status, a.body)
		}
	}
}

// A client that has read "3probe" and a noop does not poll any more. What is left for it, and the end,
// waits for its "5"; engine.io-client would otherwise not notice before its ping timeout.
func TestCloseWithWhileUpgrading(t *testing.T) {
	r := serve(t, engineio.Config{CloseTimeout: time.Minute})
	begin := func() (string, *session, *wsock) {
		sid, s := r.open(t)
		poll := r.park(t, sid)
		ws := r.probe(t, sid)
		ws.send("2probe")
		ws.wantText("3probe")
		poll.answer("GET").want(t, 200, "6")
		s.conn.CloseWith(engineio.ServerClose, nil, message("why"))
		s.wantClosed(t, engineio.ServerClose)
		return sid, s, ws
	}
	_, _, ws := begin()
	ws.send("5")
	ws.wantText("4why")
	ws.wantClose(1000)

	// One that had not come to that polls once more, or twice.
	sid, _, ws := begin()
	r.get(t, sid).want(t, 200, "4why")
	r.get(t, sid).want(t, 200, "1")
	_ = ws.closed()
	r.gone(t, sid)
}

// Clients that ping by themselves do so in the middle of the end as well. They get what is left all the same.
func TestPingWhileClosing(t *testing.T) {
	bubble(t, engineio.Config{}, func(t *testing.T, r *rig) {
		ws, s := r.ws(t)
		last := strings.Repeat("x", 200_000) // more than the network takes at once
		_ = s.send(last)
		s.conn.Close(engineio.ServerClose)
		synctest.Wait()
		ws.put(string(frame(fin|opPing, "there?")))
		synctest.Wait()
		ws.wantText("4" + last)
		ws.wantClose(1000)
	})
}
