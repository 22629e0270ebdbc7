package engineio_test

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/siokit/siokit/engineio"
)

// The rows W of the bar: frames on a live WebSocket. Compression is never negotiated, so RSV1 is an
// error everywhere (W-02, W-03, W-25). What only Socket.IO can judge (W-07, W-14, W-15, W-21 "44")
// reaches the Receiver.
func TestFramesThatEndTheSession(t *testing.T) {
	r := serve(t, engineio.Config{}, receiving(echo))
	text := func(s string) string { return string(frame(fin|opText, s)) }
	part := func(op byte, s string) string { return string(frame(op, s)) }
	length := func(first byte, n uint64) string {
		return string(binary.BigEndian.AppendUint64([]byte{first, 0xff}, n)) + "\x01\x02\x03\x04"
	}
	const (
		protocol = engineio.TransportError
		parse    = engineio.ParseError
		leave    = engineio.TransportClose
	)
	for _, row := range []struct {
		id, raw string
		code    int // 1005: an empty close frame
		reason  engineio.Reason
	}{
		{"W-01 unmasked", "\x81\x024a", 1002, protocol},
		{"W-01 RSV1", part(fin|0x40|opText, "4a"), 1002, protocol},
		{"W-01 RSV2", part(fin|0x20|opText, "4a"), 1002, protocol},
		{"W-01 RSV3", part(fin|0x10|opText, "4a"), 1002, protocol},
		{"W-01 opcode 3", part(fin|3, "4a"), 1002, protocol},
		{"W-01 opcode 0xB", part(fin|0xB, "4a"), 1002, protocol},
		{"W-01 continuation first", part(fin|opContinuation, "4a"), 1002, protocol},
		{"W-01 text inside fragments", part(opText, "4a") + text("4b"), 1002, protocol},
		{"W-01 fragmented ping", part(opPing, "a"), 1002, protocol},
		{"W-01 long ping V-21", part(fin|opPing, strings.Repeat("a", 126)), 1002, protocol},
		{"W-02", part(opText, "4a") + part(fin|0x40|opContinuation, "b"), 1002, protocol},
		{"W-03", part(fin|0x40|opPing, "a"), 1002, protocol},
		{"W-05 FF", text("4a\xff"), 1007, protocol},
		{"W-05 surrogate", text("4\xed\xa0\x80"), 1007, protocol},
		{"W-05 across fragments", part(opText, "4\xe2\x82") + part(fin|opContinuation, "\x28"), 1007, protocol},
		{"W-06", text(""), 1002, parse},
		{"W-08 2^53", length(fin|opText, 1<<53+1), 1009, protocol},
		{"W-08 MSB", length(fin|opText, 1<<63), 1009, protocol}, // gorilla sends none, we do
		{"W-08 one too many V-21", length(fin|opText, 1_000_001), 1009, protocol},
		{"W-08 sum", part(opText, "4"+strings.Repeat("x", 600_000)) + part(fin|opContinuation, strings.Repeat("x", 400_000)), 1009, protocol},
		{"V-20", "\x81\xff\x80\x00\x00\x00\x00\x00\x00\x01\x01\x02\x03\x04", 1009, protocol},
		{"V-20 unmasked", "\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff", 1002, protocol},
		{"V-20 continuation", part(opText, "4") + length(fin|opContinuation, 1<<63-1), 1009, protocol},
		{"W-11 1000", part(fin|opClose, closePayload(1000, "")), 1000, leave},
		{"W-11 4999", part(fin|opClose, closePayload(4999, "own")), 4999, leave},
		{"W-11 empty", part(fin|opClose, ""), 1005, leave},
		// gorilla takes a close payload of one byte for an empty one and shows neither; a peer that
		// sends it leaves anyway, and gets its close.
		{"W-11 1 byte", part(fin|opClose, "a"), 1005, leave},
		{"W-11 999", part(fin|opClose, closePayload(999, "")), 1002, protocol},
		{"W-11 1005", part(fin|opClose, closePayload(1005, "")), 1002, protocol},
		{"W-11 5000", part(fin|opClose, closePayload(5000, "")), 1002, protocol},
		{"W-11 UTF-8", part(fin|opClose, closePayload(1000, "\xff")), 1007, protocol},
		{"W-18 2", text("2"), 1002, protocol},
		{"W-18 2probe", text("2probe"), 1002, protocol},
		{"W-20", text("1"), 1000, leave},
		{"W-21", text("7"), 1002, parse},
		{"V-08 1 byte", part(opText, "4") + strings.Repeat(part(opContinuation, "x"), 20000), 1008, protocol},
		{"W-22 V-08 0 bytes", part(opText, "4") + strings.Repeat(part(opContinuation, ""), 20000), 1008, protocol},
	} {
		t.Run(row.id, func(t *testing.T) {
			ws, s := r.ws(t)
			ws.put(row.raw + text("4after the end"))
			ws.wantClose(row.code)
			s.wantClosed(t, row.reason)
			s.wantMessages(t)
		})
	}
	eventually(t, "all connections end", func() bool { return r.srv.Stats().Connections == 0 })
}

