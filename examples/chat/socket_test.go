package main

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// rawSocket speaks just enough Socket.IO for these tests. It is written against the protocol's text, so it shares
// no mistake with siokit. One goroutine uses it.
type rawSocket struct {
	t      *testing.T
	ws     *websocket.Conn
	calls  int
	events [][]json.RawMessage // read while something else was waited for
}

// open opens the transport with the cookies of b, and asks to be connected. It returns the server's answer.
func (b *browser) open() (*rawSocket, string) {
	b.t.Helper()
	url := "ws" + strings.TrimPrefix(b.base, "http") + "/socket.io/?EIO=4&transport=websocket"
	dialer := websocket.Dialer{Jar: b.client.Jar, HandshakeTimeout: 5 * time.Second}
	ws, answer, err := dialer.Dial(url, http.Header{"Origin": {b.base}})
	if err != nil {
		b.t.Fatalf("dialing: %v (%v)", err, answer)
	}
	b.t.Cleanup(func() { ws.Close() })
	s := &rawSocket{t: b.t, ws: ws}
	if hello := s.read(); !strings.HasPrefix(hello, "0{") {
		b.t.Fatalf("the first packet is %q, want an open packet", hello)
	}
	s.write("40")
	return s, s.read()
}

// connect is open for one who is logged in.
func (b *browser) connect() *rawSocket {
	b.t.Helper()
	s, answer := b.open()
	if !strings.HasPrefix(answer, `40{"sid":`) {
		b.t.Fatalf("connecting was answered with %q", answer)
	}
	return s
}

func (s *rawSocket) write(packet string) {
	s.t.Helper()
	if err := s.ws.WriteMessage(websocket.TextMessage, []byte(packet)); err != nil {
		s.t.Fatalf("writing %q: %v", packet, err)
	}
}

// read returns the next packet that is no ping, or "" at the end of the connection.
func (s *rawSocket) read() string {
	s.t.Helper()
	for {
		s.ws.SetReadDeadline(time.Now().Add(10 * time.Second))
		_, packet, err := s.ws.ReadMessage()
		if wait, ok := err.(interface{ Timeout() bool }); ok && wait.Timeout() {
			s.t.Fatal("nothing came from the server for 10 s")
		}
		if err != nil {
			return ""
		}
		if string(packet) != "2" {
			return string(packet)
		}
		s.write("3")
	}
}

func (s *rawSocket) emit(ack, event string, args ...any) {
	s.t.Helper()
	data, err := json.Marshal(append([]any{event}, args...))
	if err != nil {
		s.t.Fatal(err)
	}
	s.write("42" + ack + string(data))
}

// call emits and returns the ack's one argument, as JSON.
func (s *rawSocket) call(event string, args ...any) string {
	s.t.Helper()
	s.calls++
	want := "43" + strconv.Itoa(s.calls)
	s.emit(strconv.Itoa(s.calls), event, args...)
	for {
		packet := s.read()
		if data, ok := strings.CutPrefix(packet, want); ok {
			var out []json.RawMessage
			if err := json.Unmarshal([]byte(data), &out); err != nil || len(out) != 1 {
				s.t.Fatalf("the ack of %q is %q", event, packet)
			}
			return string(out[0])
		}
		s.keep(packet)
	}
}

func (s *rawSocket) keep(packet string) {
	s.t.Helper()
	data, ok := strings.CutPrefix(packet, "42")
	var event []json.RawMessage
	if !ok || json.Unmarshal([]byte(data), &event) != nil {
		s.t.Fatalf("want an event, got %q", packet)
	}
	s.events = append(s.events, event)
}

// next returns the argument of the next event with this name, as JSON, and drops those before it except when they
// are named in never.
func (s *rawSocket) next(name string, never ...string) string {
	s.t.Helper()
	for {
		for len(s.events) == 0 {
			s.keep(s.read())
		}
		event := s.events[0]
		s.events = s.events[1:]
		got := strings.Trim(string(event[0]), `"`)
		for _, bad := range never {
			if got == bad {
				s.t.Fatalf("got %q: %s", got, event[1])
			}
		}
		if got == name {
			return string(event[1])
		}
	}
}

// waitEnd reads until the server has ended this socket.
func (s *rawSocket) waitEnd() {
	s.t.Helper()
	for {
		if packet := s.read(); packet == "" || packet == "41" {
			return
		}
	}
}
