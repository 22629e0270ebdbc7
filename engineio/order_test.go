package engineio_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/siokit/siokit/engineio"
	"github.com/siokit/siokit/internal/delivery"
	"github.com/siokit/siokit/wire/eio"
)

// A ledger checks what one side receives, as it comes from the wire.
type ledger struct{ *delivery.Ledger }

func newLedger() *ledger { return &ledger{delivery.NewLedger()} }

// entry is the text of a stamped message, and its attachments.
func entry(sender string, n, attachments int) (string, [][]byte) {
	return delivery.New(sender, "", n, attachments).Frames()
}

func (l *ledger) take(data string, binary bool) { l.Frame([]byte(data), binary) }

// payload gives the messages of a polling answer to l.
func (l *ledger) payload(body string) error {
	for p, err := range eio.Packets([]byte(body)) {
		if err != nil {
			return fmt.Errorf("the server sent %.60q: %w", body, err)
		}
		if p.Type == eio.Message {
			l.take(string(p.Data), p.Binary)
		}
	}
	return nil
}

// frames gives everything that comes on ws to l, until it ends.
func (l *ledger) frames(ws *wsock) {
	for {
		op, payload, err := ws.next()
		switch {
		case err != nil || op == opClose:
			return
		case op == opBinary:
			l.take(payload, true)
		case op == opText && payload[0] == '4':
			l.take(payload[1:], false)
		}
	}
}

// D-01: numbered messages both ways across an upgrade that begins at a random moment, with random
// delays; the server talks all the time.
func TestOrderAcrossUpgrade(t *testing.T) {
	for run := range 100 {
		t.Run(strconv.Itoa(run), func(t *testing.T) {
			t.Parallel()
			orderAcrossUpgrade(t, rand.New(rand.NewPCG(1, uint64(run))))
		})
	}
}

func orderAcrossUpgrade(t *testing.T, random *rand.Rand) {
	const n = 120
	in, out := newLedger(), newLedger() // what the server and the client receive
	r := serve(t, engineio.Config{}, receiving(func(_ *session, data string, binary bool) { in.take(data, binary) }))
	sid, s := r.open(t)
	var wg sync.WaitGroup
	defer wg.Wait()
	delays := make([]time.Duration, n)
	counts := make([]int, n)
	for i := range n {
		delays[i], counts[i] = time.Duration(random.IntN(100))*time.Microsecond, max(0, random.IntN(6)-3)
	}
	wg.Go(func() { // the server's messages
		for i := range n {
			text, attachments := entry("s", i, counts[i])
			m := message(text, attachments...)
			send := s.conn.Send
			switch i % 3 {
			case 0:
				send = s.conn.SendNow
			case 1:
				send = s.conn.SendSoon
			}
			if err := send(m); err != nil {
				t.Errorf("send: %v", err)
				return
			}
			time.Sleep(delays[i])
		}
	})
	start, pause := random.IntN(n), make(chan struct{})
	var ws *wsock // nil after switched: the test has failed
	switched := make(chan struct{})
	release := sync.OnceFunc(func() { close(switched) })
	defer release()
	var quiet sync.WaitGroup // poller and poster, until the switch
	quiet.Add(2)
	wg.Go(func() { // polls, then reads the WebSocket
		for polling := true; polling; {
			a := r.get(t, sid)
			if err := out.payload(a.body); a.status != 200 || err != nil {
				t.Errorf("poll: %d %s, %v", a.status, a.body, err)
			}
			select {
			case <-pause:
				polling = false
			default:
			}
		}
		quiet.Done()
		if <-switched; ws != nil {
			out.frames(ws)
		}
	})
	wg.Go(func() { // the client's messages
		live := false
		for i := range n {
			text, attachments := entry("c", i, counts[n-1-i])
			select {
			case <-pause:
				if !live {
					quiet.Done()
					if <-switched; ws == nil {
						return
					}
					live = true
				}
			default:
			}
			if !live {
				body := "4" + text
				for _, a := range attachments {
					body = string(eio.Append(append([]byte(body), eio.Separator), eio.Packet{Type: eio.Message, Binary: true, Data: a}))
				}
				r.post(t, sid, body).want(t, 200, "ok")
			} else {
				ws.send("4" + text)
				for _, a := range attachments {
					ws.sendBinary(string(a))
				}
			}
		}
		if !live { // all was sent before the upgrade began
			quiet.Done()
		}
	})
	eventually(t, "the moment of the upgrade", func() bool { return out.Got() >= start || out.Err() != nil })
	probe := r.probe(t, sid)
	probe.send("2probe")
	probe.wantText("3probe")
	close(pause)
	quiet.Wait() // as clients do: no poll and no POST is under way at the switch
	probe.send("5")
	ws = probe
	release()
	in.Want(t, n)
	out.Want(t, n)
	s.wantOpen(t)
	_ = ws.Close()
}

