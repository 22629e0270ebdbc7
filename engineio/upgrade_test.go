package engineio_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siokit/siokit/engineio"
)

// The rows U of the bar.
func TestUpgrade(t *testing.T) {
	r := serve(t, engineio.Config{}, receiving(echo))
	probing := func(s *session) bool { return engineio.Probing(s.conn) }
	t.Run("U-01", func(t *testing.T) {
		sid, s := r.open(t)
		poll := r.park(t, sid)
		ws := r.probe(t, sid)
		ws.send("2probe")
		ws.wantText("3probe")
		poll.answer("GET").want(t, 200, "6")
		start := time.Now() // each further poll is released too, or a client hangs for a ping interval
		r.get(t, sid).want(t, 200, "6")
		if took := time.Since(start); took < 90*time.Millisecond || took > bar(100*time.Millisecond) {
			t.Errorf("a poll while probing took %s", took)
		}
		ws.send("5")
		ws.wantEcho("on WebSocket")
		if got := s.conn.Transport(); got != engineio.WebSocket {
			t.Errorf("transport %q", got)
		}
		t.Run("U-02", func(t *testing.T) {
			r.get(t, sid).wantBadRequest(t)
			r.post(t, sid, "4x").wantBadRequest(t)
		})
		t.Run("U-03", func(t *testing.T) {
			r.request(t, "GET", webSocket+"&sid="+sid, upgradeHeaders...).wantBadRequest(t)
		})
		ws.wantEcho("unharmed")
		s.wantMessages(t, "on WebSocket", "unharmed")
	})
	t.Run("U-04 A-26", func(t *testing.T) {
		sid, _ := r.open(t)
		ws := r.probe(t, sid)
		r.request(t, "GET", webSocket+"&sid="+sid, upgradeHeaders...).wantBadRequest(t)
		ws.send("2probe")
		ws.wantText("3probe")
		ws.send("5")
		ws.wantEcho("the first wins")
	})
	for id, frames := range map[string]string{
		"U-05":             string(frame(fin|opText, "5")),
		"U-06 message":     string(frame(fin|opText, "42[1]")),
		"U-06 ping":        string(frame(fin|opText, "2")),
		"U-06 2probeX":     string(frame(fin|opText, "2probeX")),
		"U-06 binary":      string(frame(fin|opBinary, "2probe")),
		"U-06 empty":       string(frame(fin|opText, "")),
		"U-06 after probe": string(frame(fin|opText, "2probe")) + string(frame(fin|opText, "42[1]")),
		"U-07":             "\x81\x062probe",
		"U-08":             strings.Repeat(string(frame(fin|opText, "2probe")), 6) + string(frame(fin|opText, "5")),
		"invalid UTF-8":    string(frame(fin|opText, "2probe\xff")),
	} {
		t.Run(id, func(t *testing.T) {
			sid, s := r.open(t)
			ws := r.probe(t, sid)
			ws.put(frames)
			code := ws.closed()
			if id == "U-07" && code[:2] != closePayload(1002, "") {
				t.Errorf("closed with %q, want 1002", code)
			}
			eventually(t, "the place is free", func() bool { return !probing(s) })
			s.wantOpen(t)
			s.wantMessages(t)
			_ = ws.Close()
			r.upgrade(t, sid).wantEcho("at last") // D-03: a second try is accepted
		})
	}
	t.Run("U-08 five", func(t *testing.T) {
		sid, _ := r.open(t)
		ws := r.probe(t, sid)
		for range 5 {
			ws.send("2probe")
			ws.wantText("3probe")
		}
		ws.send("5")
		ws.wantEcho("upgraded")
	})
	t.Run("U-10 D-03", func(t *testing.T) {
		sid, s := r.open(t)
		ws := r.probe(t, sid)
		ws.send("2probe")
		ws.wantText("3probe")
		_ = ws.Close()
		eventually(t, "the place is free", func() bool { return !probing(s) })
		r.post(t, sid, "4still polling")
		r.get(t, sid).want(t, 200, "4still polling")
		r.upgrade(t, sid).wantEcho("at last")
	})
	t.Run("U-12 U-13 A-25", func(t *testing.T) {
		ws, s := r.ws(t)
		sid := engineio.SessionID(s.conn)
		r.request(t, "GET", webSocket+"&sid="+sid, upgradeHeaders...).wantBadRequest(t)
		r.get(t, sid).wantBadRequest(t)
		r.post(t, sid, "1").wantBadRequest(t)
		ws.wantEcho("unharmed")
	})
	t.Run("U-14", func(t *testing.T) {
		sid, s := r.open(t)
		ws := r.probe(t, sid)
		ws.send("2probe")
		ws.wantText("3probe")
		r.post(t, sid, "1").want(t, 200, "ok")
		ws.closed()
		s.wantClosed(t, engineio.TransportClose)
		r.gone(t, sid)
	})
	t.Run("U-15 D-02", func(t *testing.T) {
		sid, s := r.open(t)
		ws := r.probe(t, sid)
		ws.send("2probe")
		ws.wantText("3probe")
		r.post(t, sid, "4one").want(t, 200, "ok")
		r.get(t, sid).want(t, 200, "4one")
		_ = s.send("two")
		_ = s.send("three")
		ws.send("5")
		ws.wantText("4two") // what was left is first
		ws.wantText("4three")
		ws.wantEcho("four")
		s.wantMessages(t, "one", "four")
	})
	t.Run("D-02 a poll at the switch gets nothing", func(t *testing.T) {
		sid, s := r.open(t)
		ws := r.probe(t, sid)
		ws.send("2probe")
		ws.wantText("3probe")
		poll := r.dial(t) // a client that does not wait for its poll
		poll.put(rawRequest("GET", polling+"&sid="+sid, ""))
		answered := make(chan answer, 1)
		go func() {
			a, err := poll.tryAnswer("GET")
			if err != nil {
				t.Error(err)
			}
			answered <- a
		}()
		// It is parked for 100 ms only: on a busy machine we may not see it, but then its answer comes.
		eventually(t, "parked", func() bool { return parked(s) || len(answered) > 0 })
		ws.send("5")
		eventually(t, "upgraded", func() bool { return s.conn.Transport() == engineio.WebSocket })
		for i := range 100 {
			_ = s.send(string(rune('A' + i%26)))
		}
		a := <-answered
		a.want(t, 200, "6")
		for i := range 100 {
			ws.wantText("4" + string(rune('A'+i%26)))
		}
	})
	t.Run("U-16 A-26", func(t *testing.T) {
		sid, _ := r.open(t)
		var wg sync.WaitGroup
		var mu sync.Mutex
		var winners []*wsock
		for range 100 {
			w := r.dial(t)
			wg.Go(func() {
				_, err := w.Write([]byte(rawRequest("GET", webSocket+"&sid="+sid, "", upgradeHeaders...)))
				a, readErr := w.tryAnswer("GET")
				switch {
				case err != nil || readErr != nil:
					t.Errorf("%v, %v", err, readErr)
				case a.status == 101:
					mu.Lock()
					winners = append(winners, &wsock{w})
					mu.Unlock()
				default:
					a.wantBadRequest(t)
				}
			})
		}
		wg.Wait()
		if len(winners) != 1 {
			t.Fatalf("%d winners", len(winners))
		}
		winners[0].send("2probe")
		winners[0].wantText("3probe")
		winners[0].send("5")
		winners[0].wantEcho("won")
	})
}

func TestUpgradesSwitchedOff(t *testing.T) {
	for name, cfg := range map[string]engineio.Config{
		"DisableUpgrades": {DisableUpgrades: true},
		"polling only":    {Transports: []string{engineio.Polling}},
	} {
		t.Run(name, func(t *testing.T) {
			r := serve(t, cfg)
			a := r.get(t, "")
			o := parseOpen(t, a.body)
			if len(o.Upgrades) != 0 || !strings.Contains(a.body, `"upgrades":[]`) {
				t.Errorf("%s", a.body)
			}
			if a := r.request(t, "GET", webSocket+"&sid="+o.SID, upgradeHeaders...); a.status != 400 {
				t.Errorf("%d %s", a.status, a.body)
			}
			r.alive(t, o.SID)
		})
	}
	t.Run("websocket only", func(t *testing.T) {
		r := serve(t, engineio.Config{Transports: []string{engineio.WebSocket}}, receiving(echo))
		r.request(t, "GET", polling).wantRefused(t, 400, 0, "Transport unknown")
		ws, _ := r.ws(t)
		ws.wantEcho("alive")
	})
}
