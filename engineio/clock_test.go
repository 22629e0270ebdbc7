package engineio_test

import (
	"math"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siokit/siokit/engineio"
)

const (
	interval = 25 * time.Second
	timeoutD = 20 * time.Second
	tick     = time.Millisecond
)

// bubble runs f with a server in memory and a clock that only moves when everybody waits. The
// defaults of Config hold, so that the numbers are those that users get.
func bubble(t *testing.T, cfg engineio.Config, f func(t *testing.T, r *rig), options ...option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f(t, serve(t, cfg, append(options, on(newMemory()))...))
	})
}

// pass lets d pass, to the point where everybody waits again.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// silent checks, in a bubble, that nothing has arrived. A deadline that has passed already would hide what has.
func (w *wire) silent(what string) {
	w.t.Helper()
	_ = w.SetReadDeadline(time.Now().Add(time.Nanosecond))
	if b, err := w.br.ReadByte(); err == nil {
		w.t.Fatalf("%s: got %q", what, b)
	}
}

func TestHeartbeat(t *testing.T) {
	t.Run("WebSocket", func(t *testing.T) {
		bubble(t, engineio.Config{}, func(t *testing.T, r *rig) {
			ws, s := r.ws(t)
			for range 3 {
				pass(interval - tick)
				ws.silent("before the interval")
				pass(tick)
				ws.wantText("2")
				pass(timeoutD - tick)
				s.wantOpen(t)
				ws.send("3")
				synctest.Wait() // the next interval begins with the pong
			}
			pass(interval)
			ws.wantText("2")
			pass(timeoutD - tick)
			s.wantOpen(t)
			pass(tick)
			s.wantClosed(t, engineio.PingTimeout)
			ws.wantEOF()
		})
	})
	t.Run("polling F-02d", func(t *testing.T) {
		bubble(t, engineio.Config{}, func(t *testing.T, r *rig) {
			sid, s := r.open(t)
			start := time.Now()
			r.get(t, sid).want(t, 200, "2")
			if took := time.Since(start); took != interval {
				t.Errorf("the ping came after %s", took)
			}
			poll := r.dial(t)
			poll.put(rawRequest("GET", polling+"&sid="+sid, "")) // and then the link goes dead
			pass(timeoutD - tick)
			s.wantOpen(t)
			pass(tick)
			s.wantClosed(t, engineio.PingTimeout)
			poll.answer("GET").want(t, 200, "1")
			r.get(t, sid).wantUnknownSession(t)
		})
	})
	t.Run("F-02c between polls, H-32", func(t *testing.T) {
		bubble(t, engineio.Config{}, func(t *testing.T, r *rig) {
			sid, s := r.open(t)
			pass(interval + timeoutD - tick)
			s.wantOpen(t)
			pass(tick)
			s.wantClosed(t, engineio.PingTimeout)
			r.get(t, sid).wantUnknownSession(t)
		})
	})
	// The 25 s of the heartbeat keep proxies that cut what is idle for 30 s or longer from cutting, and no poll waits longer.
	t.Run("F-03 nothing is idle for more than an interval", func(t *testing.T) {
		bubble(t, engineio.Config{}, func(t *testing.T, r *rig) {
			ws, s := r.ws(t)
			sid, polled := r.open(t)
			for range 24 { // 10 minutes
				start := time.Now()
				r.get(t, sid).want(t, 200, "2")
				if idle := time.Since(start); idle > interval {
					t.Errorf("a poll waited for %s", idle)
				}
				ws.wantText("2") // at the same time: both began together
				ws.send("3")
				r.post(t, sid, "3").want(t, 200, "ok")
				synctest.Wait()
			}
			s.wantOpen(t)
			polled.wantOpen(t)
			ws.silent("beside the heartbeat")
		})
	})
	t.Run("V-41 unsolicited pongs", func(t *testing.T) {
		bubble(t, engineio.Config{}, func(t *testing.T, r *rig) {
			ws, s := r.ws(t)
			synctest.Wait() // the handshake's goroutine has become the reader's
			goroutines, timers := runtime.NumGoroutine(), engineio.Timers(r.srv)
			for range 24 {
				pass(time.Second)
				ws.put(strings.Repeat(string(frame(fin|opText, "3")), 1000))
			}
			synctest.Wait()
			if g, n := runtime.NumGoroutine(), engineio.Timers(r.srv); g > goroutines || n != timers {
				t.Errorf("%d goroutines and %d timers, were %d and %d", g, n, goroutines, timers)
			}
			pass(time.Second - tick)
			ws.silent("before the interval")
			pass(tick)
			ws.wantText("2")
			pass(timeoutD)
			s.wantClosed(t, engineio.PingTimeout)
		})
	})
	t.Run("W-13 WebSocket pings are no pongs", func(t *testing.T) {
		bubble(t, engineio.Config{}, func(t *testing.T, r *rig) {
			ws, s := r.ws(t)
			for range 45 {
				s.wantOpen(t)
				ws.put(string(frame(fin|opPing, "x")) + string(frame(fin|opText, "4x")))
				pass(time.Second)
			}
			s.wantClosed(t, engineio.PingTimeout)
		})
	})
	t.Run("across an upgrade", func(t *testing.T) {
		bubble(t, engineio.Config{}, func(t *testing.T, r *rig) {
			sid, s := r.open(t)
			pass(10 * time.Second)
			ws := r.upgrade(t, sid)
			pass(15*time.Second - tick)
			ws.silent("before the interval")
			pass(tick)
			ws.wantText("2")
			pass(timeoutD)
			s.wantClosed(t, engineio.PingTimeout)
		})
	})
	t.Run("a Receiver that blocks is no dead client", func(t *testing.T) {
		bubble(t, engineio.Config{}, func(t *testing.T, r *rig) {
			block := make(chan struct{})
			ws, s := r.ws(t)
			s.on = func(*session, string, bool) { <-block }
			ws.send("4block")
			synctest.Wait()
			pass(5 * (interval + timeoutD))
			s.wantOpen(t)
			close(block)
			for range 2 { // the pings of the meantime are still to be read; a pong answers them
				ws.wantText("2")
			}
			ws.send("3")
			pass(timeoutD - tick)
			s.wantOpen(t)
		})
	})
}

