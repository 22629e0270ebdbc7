package engineio_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/siokit/siokit/engineio"
)

// The rows P of the bar: what a client may POST. Messages that only Socket.IO understands (P-07,
// P-12) reach the Receiver, whose business they are.
func TestPayloads(t *testing.T) {
	r := serve(t, engineio.Config{})
	many := make([]string, 1000)
	for i := range many {
		many[i] = fmt.Sprintf(`2["n",%d]`, i)
	}
	const open = engineio.Reason("")
	for _, row := range []struct {
		id, body string
		received []string
		reason   engineio.Reason
	}{
		{"P-01", "", nil, engineio.ParseError},
		{"P-02 9", "9", nil, engineio.ParseError},
		{"P-02 abc", "abc", nil, engineio.ParseError},
		{"P-02 b alone", "b", []string{"[]"}, open},
		{"P-03 middle", "42[\"a\"]\x1e\x1e42[\"b\"]", []string{`2["a"]`}, engineio.ParseError},
		{"P-03 trailing", "42[\"a\"]\x1e", []string{`2["a"]`}, engineio.ParseError},
		{"P-03 leading", "\x1e42[\"a\"]", nil, engineio.ParseError},
		{"P-04", `10:42["echo"]`, nil, engineio.TransportClose},
		{"P-05 bad", "b!!!!", nil, engineio.ParseError},
		{"P-05 line break", "bAA\n==", nil, engineio.ParseError},
		{"P-05 url-safe", "b-_-_", []string{"[fbffbf]"}, open},
		{"P-05 unpadded", "bAA", []string{"[00]"}, open},
		{"P-05 padded", "bAQIDBA==", []string{"[01020304]"}, open},
		{"P-06 bytes", "4\xff\xfe\xc0\x80", []string{"\ufffd\ufffd\ufffd\ufffd"}, open},
		{"P-06 surrogate", "4a\xed\xa0\x80b\x1e4c", []string{"a\ufffd\ufffd\ufffdb", "c"}, open},
		{"P-07 truncated", "4\xe2\x82", []string{"\ufffd\ufffd"}, open},
		{"P-08", "0{\"sid\":\"x\"}\x1e5\x1e6\x1e4a", []string{"a"}, open},
		{"P-09 2", "2", nil, engineio.TransportError},
		{"P-09 2probe", "2probe\x1e4a", nil, engineio.TransportError},
		{"P-10", "3\x1e3probe\x1e4a", []string{"a"}, open},
		{"P-11 1", "1", nil, engineio.TransportClose},
		{"P-11 after", "1\x1e42[\"after\"]", nil, engineio.TransportClose},
		{"P-12", "4", []string{""}, open},
		{"P-16", "d=42[1]", nil, engineio.ParseError},
		{"P-29", "4" + strings.Join(many, "\x1e4"), many, open},
	} {
		t.Run(row.id, func(t *testing.T) {
			sid, s := r.open(t)
			a := r.post(t, sid, row.body)
			a.want(t, 200, "ok")
			if got := a.header.Get("Content-Type"); got != "text/html" {
				t.Errorf("Content-Type %q", got)
			}
			s.wantMessages(t, row.received...)
			if row.reason == open {
				s.wantOpen(t)
				r.alive(t, sid)
				return
			}
			s.wantClosed(t, row.reason)
			r.get(t, sid).wantUnknownSession(t)
		})
	}
	t.Run("P-01 with a parked poll", func(t *testing.T) {
		sid, s := r.open(t)
		w := r.park(t, sid)
		r.post(t, sid, "").want(t, 200, "ok")
		w.answer("GET").want(t, 200, "1")
		s.wantClosed(t, engineio.ParseError)
	})
}

