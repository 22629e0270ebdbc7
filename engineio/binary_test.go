package engineio_test

import (
	"strings"
	"testing"

	"github.com/siokit/siokit/engineio"
)

// A message that is binary itself: a binary frame without a type digit, "b" and base64 on polling and for
// WebSocket clients with b64=1. What follows it keeps its form.
func TestBinaryMessages(t *testing.T) {
	r := serve(t, engineio.Config{})
	for _, n := range []int{0, 1, 125, 126, 127, 65535, 65536, 70_000} {
		data := strings.Repeat("\xff", n)
		ws, s := r.ws(t)
		_ = s.conn.Send(binaryMessage(data, []byte("a")))
		_ = s.conn.Send(message("after"))
		ws.want(opBinary, data)
		ws.want(opBinary, "a")
		ws.wantText("4after")
	}
	ws, s := r.ws(t, "b64=1")
	_ = s.conn.Send(binaryMessage("\x01\x02\x03\x04", []byte("a")))
	ws.wantText("bAQIDBA==")
	ws.wantText("bYQ==")

	sid, s := r.open(t)
	shared := binaryMessage("\x01\x02\x03\x04", []byte("a"))
	if shared.Size() < len("\x01\x02\x03\x04a") {
		t.Errorf("size %d", shared.Size())
	}
	_ = s.conn.Send(message("before"))
	_ = s.conn.Send(shared)
	_ = s.conn.Send(shared)
	if a := r.request(t, "GET", polling+"&sid="+sid); a.body != "4before\x1ebAQIDBA==\x1ebYQ==\x1ebAQIDBA==\x1ebYQ==" {
		t.Errorf("polled %q", a.body)
	}
}
