package engineio_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/siokit/siokit/engineio"
)

const (
	polling3   = "EIO=3&transport=polling"
	webSocket3 = "EIO=3&transport=websocket"
)

var allowEIO3 = engineio.Config{AllowEIO3: true}

// open3 opens a polling session of Engine.IO 3.
func (r *rig) open3(t testing.TB, extra string) (sid string, s *session) {
	t.Helper()
	a := r.request(t, "GET", polling3+extra)
	length, open, ok := strings.Cut(a.body, ":")
	if a.status != 200 || !ok || length != fmt.Sprint(len(open)) {
		t.Fatalf("handshake: %d %s", a.status, a.body)
	}
	sid = parseOpen(t, open).SID
	return sid, r.session(sid)
}

func (r *rig) ws3(t testing.TB, query string) (*wsock, *session) {
	t.Helper()
	ws, a := r.dial(t).handshake(query)
	if a.status != 101 {
		t.Fatalf("handshake: %d %s", a.status, a.body)
	}
	return ws, r.session(parseOpen(t, ws.text()).SID)
}

// send posts a body with its content type.
func (r *rig) sendBody(t testing.TB, query, media, body string) answer {
	t.Helper()
	w := r.dial(t)
	defer func() { _ = w.Close() }()
	w.put(rawRequest("POST", query, body, "Content-Type: "+media))
	return w.answer("POST")
}

func TestRevision3Polling(t *testing.T) {
	r := serve(t, allowEIO3)
	t.Run("text", func(t *testing.T) {
		sid, s := r.open3(t, "")
		if s.conn.Revision() != 3 {
			t.Errorf("revision %d", s.conn.Revision())
		}
		r.sendBody(t, polling3+"&sid="+sid, "text/plain;charset=UTF-8", `15:42["uni","é😀"]2:4a`).want(t, 200, "ok")
		s.wantMessages(t, `2["uni","é😀"]`, "a")
		_ = s.send(`2["uni","é😀"]`)
		_ = s.send("b")
		a := r.request(t, "GET", polling3+"&sid="+sid)
		a.want(t, 200, `15:42["uni","é😀"]2:4b`)
		if ct := a.header.Get("Content-Type"); ct != "text/plain; charset=UTF-8" {
			t.Errorf("Content-Type %q", ct)
		}
	})
	t.Run("binary", func(t *testing.T) {
		sid, s := r.open3(t, "")
		_ = s.send("é", []byte{1, 2, 3})
		a := r.request(t, "GET", polling3+"&sid="+sid)
		a.want(t, 200, "\x00\x03\xff4é\x01\x04\xff\x04\x01\x02\x03")
		if ct := a.header.Get("Content-Type"); ct != "application/octet-stream" {
			t.Errorf("Content-Type %q", ct)
		}
		r.sendBody(t, polling3+"&sid="+sid, "application/octet-stream", "\x00\x03\xff4é\x01\x04\xff\x04\x01\x02\x03\x00\x03\xff4\xffx").want(t, 200, "ok")
		r.sendBody(t, polling3+"&sid="+sid, "text/plain", "6:b4BQ==").want(t, 200, "ok")
		s.wantMessages(t, "é", "[010203]", "\ufffdx", "[05]")
	})
	t.Run("binary alone", func(t *testing.T) {
		sid, s := r.open3(t, "")
		m := engineio.NewBinaryMessage(append(make([]byte, engineio.Headroom), 1, 2, 3), []byte{4})
		_ = s.conn.Send(m)
		r.request(t, "GET", polling3+"&sid="+sid).want(t, 200, "\x01\x04\xff\x04\x01\x02\x03\x01\x02\xff\x04\x04")
		sid, s = r.open3(t, "&b64=1")
		_ = s.conn.Send(m)
		r.request(t, "GET", polling3+"&sid="+sid).want(t, 200, "6:b4AQID6:b4BA==")
	})
	t.Run("b64", func(t *testing.T) {
		sid, s := r.open3(t, "&b64=1")
		_ = s.send("a", []byte{5})
		r.request(t, "GET", polling3+"&sid="+sid).want(t, 200, "2:4a6:b4BQ==")
		sid, s = r.open3(t, "") // what a later request says does not count
		_ = s.send("a", []byte{5})
		r.request(t, "GET", polling3+"&b64=1&sid="+sid).want(t, 200, "\x00\x02\xff4a\x01\x02\xff\x04\x05")
	})
	t.Run("ends", func(t *testing.T) {
		sid, s := r.open3(t, "")
		s.conn.Close(engineio.ServerClose)
		r.request(t, "GET", polling3+"&sid="+sid).want(t, 200, "1:1")
		for body, reason := range map[string]engineio.Reason{
			"4hello": engineio.ParseError, "": engineio.ParseError, "2:4a9": engineio.ParseError, "3:4é": engineio.ParseError,
			"1:1": engineio.TransportClose, "1:3": engineio.TransportError,
		} {
			sid, s := r.open3(t, "")
			r.sendBody(t, polling3+"&sid="+sid, "text/plain", body).want(t, 200, "ok")
			s.wantClosed(t, reason)
		}
		sid, s = r.open3(t, "")
		r.sendBody(t, polling3+"&sid="+sid, "application/octet-stream", "\x01\x01\xff\x02").want(t, 200, "ok")
		s.wantClosed(t, engineio.ParseError)
	})
	t.Run("revision 4 beside it", func(t *testing.T) {
		sid, s := r.open(t)
		if s.conn.Revision() != 4 {
			t.Errorf("revision %d", s.conn.Revision())
		}
		r.alive(t, sid)
		r.sendBody(t, polling+"&sid="+sid, "application/octet-stream", "\x00\x02\xff4a").wantBadRequest(t)
		s.wantClosed(t, engineio.TransportError)
	})
}