func TestContentTypes(t *testing.T) {
	r := serve(t, engineio.Config{})
	for _, ct := range []string{"application/octet-stream", "application/octet-stream; charset=x", "APPLICATION/Octet-Stream", "application/octet-stream; broken"} {
		t.Run("P-13 P-14 "+ct, func(t *testing.T) {
			sid, s := r.open(t)
			r.request(t, "POST", polling+"&sid="+sid, "Content-Type: "+ct, "Content-Length: 0").wantBadRequest(t)
			s.wantClosed(t, engineio.TransportError)
			r.gone(t, sid)
		})
	}
	for _, header := range []string{"Content-Type: application/json", "Content-Type: application/x-www-form-urlencoded", "X-None: 1"} {
		t.Run("P-15 "+header, func(t *testing.T) {
			sid, s := r.open(t)
			w := r.dial(t)
			w.put(rawRequest("POST", polling+"&sid="+sid, "4a", header))
			w.answer("POST").want(t, 200, "ok")
			s.wantMessages(t, "a")
		})
	}
	t.Run("P-17", func(t *testing.T) {
		sid, s := r.open(t)
		w := r.dial(t)
		w.put(rawRequest("POST", polling+"&sid="+sid, "4a", "Content-Encoding: gzip"))
		w.answer("POST").wantRefused(t, 415, 3, "Bad request")
		s.wantOpen(t)
		r.alive(t, sid)
	})
}

func TestPayloadSizes(t *testing.T) {
	r := serve(t, engineio.Config{})
	chunked := func(sid string, chunks ...string) string {
		b := "POST /?" + polling + "&sid=" + sid + " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
		for _, c := range chunks {
			b += fmt.Sprintf("%x\r\n%s\r\n", len(c), c)
		}
		return b
	}
	t.Run("P-18", func(t *testing.T) {
		sid, s := r.open(t)
		body := "4" + strings.Repeat("x", 999_999)
		r.post(t, sid, body).want(t, 200, "ok")
		s.wantMessages(t, body[1:])
	})
	t.Run("P-19 V-01", func(t *testing.T) {
		sid, s := r.open(t)
		w := r.dial(t)
		w.put("POST /?" + polling + "&sid=" + sid + " HTTP/1.1\r\nHost: a\r\nContent-Length: 1000001\r\n\r\n4xx")
		a := w.answer("POST")
		a.wantRefused(t, 413, 3, "Payload too large")
		if !a.close {
			t.Error("no Connection: close")
		}
		w.wantEOF()
		s.wantMessages(t)
		r.alive(t, sid)
	})
	t.Run("P-20 V-43", func(t *testing.T) {
		sid, s := r.open(t)
		w := r.dial(t)
		w.put(chunked(sid, strings.Repeat("4", 650_000), strings.Repeat("4", 650_000)))
		within(t, time.Second, "413 and the end", func() {
			w.answer("POST").wantRefused(t, 413, 3, "Payload too large")
			w.wantEOF()
		})
		s.wantMessages(t)
		r.alive(t, sid)
	})
	t.Run("P-21", func(t *testing.T) {
		sid, s := r.open(t)
		w := r.dial(t)
		w.put(chunked(sid, "4", "2[\"a\xe2", "\x82\xac\"]") + "0\r\n\r\n")
		w.answer("POST").want(t, 200, "ok")
		s.wantMessages(t, `2["a€"]`)
	})
	t.Run("P-22", func(t *testing.T) {
		sid, _ := r.open(t)
		w := r.dial(t)
		w.put("POST /?" + polling + "&sid=" + sid + " HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000000\r\n\r\n4a")
		within(t, 100*time.Millisecond, "413", func() { w.answer("POST").wantRefused(t, 413, 3, "Payload too large") })
	})
	t.Run("P-23", func(t *testing.T) {
		sid, s := r.open(t)
		w := r.dial(t)
		w.put("POST /?" + polling + "&sid=" + sid + " HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n42[\"a\"]")
		if err := w.Conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		w.answer("POST").wantBadRequest(t)
		s.wantClosed(t, engineio.TransportError)
		s.wantMessages(t)
	})
	t.Run("P-28 V-01", func(t *testing.T) {
		sid, s := r.open(t)
		body := strings.Repeat("6\x1e", 499_999) + "6"
		within(t, 300*time.Millisecond, "500,000 packets", func() { r.post(t, sid, body).want(t, 200, "ok") })
		s.wantMessages(t)
		r.alive(t, sid)
	})
}

