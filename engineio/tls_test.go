package engineio_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siokit/siokit/engineio"
)

// secure is a network in memory with TLS on it, whose server side can be made to take no more bytes.
type secure struct {
	*memory
	config *tls.Config
	full   atomic.Pointer[half] // what the last client reads from
}

func newSecure(t *testing.T) *secure {
	ts := httptest.NewUnstartedServer(nil)
	ts.StartTLS()
	defer ts.Close()
	return &secure{memory: newMemory(), config: &tls.Config{Certificates: ts.TLS.Certificates}}
}

func (s *secure) Accept() (net.Conn, error) {
	c, err := s.memory.Accept()
	if err != nil {
		return nil, err
	}
	return tls.Server(c, s.config), nil
}

func (s *secure) Dial() (net.Conn, error) {
	c, err := s.memory.Dial()
	if err != nil {
		return nil, err
	}
	s.full.Store(c.(*memoryConn).in)
	return tls.Client(c, &tls.Config{InsecureSkipVerify: true}), nil
}

// fill leaves the server no room to write to the last client.
func (s *secure) fill() {
	h := s.full.Load()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.limit = len(h.data)
}

// overTLS is bubble with TLS.
func overTLS(t *testing.T, f func(t *testing.T, r *rig, network *secure)) {
	t.Helper()
	network := newSecure(t)
	synctest.Test(t, func(t *testing.T) {
		network.memory = newMemory()
		f(t, serve(t, engineio.Config{}, on(network)), network)
	})
}

// A client with a slow link gets a large message over TLS as well: what counts is that it goes on. A write to a
// tls.Conn that has timed out is the last one.
func TestSlowLinkOverTLS(t *testing.T) {
	overTLS(t, func(t *testing.T, r *rig, _ *secure) {
		ws, s := r.ws(t)
		const step, steps = 16 << 10, 40
		if err := s.send(strings.Repeat("x", steps*step-len("4"))); err != nil {
			t.Fatal(err)
		}
		_ = ws.SetReadDeadline(time.Now().Add(time.Minute))
		for i := range steps {
			pass(time.Second / 4)
			if _, err := io.ReadFull(ws.br, make([]byte, step)); err != nil {
				t.Errorf("the link broke after %d of %d steps: %v", i, steps, err)
				break
			}
		}
		s.wantOpen(t)
	})
}

func TestStalledLinkOverTLS(t *testing.T) {
	overTLS(t, func(t *testing.T, r *rig, _ *secure) {
		_, s := r.ws(t)
		if err := s.send(strings.Repeat("x", 600_000)); err != nil {
			t.Fatal(err)
		}
		pass(10*time.Second - tick)
		s.wantOpen(t)
		pass(5 * time.Second)
		s.wantClosed(t, engineio.SlowConsumer)
	})
}

// Closing a tls.Conn writes, and waits up to 5 s for it. Nobody else's time stands still meanwhile.
func TestCloseOverTLSHoldsUpNobody(t *testing.T) {
	overTLS(t, func(t *testing.T, r *rig, network *secure) {
		ws, s := r.ws(t)
		s.conn.Close(engineio.ServerClose)
		if got := ws.closed(); got != closePayload(1000, "") {
			t.Fatalf("closed with %q", got)
		}
		synctest.Wait()
		network.fill()
		fired := make(chan time.Time, 1)
		due := time.Now().Add(6 * time.Second)
		r.srv.AfterFunc(6*time.Second, func() { fired <- time.Now() })
		if late := (<-fired).Sub(due); late > 10*tick {
			t.Errorf("the server's clock was held up for %s", late)
		}
	})
}