func TestRevision3WebSocket(t *testing.T) {
	r := serve(t, allowEIO3, receiving(echo))
	ws, s := r.ws3(t, webSocket3)
	ws.wantEcho("é😀")
	ws.sendBinary("\x04\x01\x02")
	ws.wantText("4bin")
	ws.want(opBinary, "\x04\x01\x02")
	ws.send("b4BQ==")
	ws.wantText("4bin")
	ws.want(opBinary, "\x04\x05")
	ws.send("2")
	ws.wantText("3")
	s.wantMessages(t, "é😀", "[0102]", "[05]")

	ws, _ = r.ws3(t, webSocket3+"&b64=1")
	ws.sendBinary("\x04\x01")
	ws.wantText("4bin")
	ws.wantText("b4AQ==")

	for name, c := range map[string]struct {
		frame  []byte
		reason engineio.Reason
	}{
		"pong":          {frame(fin|opText, "3"), engineio.TransportError},
		"a digit":       {frame(fin|opBinary, "4\x01"), engineio.ParseError},
		"a binary ping": {frame(fin|opBinary, "\x02"), engineio.ParseError},
		"empty":         {frame(fin|opBinary, ""), engineio.ParseError},
		"revision 4":    {frame(fin|opText, "bAQID"), engineio.ParseError},
	} {
		t.Run(name, func(t *testing.T) {
			ws, s := r.ws3(t, webSocket3)
			ws.put(string(c.frame))
			s.wantClosed(t, c.reason)
			ws.wantClose(1002)
		})
	}
}

// One broadcast reaches clients of both revisions, each in its form, from the same Message.
func TestRevisionsShareMessages(t *testing.T) {
	r := serve(t, allowEIO3)
	old, oldSession := r.ws3(t, webSocket3)
	current, current4 := r.ws(t)
	sid, polled := r.open3(t, "&b64=1")
	m := message("a", []byte{1, 2})
	for _, s := range []*session{oldSession, current4, polled} {
		if err := s.conn.Send(m); err != nil {
			t.Fatal(err)
		}
	}
	old.wantText("4a")
	old.want(opBinary, "\x04\x01\x02")
	current.wantText("4a")
	current.want(opBinary, "\x01\x02")
	r.request(t, "GET", polling3+"&sid="+sid).want(t, 200, "2:4a6:b4AQI=")
}

func TestRevision3Upgrade(t *testing.T) {
	r := serve(t, allowEIO3, receiving(echo))
	sid, s := r.open3(t, "")
	poll := r.dial(t)
	poll.put(rawRequest("GET", polling3+"&sid="+sid, ""))
	ws, a := r.dial(t).handshake(webSocket3 + "&sid=" + sid)
	if a.status != 101 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	ws.send("2probe")
	ws.wantText("3probe")
	poll.answer("GET").want(t, 200, "1:6")
	ws.send("5")
	eventually(t, "upgraded", func() bool { return s.conn.Transport() == engineio.WebSocket })
	ws.wantEcho("after")
	ws.sendBinary("\x04\x07")
	ws.wantText("4bin")
	ws.want(opBinary, "\x04\x07")
	ws.send("2")
	ws.wantText("3")
}