func TestTimeouts(t *testing.T) {
	t.Run("U-09 F-02f upgradeTimeout", func(t *testing.T) {
		for _, probe := range []string{"", "2probe"} {
			bubble(t, engineio.Config{}, func(t *testing.T, r *rig) {
				sid, s := r.open(t)
				ws := r.probe(t, sid)
				if probe != "" {
					ws.send(probe)
					ws.wantText("3probe")
				}
				pass(10*time.Second - tick)
				ws.silent("before upgradeTimeout")
				if !engineio.Probing(s.conn) {
					t.Error("given up early")
				}
				pass(tick)
				ws.wantEOF()
				r.alive(t, sid)
				r.upgrade(t, sid)
			}, receiving(nil))
		}
	})
	t.Run("a WebSocket ping leaves no write deadline on a probe", func(t *testing.T) {
		bubble(t, engineio.Config{}, func(t *testing.T, r *rig) {
			sid, _ := r.open(t)
			ws := r.probe(t, sid)
			ws.put(string(frame(fin|opPing, "x")))
			ws.want(opPong, "x")
			pass(5 * time.Second)
			ws.send("2probe")
			ws.wantText("3probe")
			ws.send("5")
			ws.wantEcho("upgraded")
		}, receiving(echo))
	})
	t.Run("V-09 half-done upgrades", func(t *testing.T) {
		bubble(t, engineio.Config{}, func(t *testing.T, r *rig) {
			const n = 200
			var socks []*wsock
			for range n {
				sid, _ := r.open(t)
				socks = append(socks, r.probe(t, sid))
			}
			r.client.CloseIdleConnections()
			pass(10 * time.Second)
			for _, ws := range socks {
				ws.wantEOF()
			}
			if got := r.srv.Stats().Connections; got != n {
				t.Errorf("%d sessions after upgradeTimeout, want %d", got, n)
			}
			pass(35 * time.Second)
			if got := r.srv.Stats().Connections; got != 0 {
				t.Errorf("%d sessions left", got)
			}
			if got := engineio.Timers(r.srv); got != 0 {
				t.Errorf("%d timers left", got)
			}
		})
	})
	t.Run("P-24 body", func(t *testing.T) {
		bubble(t, engineio.Config{PingInterval: time.Hour}, func(t *testing.T, r *rig) {
			sid, s := r.open(t)
			w := r.dial(t)
			w.put("POST /?" + polling + "&sid=" + sid + " HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n")
			for range 29 {
				pass(time.Second)
				w.put("4")
			}
			pass(time.Second - tick)
			w.silent("before BodyTimeout")
			s.wantOpen(t)
			pass(tick)
			w.answer("POST").wantRefused(t, 408, 3, "Bad request")
			w.wantEOF()
			s.wantClosed(t, engineio.TransportError)
			s.wantMessages(t)
		})
	})
	t.Run("a body whose session ends is not waited for", func(t *testing.T) {
		bubble(t, engineio.Config{PingInterval: time.Second, PingTimeout: time.Second}, func(t *testing.T, r *rig) {
			sid, s := r.open(t)
			w := r.dial(t)
			w.put("POST /?" + polling + "&sid=" + sid + " HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n4")
			pass(2 * time.Second)
			s.wantClosed(t, engineio.PingTimeout)
			w.answer("POST").wantBadRequest(t)
			w.wantEOF()
		})
	})
	t.Run("closeTimeout, polling", func(t *testing.T) {
		bubble(t, engineio.Config{}, func(t *testing.T, r *rig) {
			sid, s := r.open(t)
			_ = s.send("last words")
			s.conn.Close(engineio.ServerClose)
			s.wantClosed(t, engineio.ServerClose)
			pass(5*time.Second - tick)
			r.get(t, sid).want(t, 200, "4last words") // what is queued first, alone
			r.get(t, sid).want(t, 200, "1")
			r.get(t, sid).wantUnknownSession(t)

			sid, s = r.open(t)
			s.conn.Close(engineio.ServerClose)
			pass(5 * time.Second)
			r.get(t, sid).wantUnknownSession(t)
		})
	})
	t.Run("closeTimeout, WebSocket", func(t *testing.T) {
		bubble(t, engineio.Config{}, func(t *testing.T, r *rig) {
			ws, s := r.ws(t)
			s.conn.Close(engineio.ServerClose)
			if got := ws.closed(); got != closePayload(1000, "") {
				t.Errorf("closed with %q", got)
			}
			pass(5*time.Second - tick)
			ws.silent("the server waits for the peer's close frame")
			if r.srv.Stats().Connections != 1 {
				t.Error("dropped early")
			}
			pass(tick)
			ws.wantEOF()
			if r.srv.Stats().Connections != 0 {
				t.Error("not dropped")
			}
		})
	})
	t.Run("F-02b writeTimeout", func(t *testing.T) {
		bubble(t, engineio.Config{OutboxBytes: 8 << 20}, func(t *testing.T, r *rig) {
			_, s := r.ws(t)
			_ = s.send(strings.Repeat("x", 4<<20))
			// The first look found that something had moved; ten more found nothing.
			pass(11*time.Second - tick)
			s.wantOpen(t)
			pass(tick)
			s.wantClosed(t, engineio.SlowConsumer)
		})
	})
	t.Run("a slow reader that makes progress lives", func(t *testing.T) {
		bubble(t, engineio.Config{OutboxBytes: 8 << 20, PingInterval: time.Hour}, func(t *testing.T, r *rig) {
			ws, s := r.ws(t)
			_ = s.send(strings.Repeat("x", 1<<20))
			buf := make([]byte, 64<<10)
			for read := 0; read < 1<<20; {
				pass(9 * time.Second)
				s.wantOpen(t)
				_ = ws.SetReadDeadline(time.Now().Add(time.Minute))
				n, err := ws.br.Read(buf)
				if err != nil {
					t.Fatal(err)
				}
				read += n
			}
		})
	})
	t.Run("F-04 server timeouts, 3 ping cycles", func(t *testing.T) {
		bubble(t, engineio.Config{}, func(t *testing.T, r *rig) {
			sid, s := r.open(t)
			for range 3 {
				r.get(t, sid).want(t, 200, "2")
				r.post(t, sid, "3").want(t, 200, "ok")
			}
			s.wantOpen(t)
		}, httpServer(func(s *http.Server) {
			s.WriteTimeout, s.ReadTimeout, s.IdleTimeout = 5*time.Second, 5*time.Second, 5*time.Second
		}))
	})
}

