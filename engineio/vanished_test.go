package engineio_test

import (
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/siokit/siokit/engineio"
)

// descriptors counts the open files of this process, -1 where that cannot be known.
func descriptors() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	return len(entries)
}

// baseline remembers goroutines and open files; settled waits, two seconds of an idle machine, until
// there are no more than then.
func baseline(t testing.TB, r *rig) (settled func(what string, extraFiles int)) {
	t.Helper()
	r.client.CloseIdleConnections()
	last := -1 // what earlier tests left open closes in its own time
	eventually(t, "idle connections are gone", func() bool {
		n := runtime.NumGoroutine()
		still := n == last
		last = n
		time.Sleep(20 * time.Millisecond)
		return still
	})
	workers := runtime.GOMAXPROCS(0) + 1 // flush workers and clock start with the first connection
	routines, files := runtime.NumGoroutine()+workers, descriptors()
	return func(what string, extraFiles int) {
		t.Helper()
		r.client.CloseIdleConnections()
		within(t, 2*time.Second, what+": back to the baseline", func() {
			goroutines(t, routines)
			eventually(t, what+": open files", func() bool { return descriptors() <= files+extraFiles })
		})
	}
}

// narrow is a network whose buffers in the kernel are small: what is written stands still soon.
type narrow struct{ network }

func (n narrow) Accept() (net.Conn, error) {
	c, err := n.network.Accept()
	if err == nil {
		err = c.(*net.TCPConn).SetWriteBuffer(4 << 10)
	}
	return c, err
}

func (n narrow) Dial() (net.Conn, error) {
	c, err := n.network.Dial()
	if err == nil {
		err = c.(*net.TCPConn).SetReadBuffer(4 << 10)
	}
	return c, err
}

// F-02: clients that vanish without a word, a hundred of each kind. Their ends of the connections stay
// open, as when a cable is pulled, until the server has given up on them.
func TestVanishedClients(t *testing.T) {
	const n = 100
	for _, row := range []struct {
		id     string
		vanish func(t *testing.T, r *rig) (*wire, *session)
		reason engineio.Reason
		keeps  int // server ends that live as long as net/http keeps an idle connection
	}{
		{"F-02a WebSocket, idle", func(t *testing.T, r *rig) (*wire, *session) {
			ws, s := r.ws(t)
			return ws.wire, s
		}, engineio.PingTimeout, 0},
		{"F-02b WebSocket, while it is written to", func(t *testing.T, r *rig) (*wire, *session) {
			ws, s := r.ws(t)
			if err := s.send(strings.Repeat("x", 1<<20)); err != nil && err != engineio.ErrClosed { // closed: this took all of two seconds
				t.Fatal(err)
			}
			return ws.wire, s
		}, "", 0}, // the write or the ping, whichever is given up first
		{"F-02c polling, between polls", func(t *testing.T, r *rig) (*wire, *session) {
			w := r.dial(t)
			w.put(rawRequest("GET", polling, ""))
			return w, r.session(parseOpen(t, w.answer("GET").body).SID)
		}, engineio.PingTimeout, n},
		{"F-02d polling, parked", func(t *testing.T, r *rig) (*wire, *session) {
			sid, s := r.open(t)
			w := r.dial(t)
			w.put(rawRequest("GET", polling+"&sid="+sid, "")) // parked until the ping
			return w, s
		}, engineio.PingTimeout, n},
		{"F-02f probing", func(t *testing.T, r *rig) (*wire, *session) {
			sid, s := r.open(t)
			return r.probe(t, sid).wire, s
		}, engineio.PingTimeout, 0},
	} {
		t.Run(row.id, func(t *testing.T) {
			r := serve(t, engineio.Config{PingInterval: 1500 * time.Millisecond, PingTimeout: 700 * time.Millisecond, UpgradeTimeout: 300 * time.Millisecond,
				WriteTimeout: 300 * time.Millisecond, OutboxBytes: 16 << 20}, on(narrow{listen(t)}))
			settled := baseline(t, r)
			wires, sessions := make([]*wire, n), make([]*session, n)
			for i := range wires {
				wires[i], sessions[i] = row.vanish(t, r)
			}
			for _, s := range sessions {
				if row.reason != "" {
					s.wantClosed(t, row.reason)
					continue
				}
				s.until(t, "closed", func() bool { return len(s.reasons()) > 0 })
			}
			eventually(t, "no session is left", func() bool { return r.srv.Stats().Connections == 0 })
			if row.keeps == 0 {
				settled("clients still there", n)
			}
			r.request(t, "GET", polling+"&sid="+engineio.SessionID(sessions[0].conn)).wantUnknownSession(t)
			for _, w := range wires {
				_ = w.Close()
			}
			settled("clients gone", 0)
			for _, s := range sessions {
				if got := s.reasons(); len(got) != 1 {
					t.Fatalf("closed %q, want once", got)
				}
			}
		})
	}
}