// V-07, CVE-2026-102599: a session is spoken to in the revision of its handshake, or not at all.
func TestRevisionIsThatOfTheHandshake(t *testing.T) {
	r := serve(t, allowEIO3)
	sid4, _ := r.open(t)
	sid3, s3 := r.open3(t, "")
	for sid, others := range map[string][]string{
		sid4: {"EIO=3&", "", "EIO=04&", "EIO=&"},
		sid3: {"EIO=4&", "", "EIO=03&", "EIO=&"},
	} {
		for _, eio := range others {
			r.request(t, "GET", eio+"transport=polling&sid="+sid).wantBadRequest(t)
			r.request(t, "POST", eio+"transport=polling&sid="+sid).wantBadRequest(t)
			r.request(t, "GET", eio+"transport=websocket&sid="+sid, upgradeHeaders...).wantBadRequest(t)
		}
	}
	r.alive(t, sid4)
	s3.wantOpen(t)
	r.sendBody(t, polling3+"&sid="+sid3, "text/plain", "2:4a").want(t, 200, "ok")
	s3.wantMessages(t, "a")
	for _, eio := range []string{"", "EIO=&", "EIO=5&", "EIO=abc&", "EIO=04&", "EIO=03&", "EIO=2&"} {
		r.request(t, "GET", eio+"transport=polling").wantRefused(t, 400, 5, "Unsupported protocol version")
		r.request(t, "GET", eio+"transport=websocket", upgradeHeaders...).wantRefused(t, 400, 5, "Unsupported protocol version")
	}
	off := serve(t, engineio.Config{})
	off.request(t, "GET", polling3).wantRefused(t, 400, 5, "Unsupported protocol version")
	off.request(t, "GET", webSocket3, upgradeHeaders...).wantRefused(t, 400, 5, "Unsupported protocol version")
}

func TestRevision3Heartbeat(t *testing.T) {
	bubble(t, allowEIO3, func(t *testing.T, r *rig) {
		ws, s := r.ws3(t, webSocket3)
		for range 3 {
			pass(interval + timeoutD - tick)
			s.wantOpen(t)
			ws.silent("the client pings")
			ws.send("2")
			ws.wantText("3")
		}
		ws.send("4other messages are no ping")
		pass(interval + timeoutD - tick)
		s.wantOpen(t)
		pass(tick)
		s.wantClosed(t, engineio.PingTimeout)
		ws.wantEOF()
	})
	bubble(t, allowEIO3, func(t *testing.T, r *rig) {
		sid, s := r.open3(t, "")
		pass(interval + timeoutD - tick)
		r.sendBody(t, polling3+"&sid="+sid, "text/plain", "1:2").want(t, 200, "ok")
		r.request(t, "GET", polling3+"&sid="+sid).want(t, 200, "1:3")
		pass(interval + timeoutD - tick)
		s.wantOpen(t)
		pass(tick)
		s.wantClosed(t, engineio.PingTimeout)
	})
	bubble(t, allowEIO3, func(t *testing.T, r *rig) { // the upgrade is no ping, and does not stop the clock
		sid, s := r.open3(t, "")
		pass(interval)
		ws, _ := r.dial(t).handshake(webSocket3 + "&sid=" + sid)
		ws.send("2probe")
		ws.wantText("3probe")
		ws.send("5")
		pass(timeoutD - tick)
		s.wantOpen(t)
		pass(tick)
		s.wantClosed(t, engineio.PingTimeout)
	})
}

// While the Receiver blocks, the client's ping may be waiting behind what it takes.
func TestRevision3HeartbeatBehindWork(t *testing.T) {
	release := make(chan struct{})
	block := func(*session, string, bool) { <-release }
	bubble(t, allowEIO3, func(t *testing.T, r *rig) {
		release = make(chan struct{}) // of this bubble
		ws, s := r.ws3(t, webSocket3)
		ws.send("4work")
		ws.send("2")
		pass(2 * (interval + timeoutD))
		s.wantOpen(t)
		ws.silent("in Engine.IO 3 the server sends no ping")
		close(release)
		ws.wantText("3")
		pass(interval + timeoutD - tick)
		s.wantOpen(t)
		pass(timeoutD + tick) // it was slow once: one more wait
		s.wantClosed(t, engineio.PingTimeout)
	}, receiving(block))
}

// Pings that are not read the answers of fill the outbox, not the memory.
func TestRevision3PingFlood(t *testing.T) {
	bubble(t, engineio.Config{AllowEIO3: true, OutboxBytes: 1 << 16}, func(t *testing.T, r *rig) {
		ws, s := r.ws3(t, webSocket3)
		flood := strings.Repeat(string(frame(fin|opText, "2")), 1000)
		for range 100 {
			if _, err := ws.Write([]byte(flood)); err != nil {
				break
			}
		}
		s.wantClosed(t, engineio.SlowConsumer)
	})
}

