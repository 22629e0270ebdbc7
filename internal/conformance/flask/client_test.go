package flask_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/siokit/siokit/wire/sio"
)

// patience is how long a test waits for an event before it fails.
const patience = 10 * time.Second

// event is what a client received; args are decoded JSON, with []byte for binary.
type event struct {
	name string
	args []any
}

// refusal is a CONNECT_ERROR.
type refusal struct {
	Message string `json:"message"`
	Data    any    `json:"data"`
}

// client is what Flask-SocketIO's test client is, over a real connection.
type client struct {
	t        testing.TB
	url      string      // with the session id
	header   http.Header // of every request: a browser sends its cookies with each
	http     *http.Client
	ws       *websocket.Conn // nil on polling
	stop     func()          // ends polling
	in       chan sio.Packet // closed when the connection has ended
	nextID   int64
	received map[string][]event // by namespace; what came and was not asked for
	left     map[string]bool    // namespaces that the server ended
}

// open performs the Engine.IO handshake; query is what comes after the transport's own parameters.
func (a *app) open(query string, header http.Header) *client {
	a.t.Helper()
	c := &client{t: a.t, header: header, http: a.http.Client(), in: make(chan sio.Packet, 1024), received: map[string][]event{}, left: map[string]bool{}}
	c.url = a.http.URL + "/socket.io/?EIO=4&transport=" + a.transport
	if query = strings.TrimPrefix(query, "?"); query != "" {
		c.url += "&" + query
	}
	a.t.Cleanup(c.kill)
	var greeting string
	if a.transport == "websocket" {
		ws, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(c.url, "http"), header)
		if err != nil {
			a.t.Fatal(err)
		}
		c.ws = ws
		_, first, err := ws.ReadMessage()
		if err != nil {
			a.t.Fatal(err)
		}
		greeting = string(first)
	} else {
		greeting = c.request(context.Background(), http.MethodGet, "")
	}
	var hs struct {
		SID string `json:"sid"`
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(greeting, "0")), &hs); err != nil {
		a.t.Fatalf("handshake: %q", greeting)
	}
	c.url += "&sid=" + hs.SID
	if c.ws != nil {
		go c.read()
	} else {
		ctx, stop := context.WithCancel(context.Background())
		c.stop = stop
		go c.poll(ctx)
	}
	return c
}

// request is one HTTP request of polling; it returns "" when it failed.
func (c *client) request(ctx context.Context, method, body string) string {
	r, err := http.NewRequestWithContext(ctx, method, c.url, strings.NewReader(body))
	if err != nil {
		c.t.Error(err)
		return ""
	}
	for name, values := range c.header {
		r.Header[name] = values
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return ""
	}
	return string(b)
}

func (c *client) read() {
	defer close(c.in)
	d := sio.NewDecoder(sio.FromServer, nil)
	for {
		kind, data, err := c.ws.ReadMessage()
		if err != nil {
			return
		}
		c.take(&d, data, kind == websocket.BinaryMessage)
	}
}

func (c *client) poll(ctx context.Context) {
	defer close(c.in)
	d := sio.NewDecoder(sio.FromServer, nil)
	for {
		body := c.request(ctx, http.MethodGet, "")
		if body == "" {
			return
		}
		for packet := range strings.SplitSeq(body, "\x1e") {
			if packet[0] == '1' {
				return
			}
			if rest, ok := strings.CutPrefix(packet, "b"); ok {
				binary, err := base64.StdEncoding.DecodeString(rest)
				if err != nil {
					c.t.Error(err)
				}
				c.take(&d, binary, true)
			} else {
				c.take(&d, []byte(packet), false)
			}
		}
	}
}

// take decodes one Engine.IO message of the server.
func (c *client) take(d *sio.Decoder, data []byte, binary bool) {
	var p sio.Packet
	var complete bool
	var err error
	switch {
	case binary:
		p, complete, err = d.Binary(data)
	case data[0] == '4':
		p, complete, err = d.Text(data[1:])
	}
	if err != nil {
		c.t.Errorf("the server sent %q: %v", data, err)
	}
	if complete {
		c.in <- p
	}
}

// send sends a Socket.IO packet with its attachments.
func (c *client) send(packet []byte, attachments ...[]byte) {
	text := "4" + string(packet)
	if c.ws == nil {
		for _, a := range attachments {
			text += "\x1eb" + base64.StdEncoding.EncodeToString(a)
		}
		c.request(context.Background(), http.MethodPost, text)
		return
	}
	_ = c.ws.WriteMessage(websocket.TextMessage, []byte(text))
	for _, a := range attachments {
		_ = c.ws.WriteMessage(websocket.BinaryMessage, a)
	}
}

// kill ends the connection as a closed tab does.
func (c *client) kill() {
	if c.ws != nil {
		_ = c.ws.Close()
	} else if c.stop != nil {
		c.request(context.Background(), http.MethodPost, "1")
		c.stop()
	}
}

// next returns the next packet; ok is false when the connection has ended.
func (c *client) next() (p sio.Packet, ok bool) {
	c.t.Helper()
	select {
	case p, ok = <-c.in:
		return p, ok
	case <-time.After(patience):
		c.t.Fatal("waited in vain for a packet")
		return p, false
	}
}

