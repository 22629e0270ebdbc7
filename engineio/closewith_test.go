package engineio_test

import (
	"errors"
	"testing"

	"github.com/siokit/siokit/engineio"
)

// A poll that is parked gets all of the last messages: the client may not be let in for another.
func TestCloseWith(t *testing.T) {
	errLast := errors.New("the login ended")
	last := func() []*engineio.Message { return []*engineio.Message{message("why"), message("bye")} }
	for range 50 { // two messages and a wake-up: the order decides
		r := serve(t, engineio.Config{})
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