// D-04: headers and attachments from many goroutines to one client, with pongs and pings between.
func TestAttachmentsFollowTheirHeader(t *testing.T) {
	const senders, each = 64, 100
	r := serve(t, engineio.Config{OutboxBytes: 256 << 20, OutboxPackets: 1 << 20, PingInterval: 100 * time.Millisecond, PingTimeout: time.Hour}) // which are not answered
	ws, s := r.ws(t)
	out := newLedger()
	var wg sync.WaitGroup
	wg.Go(func() { out.frames(ws) })
	for g := range senders {
		wg.Go(func() {
			sender := strconv.Itoa(g)
			for i := range each {
				text, attachments := entry(sender, i, (g+i)%11)
				m := message(text, attachments...)
				var err error
				switch i % 4 {
				case 0:
					err = s.conn.Send(m)
				case 1:
					err = s.conn.SendNow(m)
				case 2:
					err = s.conn.SendSoon(m)
				default:
					var b engineio.Batch
					b.Send(s.conn, m)
					b.Done()
				}
				if err != nil {
					t.Errorf("send: %v", err)
				}
			}
		})
	}
	for range 200 {
		ws.put(string(frame(fin|opPing, "x")))
	}
	out.Want(t, senders*each)
	_ = ws.Close()
	wg.Wait()
}

// Everything that was sent before a graceful Close arrives, in each sender's order.
func TestNothingIsLostByClose(t *testing.T) {
	const senders, each = 16, 200
	send := func(s *session, t *testing.T) {
		var wg sync.WaitGroup
		for g := range senders {
			wg.Go(func() {
				for i := range each {
					text, _ := entry(strconv.Itoa(g), i, 0)
					if err := []func(*engineio.Message) error{s.conn.Send, s.conn.SendNow, s.conn.SendSoon}[(g+i)%3](message(text)); err != nil {
						t.Errorf("send: %v", err)
					}
				}
			})
		}
		wg.Wait()
		s.conn.Close(engineio.ServerClose)
		if err := s.send("too late"); err != engineio.ErrClosed {
			t.Errorf("send after Close: %v", err)
		}
	}
	for range 10 {
		r := serve(t, engineio.Config{CloseTimeout: time.Minute})
		ws, s := r.ws(t)
		out := newLedger()
		var wg sync.WaitGroup
		wg.Go(func() { out.frames(ws) })
		send(s, t)
		out.Want(t, senders*each)
		wg.Wait()

		sid, s := r.open(t)
		out = newLedger()
		send(s, t)
		a := r.get(t, sid)
		if err := out.payload(a.body); err != nil {
			t.Fatal(err)
		}
		out.Want(t, senders*each)
		r.get(t, sid).want(t, 200, "1")
	}
}

// A server that is never through with its work does not remember what it has done.
func TestReadyListStaysSmall(t *testing.T) {
	if room := engineio.ReadyRoom(100_000); room > 100 {
		t.Errorf("two connections at a time take room for %d", room)
	}
}