func TestFrames(t *testing.T) {
	r := serve(t, engineio.Config{}, receiving(echo))
	t.Run("W-04", func(t *testing.T) {
		ws, s := r.ws(t)
		ws.put(string(frame(opText, "4a\xe2")) + string(frame(opContinuation, "\x82")) + string(frame(fin|opPing, "now")))
		ws.want(opPong, "now")
		ws.put(string(frame(fin|opContinuation, "\xacb")))
		ws.wantText("4a€b")
		s.wantMessages(t, "a€b")
	})
	t.Run("W-07 W-17 W-14", func(t *testing.T) {
		ws, s := r.ws(t)
		ws.send("4")
		ws.send("4a\x1e4b")
		ws.sendBinary("42[1]")
		ws.sendBinary("")
		s.wantMessages(t, "", "a\x1e4b", "[34325b315d]", "[]")
	})
	t.Run("W-09", func(t *testing.T) {
		ws, s := r.ws(t)
		big := strings.Repeat("x", 999_999)
		ws.send("4" + big)
		s.wantMessages(t, big)
		ws.wantText("4" + big)
	})
	t.Run("W-10", func(t *testing.T) {
		ws, _ := r.ws(t)
		ws.put("\x81\xfe\x00\x02\x00\x00\x00\x004a")
		ws.wantText("4a")
		ws.put("\x81\xff\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x004b")
		ws.wantText("4b")
	})
	t.Run("W-12", func(t *testing.T) {
		ws, s := r.ws(t)
		s.conn.Close(engineio.ServerClose)
		ws.send("4late")
		ws.wantClose(1000)
		s.wantMessages(t)
		s.wantClosed(t, engineio.ServerClose)
	})
	t.Run("W-16", func(t *testing.T) {
		ws, s := r.ws(t)
		ws.send("bAQID")
		s.wantMessages(t, "[010203]")
	})
	t.Run("W-19", func(t *testing.T) {
		ws, s := r.ws(t)
		for _, p := range []string{"3", "3probe", "5", "6", `0{"sid":"x"}`} {
			ws.send(p)
		}
		ws.wantEcho("alive")
		s.wantMessages(t, "alive")
	})
	t.Run("V-08 just below the cap", func(t *testing.T) {
		ws, s := r.ws(t)
		n := engineio.MaxFragments - 400 // the guard counts what was read ahead too
		ws.put(string(frame(opText, "4")) + strings.Repeat(string(frame(opContinuation, "x")), n) + string(frame(fin|opContinuation, "")))
		s.wantMessages(t, strings.Repeat("x", n))
	})
	t.Run("V-26 a reading client", func(t *testing.T) {
		ws, s := r.ws(t)
		ws.put(strings.Repeat(string(frame(fin|opPing, "p")), 5000))
		for range 5000 {
			ws.want(opPong, "p")
		}
		s.wantOpen(t)
	})
}

