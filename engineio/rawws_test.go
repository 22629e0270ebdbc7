package engineio_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/siokit/siokit/engineio"
)

func parked(s *session) bool { return engineio.Parked(s.conn) }

// Opcodes of RFC 6455.
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
	fin            = 0x80
)

// A wsock is a WebSocket client that writes whatever frames a test wants.
type wsock struct{ *wire }

// handshake asks for the WebSocket protocol on w.
func (w *wire) handshake(query string, header ...string) (*wsock, answer) {
	w.t.Helper()
	w.put(rawRequest("GET", query, "", withUpgrade(header...)...))
	a := w.answer("GET")
	return &wsock{w}, a
}

// ws opens a session that is born on WebSocket, and reads its OPEN packet.
func (r *rig) ws(t testing.TB, extra ...string) (*wsock, *session) {
	t.Helper()
	query := webSocket
	for _, e := range extra {
		query += "&" + e
	}
	ws, a := r.dial(t).handshake(query)
	if a.status != 101 {
		t.Fatalf("handshake: %d %s", a.status, a.body)
	}
	return ws, r.session(parseOpen(t, ws.text()).SID)
}

// probe opens the WebSocket that is to take over a polling session.
func (r *rig) probe(t testing.TB, sid string) *wsock {
	t.Helper()
	ws, a := r.dial(t).handshake(webSocket + "&sid=" + sid)
	if a.status != 101 {
		t.Fatalf("upgrade: %d %s", a.status, a.body)
	}
	return ws
}

// upgrade moves a polling session to WebSocket.
func (r *rig) upgrade(t testing.TB, sid string) *wsock {
	t.Helper()
	ws := r.probe(t, sid)
	ws.send("2probe")
	ws.wantText("3probe")
	ws.send("5")
	s := r.session(sid)
	upgraded := func() bool { return s.conn.Transport() == engineio.WebSocket }
	if s.exact { // no time may pass
		s.until(t, "upgraded", upgraded)
	} else {
		eventually(t, "upgraded", upgraded)
	}
	return ws
}

// frame renders a masked frame; the mask is zero, which is legal.
func frame(first byte, payload string) []byte {
	return append(frameHeader(first, len(payload)), payload...)
}

func frameHeader(first byte, n int) []byte {
	b := []byte{first}
	switch {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	return append(b, 0, 0, 0, 0)
}

func (ws *wsock) send(text string)       { ws.t.Helper(); ws.put(string(frame(fin|opText, text))) }
func (ws *wsock) sendBinary(data string) { ws.t.Helper(); ws.put(string(frame(fin|opBinary, data))) }

// next reads one frame.
func (ws *wsock) next() (op byte, payload string, err error) {
	_ = ws.SetReadDeadline(time.Now().Add(patience))
	var head [2]byte
	if _, err := io.ReadFull(ws.br, head[:]); err != nil {
		return 0, "", err
	}
	n := uint64(head[1] & 0x7f)
	var long [8]byte
	switch n {
	case 126:
		_, err = io.ReadFull(ws.br, long[6:])
		n = binary.BigEndian.Uint64(long[:])
	case 127:
		_, err = io.ReadFull(ws.br, long[:])
		n = binary.BigEndian.Uint64(long[:])
	}
	if err == nil && (head[0]&fin == 0 || head[1]&0x80 != 0 || n > 64<<20) {
		err = fmt.Errorf("the server sent a frame header %x, of %d bytes", head, n)
	}
	if err != nil {
		return 0, "", err
	}
	data := make([]byte, n)
	_, err = io.ReadFull(ws.br, data)
	return head[0] & 0xf, string(data), err
}

func (ws *wsock) want(op byte, payload string) {
	ws.t.Helper()
	gotOp, got, err := ws.next()
	if err != nil || gotOp != op || got != payload {
		ws.t.Fatalf("got frame %d %.100q (%v), want %d %.100q", gotOp, got, err, op, payload)
	}
}

func (ws *wsock) wantText(s string) { ws.t.Helper(); ws.want(opText, s) }

// text reads one text frame.
func (ws *wsock) text() string {
	ws.t.Helper()
	op, payload, err := ws.next()
	if err != nil || op != opText {
		ws.t.Fatalf("got frame %d %.100q (%v), want text", op, payload, err)
	}
	return payload
}

// closed skips data until the close frame and returns its payload; "FIN" when there is none.
func (ws *wsock) closed() string {
	ws.t.Helper()
	for {
		op, payload, err := ws.next()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			ws.t.Fatal("the server keeps the WebSocket open")
		case err != nil:
			return "FIN"
		case op == opClose:
			return payload
		}
	}
}

// wantClose waits for a close frame with one of the codes, then answers it.
func (ws *wsock) wantClose(codes ...int) {
	ws.t.Helper()
	got := ws.closed()
	code := 0
	if len(got) >= 2 && got != "FIN" {
		code = int(binary.BigEndian.Uint16([]byte(got)))
	} else if got == "" {
		code = 1005
	}
	for _, want := range codes {
		if code == want {
			_, _ = ws.Write(frame(fin|opClose, got))
			ws.wantEOF()
			return
		}
	}
	ws.t.Errorf("closed with %d (%q), want %v", code, got, codes)
}

func closePayload(code int, reason string) string {
	return string(binary.BigEndian.AppendUint16(nil, uint16(code))) + reason
}

// wantEcho checks that the session is alive, with a server that echoes.
func (ws *wsock) wantEcho(text string) {
	ws.t.Helper()
	ws.send("4" + text)
	for {
		got := ws.text()
		if got == "2" { // a heartbeat that was due
			ws.send("3")
			continue
		}
		if got != "4"+text {
			ws.t.Fatalf("got %.200q, want %.200q", got, "4"+text)
		}
		return
	}
}