// until reads packets, keeping the events, until one is wanted.
func (c *client) until(what string, wanted func(p sio.Packet) bool) sio.Packet {
	c.t.Helper()
	for {
		p, ok := c.next()
		if !ok {
			c.t.Fatalf("the connection ended before %s came", what)
		}
		switch p.Type {
		case sio.Event:
			name, raw, err := sio.ParseEvent(p.Data, sio.Limits{})
			if err != nil {
				c.t.Fatal(err)
			}
			c.received[p.Namespace] = append(c.received[p.Namespace], event{name, c.decode(raw, p.Attachments)})
		case sio.Disconnect:
			c.left[p.Namespace] = true
		}
		if wanted(p) {
			return p
		}
		if p.Type == sio.Ack {
			c.t.Errorf("an ack that nobody waits for: %d in %s, %s", p.ID, p.Namespace, p.Data)
		}
	}
}

func (c *client) decode(raw []json.RawMessage, attachments [][]byte) []any {
	args := sio.Args{Raw: raw, Attachments: attachments}
	values := make([]any, args.Len())
	for i := range values {
		if err := args.Decode(i, &values[i]); err != nil {
			c.t.Fatal(err)
		}
	}
	return values
}

// connect joins a namespace; auth may be nil. It returns the socket id, or why it was refused.
func (c *client) connect(ns string, auth any) (sid string, refused *refusal) {
	c.t.Helper()
	packet := []byte("0" + ns + ",")
	if auth != nil {
		var err error
		if packet, err = sio.AppendConnect(nil, ns, auth); err != nil {
			c.t.Fatal(err)
		}
	}
	c.send(packet)
	p := c.until("an answer to CONNECT", func(p sio.Packet) bool {
		return p.Namespace == ns && (p.Type == sio.Connect || p.Type == sio.ConnectError)
	})
	if p.Type == sio.ConnectError {
		refused = new(refusal)
		if err := json.Unmarshal(p.Data, refused); err != nil {
			c.t.Fatal(err)
		}
		return "", refused
	}
	var given struct {
		SID string `json:"sid"`
	}
	if err := json.Unmarshal(p.Data, &given); err != nil {
		c.t.Fatal(err)
	}
	return given.SID, nil
}

// disconnect leaves a namespace.
func (c *client) disconnect(ns string) { c.send(sio.AppendDisconnect(nil, ns)) }

// emit sends an event that wants no ack.
func (c *client) emit(ns, name string, args ...any) {
	c.t.Helper()
	c.write(ns, -1, name, args)
}

// write returns once the server has the packet, on polling, or it is on its way there.
func (c *client) write(ns string, id int64, name string, args []any) {
	c.t.Helper()
	packet, attachments, err := sio.AppendEvent(nil, ns, id, name, args)
	if err != nil {
		c.t.Fatal(err)
	}
	c.send(packet, attachments...)
}

// call sends an event and returns the arguments of its ack.
func (c *client) call(ns, name string, args ...any) []any {
	c.t.Helper()
	c.nextID++
	id := c.nextID
	c.write(ns, id, name, args)
	p := c.until("the ack of "+name, func(p sio.Packet) bool { return p.Type == sio.Ack && p.ID == id && p.Namespace == ns })
	raw, err := sio.ParseArgs(p.Data, sio.Limits{})
	if err != nil {
		c.t.Fatal(err)
	}
	return c.decode(raw, p.Attachments)
}

// barrier is an event that every namespace of the app acks: what the server sent before has come then.
const barrier = "barrier"

// get returns what came in ns since the last get, and proves that the client is connected there.
func (c *client) get(ns string) []event {
	c.t.Helper()
	c.call(ns, barrier)
	events := c.received[ns]
	c.received[ns] = nil
	return events
}

// want compares what came in ns with what should have come, written as name(json,json).
func (c *client) want(ns string, want ...string) {
	c.t.Helper()
	var got []string
	for _, e := range c.get(ns) {
		got = append(got, e.String())
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		c.t.Errorf("in %s came %q, want %q", ns, got, want)
	}
}

func (e event) String() string { return e.name + "(" + list(e.args) + ")" }

// list writes values as JSON, binary as b"...".
func list(values []any) string {
	parts := make([]string, len(values))
	for i, v := range values {
		if b, ok := v.([]byte); ok {
			parts[i] = fmt.Sprintf("b%q", b)
			continue
		}
		b, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		parts[i] = string(b)
	}
	return strings.Join(parts, ",")
}

// wantAck calls and compares the arguments of the ack, written as JSON.
func (c *client) wantAck(want, ns, name string, args ...any) {
	c.t.Helper()
	if got := list(c.call(ns, name, args...)); got != want {
		c.t.Errorf("%s in %s was answered with %s, want %s", name, ns, got, want)
	}
}

// wantNoAck calls and proves that the ack does not come.
func (c *client) wantNoAck(ns, name string, args ...any) {
	c.t.Helper()
	c.nextID++
	c.write(ns, c.nextID, name, args)
	c.call(ns, barrier) // before which the ack would come, and fail the test
}

// wantDisconnected waits for the server to end the client's socket in ns.
func (c *client) wantDisconnected(ns string) {
	c.t.Helper()
	if !c.left[ns] {
		c.until("DISCONNECT", func(p sio.Packet) bool { return p.Type == sio.Disconnect && p.Namespace == ns })
	}
}
