//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// faulty is a server that does something wrong in its nth answer.
type faulty struct {
	spoil func(n int, msg []byte) [][]byte // what is sent for the nth answer

	mu      sync.Mutex // guards what follows, and writing
	n       int
	members []*websocket.Conn
	mail    map[string][][]byte // of polling sessions
}

func (f *faulty) answer(msg []byte) [][]byte {
	f.n++
	return f.spoil(f.n, msg)
}

func (f *faulty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("transport") == "polling" {
		f.poll(w, r)
		return
	}
	up := websocket.Upgrader{}
	ws, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer ws.Close()
	send := func(msgs ...[]byte) {
		for _, m := range msgs {
			ws.WriteMessage(websocket.TextMessage, m)
		}
	}
	send([]byte(`0{"sid":"x"}`))
	for {
		_, msg, err := ws.ReadMessage()
		if err != nil {
			return
		}
		f.mu.Lock()
		switch {
		case string(msg) == "40":
			send([]byte(`40{"sid":"x"}`))
		case bytes.HasPrefix(msg, []byte("421[")):
			f.members = append(f.members, ws)
			send([]byte("431[true]"))
		case bytes.HasPrefix(msg, []byte(`42["cast"`)):
			for _, m := range f.members {
				for _, b := range f.answer(bytes.Replace(msg, []byte("cast"), []byte("board"), 1)) {
					m.WriteMessage(websocket.TextMessage, b)
				}
			}
		default:
			send(f.answer(ack(msg))...)
		}
		f.mu.Unlock()
	}
}

// ack turns an event that wants one into its acknowledgement.
func ack(event []byte) []byte {
	id, arg, _ := strings.Cut(strings.TrimPrefix(string(event), "42"), `["echo",`)
	return []byte("43" + id + "[" + arg)
}

func (f *faulty) poll(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mail == nil {
		f.mail = map[string][][]byte{}
	}
	sid := r.URL.Query().Get("sid")
	body, _ := io.ReadAll(r.Body)
	switch {
	case sid == "":
		sid = fmt.Sprint("s", len(f.mail))
		f.mail[sid] = nil
		fmt.Fprintf(w, `0{"sid":%q}`, sid)
	case r.Method == "GET":
		w.Write(bytes.Join(f.mail[sid], []byte{packetSeparator}))
		f.mail[sid] = nil
	default:
		switch {
		case string(body) == "40":
			f.mail[sid] = append(f.mail[sid], []byte(`40{"sid":"x"}`))
		case string(body) != "1":
			f.mail[sid] = append(f.mail[sid], f.answer(ack(body))...)
		}
		io.WriteString(w, "ok")
	}
}

func honest(_ int, msg []byte) [][]byte { return [][]byte{msg} }

// at applies spoil to the 200th answer.
func at200(spoil func(msg []byte) [][]byte) func(int, []byte) [][]byte {
	return func(n int, msg []byte) [][]byte {
		if n == 200 {
			return spoil(msg)
		}
		return [][]byte{msg}
	}
}

var faults = map[string]func(int, []byte) [][]byte{
	"drops":   at200(func([]byte) [][]byte { return nil }),
	"repeats": at200(func(msg []byte) [][]byte { return [][]byte{msg, msg} }),
	"garbles": at200(func(msg []byte) [][]byte { return [][]byte{bytes.Replace(msg, []byte("ipsum"), []byte("IPSUM"), 1)} }),
	"misnumbers": at200(func(msg []byte) [][]byte {
		return [][]byte{bytes.Replace(msg, []byte("100"), []byte("900"), 1)}
	}),
}

var faultLoads = map[string]func() load{
	"echo":    func() load { return &echo{clients: 3, depth: 1} },
	"batch":   func() load { return &echo{clients: 3, depth: 16} },
	"room":    func() load { return &room{members: 7, depth: 5} },
	"polling": func() load { return &polling{clients: 3} },
}

// still is a clock for tests that do not care what things cost.
func still() (time.Duration, error) { return 0, nil }

// patience is how long a load waits for an answer that does come.
const patience = 30 * time.Second

// windows are how long a load is measured, one after the other if a busy machine does not come far enough.
var windows = []time.Duration{200 * time.Millisecond, time.Second, 5 * time.Second}

func measureFaulty(t *testing.T, ld load, spoil func(int, []byte) [][]byte, stall, window time.Duration) (sample, error) {
	t.Helper()
	ts := httptest.NewServer(&faulty{spoil: spoil})
	defer ts.Close()
	l, err := newLoop(netip.MustParseAddrPort(ts.Listener.Addr().String()), stall)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	return measure(l, ld, still, 0, window)
}

func TestLoadsCountAnHonestServer(t *testing.T) {
	faultLoads["connect"] = func() load { return &connect{atOnce: 3} }
	defer delete(faultLoads, "connect")
	for name, ld := range faultLoads {
		t.Run(name, func(t *testing.T) {
			var s sample
			var err error
			for _, window := range windows {
				if s, err = measureFaulty(t, ld(), honest, patience, window); s.Ops >= 20 {
					break
				}
			}
			if err != nil || s.Ops < 20 {
				t.Errorf("%d operations, error %v", s.Ops, err)
			}
		})
	}
}

// A server that loses, repeats or alters messages must fail, not win.
func TestLoadsRefuseAFaultyServer(t *testing.T) {
	for name, ld := range faultLoads {
		for fault, spoil := range faults {
			if name == "polling" && fault == "drops" {
				continue // an empty answer to GET: the server below would have to hold the request
			}
			t.Run(name+"/"+fault, func(t *testing.T) {
				stall := patience
				if fault == "drops" {
					stall = 300 * time.Millisecond // is how it is found
				}
				var s sample
				var err error
				for _, window := range windows { // until it comes to the spoilt answer
					if s, err = measureFaulty(t, ld(), spoil, stall, window); err != nil {
						break
					}
				}
				if err == nil || !strings.HasPrefix(err.Error(), "bench: ") {
					t.Errorf("%d operations, error %v, want the fault found", s.Ops, err)
				}
			})
		}
	}
}

// A connection is over when the server has closed it the way RFC 6455 says.
func TestConnectWantsAnOrderlyClose(t *testing.T) {
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		up := websocket.Upgrader{}
		ws, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		ws.SetCloseHandler(func(int, string) error { return nil }) // hang up without an answer
		ws.WriteMessage(websocket.TextMessage, []byte(`0{"sid":"x"}`))
		ws.ReadMessage()
		ws.WriteMessage(websocket.TextMessage, []byte(`40{"sid":"x"}`))
		ws.ReadMessage()
	}))
	defer ts.Close()
	l, err := newLoop(netip.MustParseAddrPort(ts.Listener.Addr().String()), patience)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	_, err = measure(l, &connect{atOnce: 1}, still, 0, 50*time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "without answering the close frame") {
		t.Errorf("error %v, want the missing close frame reported", err)
	}
}