// What SendSoon keeps back leaves after a millisecond, or with what follows.
func TestSendSoon(t *testing.T) {
	bubble(t, engineio.Config{}, func(t *testing.T, r *rig) {
		ws, s := r.ws(t)
		for range 3 {
			synctest.Wait() // while the message before is written, the next one leaves with it
			_ = s.conn.SendSoon(message("a"))
			pass(tick - time.Microsecond)
			ws.silent("within the millisecond")
			pass(time.Microsecond)
			ws.wantText("4a")
		}
		_ = s.conn.SendSoon(message("b"))
		_ = s.send("c")
		synctest.Wait()
		ws.wantText("4b")
		ws.wantText("4c")
		_ = s.conn.SendSoon(message("d"))
		s.conn.Close(engineio.ServerClose)
		ws.wantText("4d")
		ws.wantClose(1000)
		sid, s := r.open(t)
		_ = s.conn.SendSoon(message("e"))
		r.get(t, sid).want(t, 200, "4e")
	})
}

// The longest Duration is how programs say "never".
func TestTimerThatNeverFires(t *testing.T) {
	bubble(t, engineio.Config{}, func(t *testing.T, r *rig) {
		r.open(t)
		pass(time.Second)
		never := r.srv.AfterFunc(math.MaxInt64, func() { t.Error("it fires") })
		fired := make(chan struct{})
		r.srv.AfterFunc(time.Second, func() { close(fired) })
		pass(2 * time.Second)
		select {
		case <-fired:
		default:
			t.Error("others do not fire either")
		}
		if !r.srv.Stop(never) {
			t.Error("it is not armed")
		}
	})
}
