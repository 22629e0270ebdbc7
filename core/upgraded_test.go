package core_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/siokit/siokit/core"
)

// dialUpgraded connects to "/" over polling and then moves to WebSocket. It returns the socket's id.
func (a *app) dialUpgraded() (*peer, string) {
	a.t.Helper()
	p := a.newPeer("polling")
	p.url = a.ts.URL + "/socket.io/?EIO=4&transport=polling"
	get := func() string {
		status, body, err := p.do(context.Background(), http.MethodGet, p.url, "")
		if err != nil || status != http.StatusOK {
			a.t.Fatalf("GET: %d %v", status, err)
		}
		return body
	}
	p.url += "&sid=" + sidOf([]byte(get()))
	p.send("0")
	joined := ""
	for joined == "" {
		for packet := range strings.SplitSeq(get(), "\x1e") {
			switch {
			case packet == "2": // a heartbeat, before the answer or after
				_ = p.raw("3")
			case joined == "":
				joined = packet
			}
		}
	}
	sid := socketID.FindStringSubmatch(joined)
	if !strings.HasPrefix(joined, "40") || sid == nil {
		a.t.Fatalf("CONNECT was answered with %q", joined)
	}
	endpoint := strings.Replace("ws"+strings.TrimPrefix(p.url, "http"), "transport=polling", "transport=websocket", 1)
	ws, _, err := websocket.DefaultDialer.Dial(endpoint, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	p.ws, p.transport = ws, "websocket"
	a.t.Cleanup(p.kill)
	_ = p.raw("2probe")
	if _, answer, err := ws.ReadMessage(); err != nil || string(answer) != "3probe" {
		a.t.Fatalf("the probe was answered with %q %v", answer, err)
	}
	_ = p.raw("5")
	go p.readWebSocket()
	eventually(a.t, "the connection has moved", func() bool {
		s, ok := a.Socket(sid[1])
		return ok && s.Transport() == "websocket"
	})
	return p, sid[1]
}

// dialJoined connects to "/" by a transport, or "upgraded".
func (a *app) dialJoined(transport string) (*peer, *core.Socket) {
	a.t.Helper()
	var p *peer
	var sid string
	if transport == "upgraded" {
		p, sid = a.dialUpgraded()
	} else {
		p = a.dial(transport)
		sid = p.join("/", "")
	}
	s, ok := a.Socket(sid)
	if !ok {
		a.t.Fatal("a connected socket is not found")
	}
	return p, s
}

func TestUpgradedKeepsEverything(t *testing.T) {
	a := serve(t, core.Config{})
	a.OnConnect(func(c *core.Context) error { return c.Join("room") })
	a.OfPattern("/org/{id}")
	p, s := a.dialJoined("upgraded")
	p.join("/org/7", "")
	_ = a.To("room").Emit("hi")
	p.want(`2["hi"]`)
	if !s.InRoom("room") || a.Clients() != 1 {
		t.Error("the room was lost")
	}
	p.wantAlive()
}