func TestJSONP(t *testing.T) {
	t.Run("off", func(t *testing.T) { // H-20
		r := serve(t, allowEIO3)
		for _, j := range []string{"&j=0", "&j=alert(1)//", "&j="} {
			r.request(t, "GET", polling+j).wantRefused(t, 400, 0, "Transport unknown")
			r.request(t, "GET", polling3+j).wantRefused(t, 400, 0, "Transport unknown")
		}
	})
	r := serve(t, engineio.Config{AllowEIO3: true, JSONP: true})
	const form = "application/x-www-form-urlencoded"
	for revision, c := range map[string]struct{ query, sent, received string }{
		"3": {polling3, "5:4a\\\\nb10:b4/wAB8w==2:4c", `___eio[12]("8:4\"é\\n😀\u202814:b4/wD7/8E+8w==");`},
		"4": {polling, "4a\\\\nb\x1eb/wAB8w==\x1e4c", `___eio[12]("4\"é\\n😀\u2028\u001eb/wD7/8E+8w==");`},
	} {
		t.Run("revision "+revision, func(t *testing.T) {
			a := r.request(t, "GET", c.query+"&j=12")
			open, ok := strings.CutPrefix(a.body, `___eio[12]("`)
			open, last := strings.CutSuffix(open, `");`)
			if a.status != 200 || !ok || !last {
				t.Fatalf("handshake: %d %s", a.status, a.body)
			}
			for name, want := range map[string]string{"Content-Type": "text/javascript; charset=UTF-8", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"} {
				if got := a.header.Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			open = strings.ReplaceAll(open[strings.IndexByte(open, '{'):], `\"`, `"`)
			sid := parseOpen(t, "0"+open).SID
			s, query := r.session(sid), c.query+"&j=12&sid="+sid
			_ = s.send("\"é\\n😀\u2028", []byte{0xff, 0, 0xfb, 0xff, 0xc1, 0x3e, 0xf3})
			r.request(t, "GET", query).want(t, 200, c.received)
			r.sendBody(t, query, form, "d="+url.QueryEscape(c.sent)).want(t, 200, "ok")
			s.wantMessages(t, `a\nb`, "[ff0001f3]", "c")

			// What the handshake said holds.
			for _, other := range []string{"", "&j=13", "&j=x", "&j=12&j=12"} {
				if a := r.request(t, "GET", c.query+other+"&sid="+sid); a.status != 400 {
					t.Errorf("%q is answered %d %s", other, a.status, a.body)
				}
			}
			s.wantOpen(t)
			r.sendBody(t, query, form, "x=1").want(t, 200, "ok")
			s.wantClosed(t, engineio.ParseError)
		})
	}
	t.Run("an index that is code", func(t *testing.T) {
		for _, j := range []string{"alert(1)//", "", "1]", "-1", "12345678901"} {
			r.request(t, "GET", polling3+"&j="+url.QueryEscape(j)).wantRefused(t, 400, 0, "Transport unknown")
		}
	})
	t.Run("not asked for", func(t *testing.T) {
		sid, _ := r.open3(t, "")
		r.request(t, "GET", polling3+"&j=0&sid="+sid).wantBadRequest(t)
		ws, _ := r.ws3(t, webSocket3+"&j=0") // only polls are scripts
		ws.send("2")
		ws.wantText("3")
	})
	t.Run("a form from a foreign page", func(t *testing.T) {
		a := r.request(t, "POST", polling3+"&j=0&sid=x", "Origin: http://evil.test")
		a.wantUnknownSession(t)
		a = r.request(t, "GET", polling3+"&j=0", "Sec-Fetch-Site: cross-site")
		a.wantForbidden(t)
	})
}

// An Opener may send at once: it comes after OPEN.
func TestOpener(t *testing.T) {
	accept := func(c *engineio.Conn, _ *http.Request) (engineio.Receiver, error) {
		return opener{newSession(c, nil)}, nil
	}
	r := serve(t, engineio.Config{AllowEIO3: true, Accept: accept})
	a := r.request(t, "GET", polling3)
	if a.status != 200 || !strings.HasSuffix(a.body, "}6:4hello") {
		t.Errorf("polling: %s", a.body)
	}
	ws, _ := r.dial(t).handshake(webSocket)
	parseOpen(t, ws.text())
	ws.wantText("4hello")
}

type opener struct{ *session }

func (o opener) Opened() { _ = o.send("hello") }
