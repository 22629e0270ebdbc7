package engineio_test

import (
	"context"
	"errors"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siokit/siokit/engineio"
)

func TestShutdown(t *testing.T) {
	t.Run("graceful", func(t *testing.T) {
		r := serve(t, engineio.Config{})
		base := runtime.NumGoroutine()
		ws, s := r.ws(t)
		sid, p := r.open(t)
		poll := r.park(t, sid)
		_ = s.send("last words")
		done := make(chan error, 1)
		go func() { done <- r.srv.Shutdown(context.Background()) }()
		ws.wantText("4last words")
		ws.wantClose(1001)
		poll.answer("GET").want(t, 200, "1")
		if err := <-done; err != nil {
			t.Error(err)
		}
		s.wantClosed(t, engineio.ServerShutdown)
		p.wantClosed(t, engineio.ServerShutdown)
		for _, query := range []string{polling, webSocket} {
			header := upgradeHeaders
			if query == polling {
				header = nil
			}
			if a := r.request(t, "GET", query, header...); a.status != 503 || a.header.Get("Retry-After") == "" {
				t.Errorf("a handshake after Shutdown: %d %v", a.status, a.header)
			}
		}
		_ = ws.Close()
		_ = poll.Close()
		r.client.CloseIdleConnections()
		goroutines(t, base)
		if err := r.srv.Shutdown(context.Background()); err != nil {
			t.Errorf("a second Shutdown: %v", err)
		}
	})
	t.Run("draining", func(t *testing.T) {
		r := serve(t, engineio.Config{})
		sid, _ := r.open(t)
		r.srv.Drain()
		if a := r.request(t, "GET", polling); a.status != 503 {
			t.Errorf("%d", a.status)
		}
		r.alive(t, sid)
		r.upgrade(t, sid)
	})
	t.Run("ctx ends first", func(t *testing.T) {
		r := serve(t, engineio.Config{CloseTimeout: time.Hour})
		ws, s := r.ws(t)
		r.open(t)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- r.srv.Shutdown(ctx) }()
		if got := ws.closed(); got != closePayload(1001, "") { // and does not answer it
			t.Errorf("closed with %q", got)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		s.wantClosed(t, engineio.ServerShutdown)
		ws.wantEOF()
	})
}

// G-04, small: a client of every kind comes and goes, and nothing is left of it.
func TestChurn(t *testing.T) {
	const n = 200
	r := serve(t, engineio.Config{Origins: []string{"http://app.test"}, UpgradeTimeout: 3 * time.Second, PingInterval: 3 * time.Second, PingTimeout: 3 * time.Second}, receiving(echo))
	first, _ := r.ws(t)
	first.wantEcho("clock and workers run")
	_ = first.Close()
	ended := func() bool { return r.srv.Stats().Connections == 0 }
	eventually(t, "the first is gone", ended)
	r.client.CloseIdleConnections()
	base := runtime.NumGoroutine()
	for name, visit := range map[string]func(){
		"ws": func() {
			ws, _ := r.ws(t)
			ws.wantEcho("x")
			ws.put(string(frame(fin|opClose, "")))
			ws.closed()
			_ = ws.Close()
		},
		"ws without goodbye":   func() { ws, _ := r.ws(t); _ = ws.Close() },
		"polling":              func() { sid, _ := r.open(t); r.post(t, sid, "4x"); r.get(t, sid); r.post(t, sid, "1") },
		"upgraded":             func() { sid, _ := r.open(t); ws := r.upgrade(t, sid); ws.wantEcho("x"); _ = ws.Close() },
		"101 only":             func() { sid, _ := r.open(t); _ = r.probe(t, sid).Close() },
		"101 only, ws kept":    func() { sid, _ := r.open(t); r.probe(t, sid) },
		"stopped after 2probe": func() { sid, _ := r.open(t); ws := r.probe(t, sid); ws.send("2probe"); _ = ws.Close() },
		"stopped after 3probe": func() {
			sid, _ := r.open(t)
			ws := r.probe(t, sid)
			ws.send("2probe")
			ws.wantText("3probe")
		},
		"refused origin": func() { r.request(t, "GET", polling, "Origin: http://evil.test").wantForbidden(t) },
		"refused upgrade origin": func() {
			r.request(t, "GET", webSocket, withUpgrade("Origin: http://evil.test")...).wantForbidden(t)
		},
		"abandoned":      func() { r.open(t) },
		"abandoned poll": func() { sid, _ := r.open(t); _ = r.park(t, sid).Close() },
	} {
		var wg sync.WaitGroup
		var left atomic.Int64
		left.Store(n)
		for range 8 {
			wg.Go(func() {
				for left.Add(-1) >= 0 {
					visit()
				}
			})
		}
		if wg.Wait(); t.Failed() {
			t.Fatalf("the visit %q", name)
		}
	}
	eventually(t, "no session is left", ended) // those that were abandoned end together
	r.client.CloseIdleConnections()
	goroutines(t, base+5)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.order {
		s.until(t, "closed", func() bool { return len(s.reasons()) > 0 }) // the server forgets a session before it says so
		if got := s.reasons(); len(got) != 1 {
			t.Fatalf("a Receiver was closed %d times: %v", len(got), got)
		}
	}
}

