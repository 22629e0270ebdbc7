package core_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/wire/eio"
)

// oldPeer is a client of Engine.IO 3 that speaks raw packets.
type oldPeer struct {
	t    testing.TB
	url  string
	http *http.Client
	ws   *websocket.Conn // nil on polling

	sid     string
	packets []string // read but not yet taken: text as it is, binary in front of a B
	ended   bool
}

func (a *app) dialOld(transport, query string) *oldPeer {
	a.t.Helper()
	p := &oldPeer{t: a.t, http: a.ts.Client(), url: a.ts.URL + "/socket.io/?EIO=3&transport=" + transport + query}
	if transport == "websocket" {
		ws, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(p.url, "http"), nil)
		if err != nil {
			a.t.Fatal(err)
		}
		p.ws = ws
	}
	open := p.packet()
	if !strings.HasPrefix(open, "0{") {
		a.t.Fatalf("no OPEN packet: %q", open)
	}
	p.sid = sidOf([]byte(open))
	p.url += "&sid=" + p.sid
	a.t.Cleanup(p.kill)
	return p
}

// packet returns the next Engine.IO packet, "" when the connection has ended.
func (p *oldPeer) packet() string {
	p.t.Helper()
	for len(p.packets) == 0 && !p.ended {
		if p.ws != nil {
			kind, data, err := p.ws.ReadMessage()
			switch {
			case err != nil:
				p.ended = true
			case kind == websocket.BinaryMessage:
				p.packets = append(p.packets, "B"+string(data[1:]))
			default:
				p.packets = append(p.packets, string(data))
			}
			continue
		}
		p.poll()
	}
	if len(p.packets) == 0 {
		return ""
	}
	first := p.packets[0]
	p.packets = p.packets[1:]
	if first == "1" {
		p.ended = true
		return ""
	}
	return first
}

func (p *oldPeer) poll() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	resp, err := p.http.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		p.ended = true
		return
	}
	packets := eio.Packets3(body)
	if resp.Header.Get("Content-Type") == "application/octet-stream" {
		packets = eio.BinaryPackets3(body)
	}
	for packet, err := range packets {
		if err != nil {
			p.t.Fatalf("%q: %v", body, err)
		}
		text := string(eio.Append(nil, packet))
		if packet.Binary {
			text = "B" + string(packet.Data)
		}
		p.packets = append(p.packets, text)
	}
}

// send sends Socket.IO packets.
func (p *oldPeer) send(messages ...string) {
	p.t.Helper()
	var body []byte
	for _, m := range messages {
		packet := eio.Packet{Type: eio.Message, Data: []byte(m)}
		if p.ws != nil {
			if err := p.ws.WriteMessage(websocket.TextMessage, eio.Append3(nil, packet)); err != nil {
				p.t.Logf("send: %v", err) // reading says why
			}
			continue
		}
		body = eio.AppendPayload3(body, packet)
	}
	if p.ws == nil {
		p.post("text/plain;charset=UTF-8", string(body))
	}
}

// kill ends the connection, so that Shutdown need not wait for it.
func (p *oldPeer) kill() {
	if p.ws != nil {
		_ = p.ws.Close()
		return
	}
	p.post("text/plain", "1:1")
}

func (p *oldPeer) post(media, body string) {
	resp, err := p.http.Post(p.url, media, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	_ = resp.Body.Close()
}

// want reads these Socket.IO packets.
func (p *oldPeer) want(messages ...string) {
	p.t.Helper()
	for _, want := range messages {
		if !strings.HasPrefix(want, "B") {
			want = "4" + want
		}
		if got := p.packet(); got != want {
			p.t.Fatalf("got %q, want %q", got, want)
		}
	}
}

func (p *oldPeer) wantAlive() {
	p.t.Helper()
	p.send(`299["alive"]`)
	p.want(`399[]`)
}

// wantClosed waits for the end and returns the Socket.IO packets before it.
func (p *oldPeer) wantClosed() (rest []string) {
	p.t.Helper()
	for {
		got := p.packet()
		if got == "" {
			return rest
		}
		rest = append(rest, strings.TrimPrefix(got, "4"))
	}
}

func TestProtocol4Connect(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{AllowEIO3: true})
		sockets := make(chan *core.Context, 8)
		connect := func(c *core.Context) error {
			sockets <- c
			return c.Emit("hello")
		}
		a.OnConnect(connect)
		a.Of("/admin").OnConnect(connect)
		p := a.dialOld(transport, "&token=t&b64=0")
		p.want("0", `2["hello"]`) // without being asked for, and with nothing in it
		root := receive(t, sockets)
		if h := root.Handshake(); h.Revision != 3 || h.Query().Encode() != "token=t" {
			t.Errorf("handshake %d %q", h.Revision, h.Query().Encode())
		}
		p.send(`0/admin?token=a%20b+c&token=d&x=%zz&y,`)
		p.want("0/admin,", `2/admin,["hello"]`)
		admin := receive(t, sockets)
		var auth map[string]string
		if err := admin.Auth(&auth); err != nil || len(auth) != 3 || auth["token"] != "d" || auth["x"] != "%zz" || auth["y"] != "" {
			t.Errorf("auth %v, %v", auth, err)
		}
		for _, s := range []*core.Context{root, admin} {
			if !regexp.MustCompile(`^[\w-]{20}$`).MatchString(s.ID()) || strings.Contains(s.ID(), p.sid) {
				t.Errorf("socket id %q", s.ID())
			}
		}
		p.send("0/nowhere,")
		p.want(`4/nowhere,{"message":"Invalid namespace"}`)
		p.send("1/admin,")
		receive(t, admin.Done())
		p.send("0/admin") // again, this time without a query
		p.want("0/admin,", `2/admin,["hello"]`)
		if auth := json.RawMessage(nil); receive(t, sockets).Auth(&auth) != nil || auth != nil {
			t.Errorf("auth %s without a query", auth)
		}
		p.wantAlive()

		p.send("0") // connected already
		p.wantClosed()
		receive(t, root.Done())

		p = a.dialOld(transport, "")
		p.want("0", `2["hello"]`)
		p.send("0/" + strings.Repeat("n", 600) + "?a=b,")
		p.wantClosed()
		p = a.dialOld(transport, "")
		p.want("0", `2["hello"]`)
		p.send("0/admin?token=" + strings.Repeat("t", 4000) + ",") // a token may be long
		p.want("0/admin,")
	})
}

