package engineio_test

import (
	"bytes"
	"compress/flate"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/siokit/siokit/engineio"
)

const (
	rsv1   = 0x40
	offers = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits" // as Chromium
	agreed = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
)

func deflating(d engineio.Deflate) engineio.Config { return engineio.Config{PerMessageDeflate: &d} }

// compressing opens a session that is born on WebSocket, with compression.
func (r *rig) compressing(t testing.TB) (*wsock, *session) {
	t.Helper()
	ws, a := r.dial(t).handshake(webSocket, offers)
	if got := a.header.Get("Sec-WebSocket-Extensions"); a.status != 101 || got != agreed {
		t.Fatalf("handshake: %d, extensions %q", a.status, got)
	}
	return ws, r.session(parseOpen(t, ws.text()).SID)
}

// deflate compresses as a client does.
func deflate(s string) string {
	var b bytes.Buffer
	z, _ := flate.NewWriter(&b, 9)
	_, _ = io.WriteString(z, s)
	_ = z.Flush()
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

// data reads one data frame, inflated if need be.
func (ws *wsock) data() (op byte, compressed bool, payload string) {
	ws.t.Helper()
	first, err := ws.br.Peek(1)
	if err != nil {
		ws.t.Fatal(err)
	}
	op, payload, err = ws.next()
	if err != nil {
		ws.t.Fatal(err)
	}
	if first[0]&rsv1 == 0 {
		return op, false, payload
	}
	plain, err := io.ReadAll(flate.NewReader(strings.NewReader(payload + "\x00\x00\xff\xff\x01\x00\x00\xff\xff")))
	if err != nil {
		ws.t.Fatalf("a compressed frame of %d bytes: %v", len(payload), err)
	}
	return op, true, string(plain)
}

func (ws *wsock) wantData(op byte, compressed bool, payload string) {
	ws.t.Helper()
	gotOp, gotCompressed, got := ws.data()
	if gotOp != op || gotCompressed != compressed || got != payload {
		ws.t.Fatalf("got frame %d, compressed %t, %d bytes %.60q, want %d, %t, %d bytes %.60q", gotOp, gotCompressed, len(got), got, op, compressed, len(payload), payload)
	}
}

// V-22: an offer is taken only when it can be kept.
func TestDeflateNegotiation(t *testing.T) {
	r := serve(t, deflating(engineio.Deflate{}), receiving(echo))
	for offer, want := range map[string]string{
		"":                   "",
		"permessage-deflate": agreed,
		"permessage-deflate; client_max_window_bits":                           agreed,
		"permessage-deflate; client_max_window_bits=12":                        agreed,
		"permessage-deflate;server_max_window_bits=15":                         agreed,
		`permessage-deflate; server_max_window_bits="15"`:                      agreed,
		"permessage-deflate; server_no_context_takeover":                       agreed,
		"permessage-deflate; server_max_window_bits=10":                        "",
		"permessage-deflate; server_max_window_bits=10, permessage-deflate":    agreed,
		"permessage-deflate; server_max_window_bits=99999":                     "",
		"permessage-deflate; server_max_window_bits":                           "",
		"permessage-deflate; client_max_window_bits=7":                         "",
		"permessage-deflate; client_max_window_bits=08":                        "",
		"permessage-deflate; client_max_window_bits; client_max_window_bits=9": "",
		"permessage-deflate; server_no_context_takeover=1":                     "",
		"permessage-deflate; made_up":                                          "",
		"permessage-deflate;":                                                  "",
		"x-webkit-deflate-frame, permessage-deflate":                           agreed,
		"x-webkit-deflate-frame":                                               "",
		"constructor":                                                          "",
		",;constructor":                                                        "",
		strings.Repeat(";", 8<<10):                                             "",
	} {
		ws, a := r.dial(t).handshake(webSocket, "Sec-WebSocket-Extensions: "+offer)
		if got := a.header.Get("Sec-WebSocket-Extensions"); a.status != 101 || got != want {
			t.Errorf("%.80q: %d, extensions %q, want %q", offer, a.status, got, want)
			continue
		}
		ws.text()
		ws.wantEcho("alive")
	}
	t.Run("off", func(t *testing.T) {
		r := serve(t, engineio.Config{})
		if _, a := r.dial(t).handshake(webSocket, offers); a.status != 101 || a.header.Get("Sec-WebSocket-Extensions") != "" {
			t.Errorf("%d %v", a.status, a.header)
		}
	})
	t.Run("b64", func(t *testing.T) { // never both
		ws, a := r.dial(t).handshake(webSocket+"&b64=1", offers)
		if a.status != 101 || a.header.Get("Sec-WebSocket-Extensions") != "" {
			t.Fatalf("%d %v", a.status, a.header)
		}
		ws.text()
		ws.sendBinary("\x01")
		ws.wantText("4bin")
		ws.wantText("bAQ==")
	})
}

func TestDeflate(t *testing.T) {
	long := strings.Repeat("compress me ", 1000)
	noise := make([]byte, 5000)
	rand.NewChaCha8([32]byte{}).Read(noise)
	// What an attachment with text around it must look like, wherever the session came from.
	talk := func(t *testing.T, ws *wsock, s *session) {
		t.Helper()
		for _, m := range []*engineio.Message{
			message(long, noise, []byte(long), []byte("short")),
			message("short"),
			message(strings.Repeat("x", 1023)), // with its type the threshold itself
			message(strings.Repeat("x", 1022)),
			message(long).Uncompressed(),
			message("end", []byte(long)),
		} {
			if err := s.conn.Send(m); err != nil {
				t.Fatal(err)
			}
		}
		ws.wantData(opText, true, "4"+long)
		ws.wantData(opBinary, false, string(noise)) // it would have grown
		ws.wantData(opBinary, true, long)
		ws.wantData(opBinary, false, "short")
		ws.wantData(opText, false, "4short")
		ws.wantData(opText, true, "4"+strings.Repeat("x", 1023))
		ws.wantData(opText, false, "4"+strings.Repeat("x", 1022))
		ws.wantData(opText, false, "4"+long)
		ws.wantData(opText, false, "4end")
		ws.wantData(opBinary, true, long)

		ws.put(string(frame(fin|rsv1|opText, deflate("4"+long))))
		z := deflate("4fragments")
		ws.put(string(frame(rsv1|opText, z[:3])) + string(frame(fin|opPing, "now")) + string(frame(opContinuation, "")) + string(frame(fin|opContinuation, z[3:])))
		ws.want(opPong, "now")
		ws.put(string(frame(fin|rsv1|opBinary, deflate("\x01\x02"))))
		ws.send("4plain")
		s.wantMessages(t, long, "fragments", "[0102]", "plain")
	}
	t.Run("websocket", func(t *testing.T) {
		r := serve(t, deflating(engineio.Deflate{}))
		ws, s := r.compressing(t)
		talk(t, ws, s)
	})
	t.Run("byte by byte", func(t *testing.T) {
		r := serve(t, deflating(engineio.Deflate{}), receiving(echo))
		ws, s := r.compressing(t)
		middle := strings.Repeat("0123456789", 30) // a length of two bytes, in the frame that does not shrink
		raw := string(frame(fin|rsv1|opText, deflate("4a"))) + string(frame(fin|opText, "4"+middle)) +
			string(frame(rsv1|opText, "")) + string(frame(fin|opPing, "p")) + string(frame(fin|opContinuation, deflate("4b")))
		for i := range len(raw) {
			ws.put(raw[i : i+1])
		}
		s.wantMessages(t, "a", middle, "b")
		ws.put(string(frame(fin|rsv1|opContinuation, "")))
		s.wantClosed(t, engineio.TransportError)
	})
	t.Run("upgrade", func(t *testing.T) {
		r := serve(t, deflating(engineio.Deflate{Level: 9}))
		sid, s := r.open(t)
		ws, a := r.dial(t).handshake(webSocket+"&sid="+sid, offers)
		if a.status != 101 {
			t.Fatal(a.status)
		}
		ws.put(string(frame(fin|rsv1|opText, deflate("2probe"))))
		ws.wantText("3probe")
		ws.put(string(frame(fin|rsv1|opText, deflate("5"))))
		eventually(t, "upgraded", func() bool { return s.conn.Transport() == engineio.WebSocket })
		talk(t, ws, s)
	})
	t.Run("blocking writes", func(t *testing.T) { // as with TLS
		bubble(t, deflating(engineio.Deflate{}), func(t *testing.T, r *rig) {
			ws, s := r.compressing(t)
			talk(t, ws, s)
		})
	})
	t.Run("polling", func(t *testing.T) { // where HTTP compresses
		r := serve(t, deflating(engineio.Deflate{}))
		sid, s := r.open(t)
		_ = s.send(long)
		r.get(t, sid).want(t, 200, "4"+long)
	})
}

// A message to many is compressed once, whoever writes it; those without compression share the
// uncompressed bytes as ever.
func TestDeflatedBroadcastIsShared(t *testing.T) {
	r := serve(t, deflating(engineio.Deflate{}))
	long := strings.Repeat("compress me ", 1000)
	const n = 20
	var sockets, plain []*wsock
	for range n {
		ws, _ := r.compressing(t)
		sockets = append(sockets, ws)
		ws, _ = r.ws(t)
		plain = append(plain, ws)
	}
	m := message(long)
	if engineio.DeflatedFrames(m) != nil {
		t.Error("compressed before anybody needs it")
	}
	var batch engineio.Batch
	for _, c := range r.srv.Conns() {
		batch.Send(c, m)
	}
	if sent := batch.Done(); sent != 2*n {
		t.Fatalf("sent to %d", sent)
	}
	sockets[0].wantData(opText, true, "4"+long)
	first := engineio.DeflatedFrames(m)
	for i := range n {
		if i > 0 {
			sockets[i].wantData(opText, true, "4"+long)
		}
		plain[i].wantData(opText, false, "4"+long)
	}
	if again := engineio.DeflatedFrames(m); len(first) == 0 || &first[0] != &again[0] {
		t.Error("compressed again for another client")
	}
}

// deflateBomb inflates to a "4" and that many MiB of NUL. All MiB but the first compress alike.
func deflateBomb(mib int) string {
	var b bytes.Buffer
	z, _ := flate.NewWriter(&b, 9)
	zeros := make([]byte, 1<<20)
	_, _ = io.WriteString(z, "4")
	_, _ = z.Write(zeros)
	_ = z.Flush()
	first := b.Len()
	_, _ = z.Write(zeros)
	_ = z.Flush()
	return b.String()[:first] + strings.Repeat(b.String()[first:], mib-1)
}

// W-02, W-03, W-25, V-08 and V-45 with compression negotiated: gorilla alone lets all of them pass.
func TestDeflateAbuse(t *testing.T) {
	r := serve(t, deflating(engineio.Deflate{}), receiving(echo))
	part := func(first byte, s string) string { return string(frame(first, s)) }
	bomb := deflateBomb(200)
	for _, row := range []struct {
		id, raw string
		code    int
	}{
		{"W-02", part(opText, "4a") + part(fin|rsv1|opContinuation, "b"), 1002},
		{"W-02 of a compressed message", part(rsv1|opText, deflate("4a")) + part(fin|rsv1|opContinuation, ""), 1002},
		{"W-03 ping", part(fin|rsv1|opPing, "a"), 1002},
		{"W-03 close", part(fin|rsv1|opClose, ""), 1002},
		{"W-01 RSV2", part(fin|0x20|opText, "4a"), 1002},
		{"W-03 garbage", part(fin|rsv1|opText, "\xff\xff\xff\xff\xff"), 1007},
		{"W-03 cut off", part(fin|rsv1|opText, "\xf2\x48\xcd\xc9"[:2]), 1007},
		{"W-05", part(fin|rsv1|opText, deflate("4a\xff")), 1007},
		{"W-25 V-45", part(fin|rsv1|opText, bomb), 1009},
		{"one byte too many", part(fin|rsv1|opText, deflate("4"+strings.Repeat("x", 1_000_000))), 1009},
		{"W-08", string(frameHeader(fin|rsv1|opText, 1_000_001)), 1009},
		{"V-08", part(rsv1|opText, "") + strings.Repeat(part(opContinuation, ""), engineio.MaxFragments), 1008},
		// Inflated bytes must not buy more fragments.
		{"V-08 after much payload", part(rsv1|opText, deflate("4"+strings.Repeat("x", 900_000))) + strings.Repeat(part(opContinuation, ""), engineio.MaxFragments), 1008},
	} {
		t.Run(row.id, func(t *testing.T) {
			ws, s := r.compressing(t)
			ws.send("4before")
			ws.wantText("4before")
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			ws.put(part(fin|opText, "4glued") + row.raw + part(fin|opText, "4after the end"))
			ws.wantClose(row.code)
			s.wantClosed(t, engineio.TransportError)
			s.wantMessages(t, "before", "glued")
			runtime.ReadMemStats(&after)
			if n := after.TotalAlloc - before.TotalAlloc; n > 8<<20 {
				t.Errorf("%d bytes allocated", n)
			}
		})
	}
	t.Run("at the limits", func(t *testing.T) {
		ws, s := r.compressing(t)
		big := strings.Repeat("x", 999_999)
		z := deflate("4" + big)
		ws.put(part(rsv1|opText, z) + strings.Repeat(part(opContinuation, ""), engineio.MaxFragments-2) + part(fin|opContinuation, ""))
		s.wantMessages(t, big)
		ws.wantData(opText, true, "4"+big)
	})
	t.Run("unchanged in a probe", func(t *testing.T) {
		sid, s := r.open(t)
		ws, _ := r.dial(t).handshake(webSocket+"&sid="+sid, offers)
		ws.put(part(fin|rsv1|opText, bomb))
		ws.wantClose(1009)
		s.wantOpen(t)
		r.alive(t, sid)
	})
}

// Many writers, readers and both kinds of client at once, for the race detector.
func TestDeflateConcurrently(t *testing.T) {
	r := serve(t, deflating(engineio.Deflate{}), receiving(echo))
	long := strings.Repeat("echo ", 500)
	var all sync.WaitGroup
	for i := range 8 {
		ws, _ := r.ws(t)
		if i%2 == 0 {
			ws, _ = r.compressing(t)
		}
		all.Go(func() {
			for range 50 {
				raw := frame(fin|opText, "4"+long)
				if i%2 == 0 {
					raw = frame(fin|rsv1|opText, deflate("4"+long))
				}
				if _, err := ws.Write(raw); err != nil {
					t.Error(err)
					return
				}
				if _, _, got := ws.data(); got != "4"+long {
					t.Errorf("%.60q came back", got)
				}
			}
		})
	}
	all.Wait()
}