// W-23, V-26: pings from a client that never reads.
func TestPingFlood(t *testing.T) {
	r := serve(t, engineio.Config{WriteTimeout: 500 * time.Millisecond})
	ws, s := r.ws(t)
	flood := []byte(strings.Repeat(string(frame(fin|opPing, strings.Repeat("p", 100))), 1000))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 1000 {
		_ = ws.SetWriteDeadline(time.Now().Add(patience))
		if _, err := ws.Write(flood); err != nil {
			break
		}
	}
	s.wantClosed(t, engineio.SlowConsumer)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 4<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
}

// V-20, V-21: a length is a claim, not a reason to allocate.
func TestClaimedLengthAllocatesNothing(t *testing.T) {
	r := serve(t, engineio.Config{})
	ws, s := r.ws(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	ws.put(string(frameHeader(fin|opText, 1_000_000)) + "4")
	if err := ws.Conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	s.wantClosed(t, engineio.TransportClose) // the header has been read
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 512<<10 {
		t.Errorf("%d bytes allocated for a claimed megabyte", n)
	}
}

// W-24, V-22 to V-24: odd WebSocket handshakes, all answered before a session is made.
func TestWebSocketHandshake(t *testing.T) {
	r := serve(t, engineio.Config{}, receiving(echo))
	for name, header := range map[string][]string{
		"no key":        {"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"},
		"short key":     {"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: YQ=="},
		"garbage key":   {"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: !!"},
		"version 99":    {"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 99", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="},
		"no version":    {"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="},
		"h2c":           {"Connection: Upgrade", "Upgrade: h2c", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="},
		"no connection": {"Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="},
	} {
		t.Run("W-24 "+name, func(t *testing.T) { r.request(t, "GET", webSocket, header...).wantBadRequest(t) })
	}
	t.Run("W-24 POST", func(t *testing.T) {
		r.request(t, "POST", webSocket, upgradeHeaders...).wantRefused(t, 400, 2, "Bad handshake method")
	})
	if n := r.accepted(); n != 0 {
		t.Errorf("%d sessions made by refused handshakes", n)
	}
	many := make([]string, 2500)
	for i := range many {
		many[i] = fmt.Sprintf("X-%d: 1", i)
	}
	for name, header := range map[string][]string{
		"V-22 constructor": {"Sec-WebSocket-Extensions: constructor"},
		"V-22 comma":       {"Sec-WebSocket-Extensions: ,;constructor"},
		"V-22 bits":        {"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99999"},
		"V-22 semicolons":  {"Sec-WebSocket-Extensions: " + strings.Repeat(";", 8<<10)},
		"V-23":             {"Sec-WebSocket-Protocol: b" + strings.Repeat(" ", 30000) + "x"},
		"V-24":             many,
		"tokens":           {"Connection: keep-alive"},
	} {
		t.Run(name, func(t *testing.T) {
			var ws *wsock
			var a answer
			within(t, 50*time.Millisecond, "the answer", func() { ws, a = r.dial(t).handshake(webSocket, header...) })
			if a.status != 101 || a.header.Get("Sec-WebSocket-Extensions") != "" {
				t.Fatalf("%d %v", a.status, a.header)
			}
			ws.text()
			ws.wantEcho("alive")
		})
	}
}

// V-02: bytes glued to the upgrade request are a frame before there is a session.
func TestBytesGluedToTheUpgrade(t *testing.T) {
	r := serve(t, engineio.Config{})
	t.Run("handshake", func(t *testing.T) {
		w := r.dial(t)
		w.put(rawRequest("GET", webSocket, "", upgradeHeaders...) + "test")
		w.wantEOF()
		r.last().wantClosed(t, engineio.TransportError)
	})
	t.Run("upgrade", func(t *testing.T) {
		sid, s := r.open(t)
		w := r.dial(t)
		w.put(rawRequest("GET", webSocket+"&sid="+sid, "", upgradeHeaders...) + "test")
		w.wantEOF()
		s.wantOpen(t)
		eventually(t, "the place is free", func() bool { return !engineio.Probing(s.conn) })
		r.alive(t, sid)
		r.upgrade(t, sid)
	})
	eventually(t, "no connection is left", func() bool { return r.srv.Stats().Connections == 0 })
}