func TestProtocol4Refusals(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{AllowEIO3: true})
		a.Use(func(context.Context) error { return &core.ConnectError{Message: "nope"} })
		a.Of("/data").Use(func(context.Context) error {
			return &core.ConnectError{Message: "x", Data: map[string]int{"why": 1}}
		})
		a.Of("/bad").Use(func(context.Context) error { return &core.ConnectError{Message: "x", Data: make(chan int)} })
		a.Of("/hidden").Use(func(context.Context) error { return errors.New("secret") })
		core.On(a.Of("/open"), "alive", func(*core.Context, core.None) error { return nil })
		p := a.dialOld(transport, "")
		p.want(`4"nope"`)
		p.send("0/data,", "0/bad,", "0/hidden,", "0/open,") // "/" is refused, the others are not
		var got []string
		for range 4 {
			got = append(got, p.packet())
		}
		slices.Sort(got)
		want := []string{"40/open,", `44/bad,"x"`, `44/data,{"why":1}`, `44/hidden,"internal error"`}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		p.send(`2/open,1["alive"]`)
		p.want(`3/open,1[]`)
		p.send(`4/open,"clients send no errors"`)
		p.wantClosed()
	})
}

func TestProtocol4Disconnect(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{AllowEIO3: true})
		reasons := make(chan core.Reason, 4)
		a.OnDisconnect(func(_ *core.Context, r core.Reason) { reasons <- r })
		x := a.Of("/x")
		core.On(x, "alive", func(*core.Context, core.None) error { return nil })
		p := a.dialOld(transport, "")
		p.want("0")
		p.send("0/x,")
		p.want("0/x,")
		p.send("1") // leaving "/" keeps the connection
		if r := receive(t, reasons); r != core.ClientNamespaceDisconnect {
			t.Errorf("reason %q", r)
		}
		p.send(`2/x,1["alive"]`)
		p.want("3/x,1[]")
		x.Sockets()[0].DisconnectBecause(errEnded)
		p.want(`2/x,`+strings.TrimPrefix(farewell, "2"), "1/x,")

		p = a.dialOld(transport, "")
		p.want("0")
		a.Sockets()[0].DisconnectAll()
		if got := p.wantClosed(); !slices.Equal(got, []string{"1"}) {
			t.Errorf("got %q before the end", got)
		}
		if r := receive(t, reasons); r != core.ServerNamespaceDisconnect {
			t.Errorf("reason %q", r)
		}
	})
}

// A broadcast with an attachment reaches clients of both protocols.
func TestProtocol4Events(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{AllowEIO3: true})
		old, current := a.dialOld(transport, ""), a.dial(transport)
		old.want("0")
		current.join("/", "")
		if err := a.Emit("pic", "é😀", []byte{1, 2, 3}); err != nil {
			t.Fatal(err)
		}
		const text = `51-["pic","é😀",{"_placeholder":true,"num":0}]`
		old.want(text, "B\x01\x02\x03")
		current.want(text)
		current.wantBinary("\x01\x02\x03")
		called := make(chan string, 1)
		go func() {
			for _, s := range a.Sockets() {
				if s.Handshake().Revision != 3 {
					continue
				}
				answer, err := core.CallSocket[string](context.Background(), s, "sure?")
				if err != nil {
					answer = err.Error()
				}
				called <- answer
			}
		}()
		old.want(`20["sure?"]`)
		old.send(`30["yes"]`)
		if got := receive(t, called); got != "yes" {
			t.Errorf("the call was answered %q", got)
		}
	})
}