// G-05: every method from 16 goroutines while the connection closes.
func TestMethodsWhileClosing(t *testing.T) {
	r := serve(t, engineio.Config{CloseTimeout: 50 * time.Millisecond}, receiving(echo))
	for round := range 60 {
		var s *session
		var ws *wsock
		switch round % 3 {
		case 0:
			ws, s = r.ws(t)
		case 1:
			_, s = r.open(t)
		case 2:
			var sid string
			sid, s = r.open(t)
			ws = r.probe(t, sid)
			ws.send("2probe")
			ws.wantText("3probe")
			ws.send("5")
		}
		var wg sync.WaitGroup
		if ws != nil {
			wg.Go(func() {
				for {
					if _, _, err := ws.next(); err != nil {
						return
					}
				}
			})
		}
		for g := range 16 {
			wg.Go(func() {
				for i := range 30 {
					m := message("x", []byte{1})
					switch (g + i) % 8 {
					case 0:
						_ = s.conn.Send(m)
					case 1:
						_ = s.conn.SendNow(m)
					case 2:
						var b engineio.Batch
						b.Send(s.conn, m)
						b.Done()
					case 3:
						_, _, _ = s.conn.Transport(), s.conn.Receiver(), s.conn.Server()
					case 4:
						_ = s.conn.SendSoon(m)
						_ = s.conn.Context().Err()
					case 5:
						_, _ = r.srv.Stats(), r.srv.Conns()
					case 6:
						if i > 20 && g < 4 {
							s.conn.Close(engineio.ServerClose)
						}
					case 7:
						if i > 25 && g == 5 {
							s.conn.Fail(engineio.ForcedClose, errors.New("enough"))
						}
					}
				}
			})
		}
		s.until(t, "closed", func() bool { return len(s.reasons()) == 1 })
		if ws != nil {
			_, _ = ws.Write(frame(fin|opClose, "")) // it may be gone already
		}
		wg.Wait()
		if got := s.reasons(); len(got) != 1 {
			t.Fatalf("closed %v", got)
		}
	}
	eventually(t, "all gone", func() bool { return r.srv.Stats().Connections == 0 })
}

// F-01, small: clients that do not read cost their own connection and nobody else's time.
func TestSlowConsumers(t *testing.T) {
	const healthy, stalled, size = 20, 50, 100_000
	r := serve(t, engineio.Config{PingInterval: time.Hour}) // nobody answers pings
	var conns []*engineio.Conn
	var arrived atomic.Int64
	more := make(chan struct{}, healthy)
	var wg sync.WaitGroup
	var readers []*wsock
	for range healthy {
		ws, s := r.ws(t)
		conns, readers = append(conns, s.conn), append(readers, ws)
		wg.Go(func() {
			for {
				if _, _, err := ws.next(); err != nil {
					return
				}
				arrived.Add(1)
				select {
				case more <- struct{}{}:
				default:
				}
			}
		})
	}
	var slow []*session
	for i := range stalled {
		if i%5 == 0 {
			_, s := r.open(t) // a client that does not poll
			slow = append(slow, s)
			continue
		}
		ws, s := r.ws(t)
		_ = ws.Conn.(*net.TCPConn).SetReadBuffer(4 << 10)
		slow = append(slow, s)
	}
	for _, s := range slow {
		conns = append(conns, s.conn)
	}
	m := message(strings.Repeat("x", size))
	var before, peak runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var worst, waited time.Duration
	rounds := 0
	for ; r.srv.Stats().SlowConsumers < stalled; rounds++ {
		if rounds == 500 {
			t.Fatalf("%d of %d slow clients are cut off after %d messages", r.srv.Stats().SlowConsumers, stalled, rounds)
		}
		start := time.Now()
		var b engineio.Batch
		for _, c := range conns {
			b.Send(c, m)
		}
		b.Done()
		worst = max(worst, time.Since(start))
		for arrived.Load() < int64(healthy*(rounds+1)) {
			select {
			case <-more:
			case <-time.After(patience):
				t.Fatal("a healthy client waits")
			}
		}
		waited = max(waited, time.Since(start))
	}
	runtime.ReadMemStats(&peak)
	for _, s := range slow {
		s.wantClosed(t, engineio.SlowConsumer)
	}
	if got := r.srv.Stats(); got.SlowConsumers != stalled || got.Connections != healthy {
		t.Errorf("%+v", got)
	}
	if grown := int64(peak.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 {
		t.Errorf("the heap grew by %d MiB: are payloads copied per client?", grown>>20)
	}
	if limit := bar(250 * time.Millisecond); waited > limit || worst > limit {
		t.Errorf("a broadcast blocked for %s and reached the healthy after %s", worst, waited)
	}
	for _, ws := range readers {
		_ = ws.Close()
	}
	wg.Wait()
}