func TestOverlaps(t *testing.T) {
	r := serve(t, engineio.Config{})
	t.Run("P-25", func(t *testing.T) {
		sid, s := r.open(t)
		first := r.park(t, sid)
		r.get(t, sid).wantBadRequest(t)
		first.answer("GET").want(t, 200, "1")
		s.wantClosed(t, engineio.TransportError)
		r.gone(t, sid)
	})
	t.Run("P-26", func(t *testing.T) {
		sid, s := r.open(t)
		first := r.dial(t)
		first.put("POST /?" + polling + "&sid=" + sid + " HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n42[\"a\"]")
		eventually(t, "the first is being read", func() bool { return engineio.Posting(s.conn) })
		r.post(t, sid, "4b").wantBadRequest(t)
		within(t, time.Second, "the first is cut", first.wantEOF)
		s.wantClosed(t, engineio.TransportError)
		s.wantMessages(t)
	})
	t.Run("P-27", func(t *testing.T) {
		sid, s := r.open(t)
		w := r.park(t, sid)
		_ = w.Close()
		within(t, 100*time.Millisecond, "noticed", func() { s.wantClosed(t, engineio.TransportError) })
		r.gone(t, sid)
	})
}

// A client that polls but does not read must not keep a goroutine, and loses what it was handed.
func TestPollThatIsNotRead(t *testing.T) {
	r := serve(t, engineio.Config{WriteTimeout: 100 * time.Millisecond, OutboxBytes: 32 << 20, CompressFrom: -1})
	sid, s := r.open(t)
	w := r.park(t, sid)
	if err := s.send(strings.Repeat("x", 16<<20)); err != nil {
		t.Fatal(err)
	}
	s.wantClosed(t, engineio.SlowConsumer)
	r.gone(t, sid)
	if n := r.srv.Stats().LostOnAbort; n != 1 {
		t.Errorf("%d packets counted as lost", n)
	}
	_ = w.Close()
}

// The deadline of one answer must not hit the next request of a kept connection.
func TestDeadlinesDoNotStayBehind(t *testing.T) {
	bubble(t, engineio.Config{PingInterval: time.Hour}, func(t *testing.T, r *rig) {
		sid, s := r.open(t)
		w := r.dial(t)
		w.put(rawRequest("POST", polling+"&sid="+sid, "4a"))
		w.answer("POST").want(t, 200, "ok")
		_ = s.send("x")
		w.put(rawRequest("GET", polling+"&sid="+sid, ""))
		w.answer("GET").want(t, 200, "4x")
		pass(time.Minute) // longer than WriteTimeout and BodyTimeout
		w.put(rawRequest("POST", polling+"&sid="+sid, "4b"))
		w.answer("POST").want(t, 200, "ok")
		s.wantMessages(t, "a", "b")
	})
}

// A client on a slow link gets a large answer: what counts is that it goes on.
func TestPollOverSlowLink(t *testing.T) {
	bubble(t, engineio.Config{}, func(t *testing.T, r *rig) {
		sid, s := r.open(t)
		last := strings.Repeat("x", 150_000)
		if err := s.send(last); err != nil {
			t.Fatal(err)
		}
		w := r.dial(t)
		w.put(rawRequest("GET", polling+"&sid="+sid, ""))
		resp, err := http.ReadResponse(bufio.NewReader(paced{w.Conn}), nil)
		if err != nil {
			t.Fatal(err)
		}
		readAnswer(t, resp).want(t, 200, "4"+last)
		s.wantOpen(t)
	})
}

// paced reads at most 4 KiB a second, as GPRS does.
type paced struct{ r io.Reader }

func (p paced) Read(b []byte) (int, error) {
	time.Sleep(time.Second)
	return p.r.Read(b[:min(len(b), 4<<10)])
}