// Old clients connect to "/" without asking, so there is no CONNECT to wait for. One that was refused
// there and joins nothing else does not stay.
func TestProtocol4ConnectTimeout(t *testing.T) {
	t.Parallel()
	const timeout = 4 * time.Second // on a busy machine both have to be answered in it
	a := serve(t, core.Config{AllowEIO3: true, ConnectTimeout: timeout})
	stays := a.dialOld("websocket", "")
	stays.want("0")
	b := serve(t, core.Config{AllowEIO3: true, ConnectTimeout: timeout})
	b.Use(func(context.Context) error { return &core.ConnectError{Message: "nope"} })
	goes := b.dialOld("websocket", "")
	goes.want(`4"nope"`)
	goes.wantClosed() // which takes longer than the other one had
	stays.wantAlive()
}

// Recovery is for protocol 5: an old client gets the offsets, but no session is kept for it, nor does
// it take one up.
func TestProtocol4DoesNotRecover(t *testing.T) {
	a := serve(t, core.Config{AllowEIO3: true, Recovery: &core.Recovery{}})
	gone := make(chan struct{}, 2)
	a.OnDisconnect(func(*core.Context, core.Reason) { gone <- struct{}{} })
	p := a.dialOld("websocket", "")
	p.want("0")
	id := a.Sockets()[0].ID()
	_ = p.ws.Close()
	receive(t, gone)
	p = a.dialOld("websocket", "")
	p.want("0")
	if s := a.Sockets()[0]; s.ID() == id || s.Recovered() {
		t.Errorf("recovered %v, id %q was %q", s.Recovered(), s.ID(), id)
	}
	if err := a.Emit("x"); err != nil {
		t.Fatal(err)
	}
	if got := p.packet(); !strings.HasPrefix(got, `42["x","`) {
		t.Errorf("got %s", got)
	}
}

func TestJSONPIsForNoLogin(t *testing.T) {
	l := newLogin()
	for _, cfg := range []core.Config{{Sessions: l}, {Authenticate: l.authenticate}} {
		cfg.JSONP = true
		if _, err := core.New(cfg); err == nil || !strings.HasPrefix(err.Error(), "core: JSONP") {
			t.Errorf("JSONP with a login: %v", err)
		}
	}
	a := serve(t, core.Config{AllowEIO3: true, JSONP: true})
	resp, err := a.ts.Client().Get(a.ts.URL + "/socket.io/?EIO=3&transport=polling&j=0")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || !strings.HasPrefix(string(body), `___eio[0]("`) {
		t.Fatalf("%s, %v", body, err)
	}
	sid := regexp.MustCompile(`sid\\":\\"([\w-]+)`).FindSubmatch(body)[1]
	p := &oldPeer{t: t, http: a.ts.Client(), url: resp.Request.URL.String() + "&sid=" + string(sid)}
	p.post("application/x-www-form-urlencoded", "d=1%3A1")
	if n := a.Stats().Connections; n != 0 {
		t.Errorf("%d connections after a close packet", n)
	}
}

// users.md: "nothing happens" with a client of another generation. The log says which one it is, whose,
// and what to do, once for each page and program.
func TestProtocolRefusalSaysTheCure(t *testing.T) {
	log, logger := newLog()
	a := serve(t, core.Config{Logger: logger, Origins: []string{"https://app.example"}})
	ask := func(query, agent string) {
		t.Helper()
		r, _ := http.NewRequest(http.MethodGet, a.ts.URL+"/socket.io/?transport=polling"+query, nil)
		r.Header.Set("Origin", "https://app.example")
		r.Header.Set("User-Agent", agent)
		resp, err := a.ts.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d", query, resp.StatusCode)
		}
	}
	for _, c := range []struct {
		query, agent string
		level        string
		want         []string
	}{
		{"&EIO=3", "browser one", "ERROR", []string{"socket.io-client 1 or 2", "origin=https://app.example", `agent="browser one"`, "core.Config{AllowEIO3: true}", "socket.io-client 4"}},
		{"&EIO=3", "browser one", "DEBUG", nil},
		{"&EIO=3", "phone", "ERROR", []string{"agent=phone"}},
		{"", "script", "ERROR", []string{"plain WebSocket client", "socket.io-client 4"}},
		{"&EIO=7", "future", "ERROR", []string{`Engine.IO \"7\"`}},
	} {
		ask(c.query, c.agent)
		text := log.take()
		if !strings.Contains(text, "level="+c.level) {
			t.Errorf("%s %s: not %s: %s", c.query, c.agent, c.level, text)
		}
		for _, want := range c.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s %s: no %s in %s", c.query, c.agent, want, text)
			}
		}
	}
}
