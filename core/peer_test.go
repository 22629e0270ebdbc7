package core_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/siokit/siokit/core"
)

// patience is how long a test waits for an event before it fails.
const patience = 30 * time.Second

// app is a server under test on a real listener.
type app struct {
	*core.Server
	t  testing.TB
	ts *httptest.Server
}

// serve starts a server that the test's cleanup shuts down. set changes cfg before New.
func serve(t testing.TB, cfg core.Config) *app {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	srv, err := core.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	a := &app{Server: srv, t: t, ts: httptest.NewServer(srv)}
	core.On(srv, "alive", func(*core.Context, core.None) error { return nil })
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		a.ts.Close()
	})
	return a
}

// eachTransport runs a test once per transport.
func eachTransport(t *testing.T, test func(t *testing.T, transport string)) {
	for _, transport := range []string{"websocket", "polling"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			test(t, transport)
		})
	}
}

// message is one Socket.IO message that a peer received.
type message struct {
	text   string
	binary []byte // not nil in a binary message
}

// peer is a client that speaks raw packets, so that it can also say what no real client would.
type peer struct {
	t         testing.TB
	transport string
	url       string // of the endpoint, with the session id on polling
	header    http.Header
	http      *http.Client
	ws        *websocket.Conn
	wsMu      sync.Mutex // serialises writes to ws

	in     chan message  // closed when the connection has ended
	stop   func()        // ends polling
	dead   chan struct{} // closed: nobody reads in any more, so what does not fit is dropped
	killed sync.Once
	mute   chan struct{} // closed: pings are not answered
	pings  atomic.Int64  // that have come
	status int           // HTTP status or close code that ended it; read after in is closed
	bye    bool          // an Engine.IO close packet came; likewise
	err    error         // of the poll or read that ended it; likewise
}

// newPeer makes a peer that is not connected yet.
func (a *app) newPeer(transport string) *peer {
	return &peer{
		t: a.t, transport: transport, header: make(http.Header), http: a.ts.Client(),
		in: make(chan message, 4096), mute: make(chan struct{}), dead: make(chan struct{}),
	}
}

// dial performs the Engine.IO handshake. edit may change the handshake's header and query.
func (a *app) dial(transport string, edit ...func(h http.Header, query *string)) *peer {
	a.t.Helper()
	p, status, err := a.tryDial(transport, edit...)
	if err != nil {
		a.t.Fatalf("dial %s: %d %v", transport, status, err)
	}
	return p
}

func (a *app) tryDial(transport string, edit ...func(h http.Header, query *string)) (*peer, int, error) {
	p := a.newPeer(transport)
	query := ""
	for _, f := range edit {
		f(p.header, &query)
	}
	endpoint := a.ts.URL + "/socket.io/?EIO=4&transport=" + transport + query
	if transport == "websocket" {
		ws, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(endpoint, "http"), p.header)
		if err != nil {
			if resp != nil {
				return nil, resp.StatusCode, err
			}
			return nil, 0, err
		}
		p.ws, p.url = ws, endpoint
		_, open, err := ws.ReadMessage()
		if err != nil || open[0] != '0' {
			return nil, 101, fmt.Errorf("no OPEN packet: %q %w", open, err)
		}
		p.url = endpoint + "&sid=" + sidOf(open)
		a.t.Cleanup(p.kill)
		go p.readWebSocket()
		return p, 101, nil
	}
	status, body, err := p.do(context.Background(), http.MethodGet, endpoint, "")
	if err != nil || status != http.StatusOK || !strings.HasPrefix(body, "0{") {
		return nil, status, errors.Join(fmt.Errorf("answer %q", body), err)
	}
	p.url = endpoint + "&sid=" + sidOf([]byte(body))
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	a.t.Cleanup(p.kill)
	go p.poll(ctx)
	return p, status, nil
}

// sidOf returns the engine's session id from an OPEN packet.
func sidOf(open []byte) string {
	var hs struct {
		SID string `json:"sid"`
	}
	if err := json.Unmarshal(open[1:], &hs); err != nil {
		panic(err)
	}
	return hs.SID
}

func (p *peer) do(ctx context.Context, method, url, body string) (int, string, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	for name, values := range p.header {
		r.Header[name] = values
	}
	resp, err := p.http.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

func (p *peer) readWebSocket() {
	defer close(p.in)
	for {
		kind, data, err := p.ws.ReadMessage()
		if err != nil {
			p.err = err
			var closed *websocket.CloseError
			if errors.As(err, &closed) {
				p.status = closed.Code
			}
			_ = p.ws.Close()
			return
		}
		switch {
		case kind == websocket.BinaryMessage:
			p.deliver(message{binary: append([]byte{}, data...)})
		case data[0] == '4':
			p.deliver(message{text: string(data[1:])})
		case data[0] == '2':
			p.pong()
		case data[0] == '1':
			p.bye = true
		}
	}
}

func (p *peer) poll(ctx context.Context) {
	defer close(p.in)
	for {
		status, body, err := p.do(ctx, http.MethodGet, p.url, "")
		if err != nil || status != http.StatusOK {
			p.status, p.err = status, errors.Join(err, errors.New(body))
			return
		}
		for packet := range strings.SplitSeq(body, "\x1e") {
			switch packet[0] {
			case '4':
				p.deliver(message{text: packet[1:]})
			case 'b':
				b, err := base64.StdEncoding.DecodeString(packet[1:])
				if err != nil {
					panic(err)
				}
				p.deliver(message{binary: append([]byte{}, b...)})
			case '2':
				p.pong()
			case '1':
				p.bye = true
			}
		}
		if p.bye {
			return
		}
	}
}

// deliver hands m to the test. One that has killed the peer may have left it with a full channel.
func (p *peer) deliver(m message) {
	select {
	case p.in <- m:
		return
	default:
	}
	select {
	case p.in <- m:
	case <-p.dead:
	}
}

func (p *peer) pong() {
	p.pings.Add(1)
	select {
	case <-p.mute:
	default:
		_ = p.raw("3")
	}
}

// send sends Socket.IO packets: a string is text, a []byte binary. On polling they share one POST.
// What the server thinks of them is seen by reading.
func (p *peer) send(packets ...any) {
	raw := make([]any, len(packets))
	for i, packet := range packets {
		raw[i] = packet
		if text, ok := packet.(string); ok {
			raw[i] = "4" + text
		}
	}
	_ = p.raw(raw...)
}

// raw sends Engine.IO packets.
func (p *peer) raw(packets ...any) error {
	if p.transport == "websocket" {
		p.wsMu.Lock()
		defer p.wsMu.Unlock()
		for _, packet := range packets {
			var err error
			switch packet := packet.(type) {
			case string:
				err = p.ws.WriteMessage(websocket.TextMessage, []byte(packet))
			case []byte:
				err = p.ws.WriteMessage(websocket.BinaryMessage, packet)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	parts := make([]string, len(packets))
	for i, packet := range packets {
		switch packet := packet.(type) {
		case string:
			parts[i] = packet
		case []byte:
			parts[i] = "b" + base64.StdEncoding.EncodeToString(packet)
		}
	}
	p.wsMu.Lock() // one POST at a time
	defer p.wsMu.Unlock()
	status, body, err := p.do(context.Background(), http.MethodPost, p.url, strings.Join(parts, "\x1e"))
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("POST: %d %s", status, body)
	}
	return err
}

// next returns the next message; ok is false when the connection has ended.
func (p *peer) next() (m message, ok bool) {
	p.t.Helper()
	select {
	case m, ok = <-p.in:
		if !ok {
			p.t.Logf("the connection has ended: %d %v", p.status, p.err)
		}
		return m, ok
	case <-time.After(patience):
		p.t.Fatal("waited in vain for a message")
		return message{}, false
	}
}

var socketID = regexp.MustCompile(`"sid":"([A-Za-z0-9_-]{20})"`)

// want reads one text message for each argument. A "*" stands for the socket id of a CONNECT.
func (p *peer) want(packets ...string) {
	p.t.Helper()
	for _, want := range packets {
		m, ok := p.next()
		if got := socketID.ReplaceAllString(m.text, `"sid":"*"`); !ok || m.binary != nil || got != want {
			p.t.Fatalf("received %.200q (open: %t, %d binary bytes), want %.200q", got, ok, len(m.binary), want)
		}
	}
}

// wantBinary reads one binary message.
func (p *peer) wantBinary(want string) {
	p.t.Helper()
	if m, ok := p.next(); !ok || m.binary == nil || string(m.binary) != want {
		p.t.Fatalf("received %.200q / %.200q, want binary %q", m.text, m.binary, want)
	}
}

// join connects to a namespace and returns the socket id. auth is JSON or empty.
func (p *peer) join(namespace, auth string) string {
	p.t.Helper()
	prefix := "40"
	if namespace != "/" {
		prefix += namespace + ","
	}
	p.send(prefix[1:] + auth)
	m, ok := p.next()
	sid := socketID.FindStringSubmatch(m.text)
	if !ok || sid == nil || !strings.HasPrefix(m.text, prefix[1:]) {
		p.t.Fatalf("CONNECT to %s was answered with %q (open: %t)", namespace, m.text, ok)
	}
	return sid[1]
}

// wantAlive proves that the connection is open and in "/", and that nothing else was sent to it.
func (p *peer) wantAlive() {
	p.t.Helper()
	p.send(`2777["alive"]`)
	p.want(`3777[]`)
}

// wantClosed waits for the end and returns the text messages that came before it.
func (p *peer) wantClosed() (before []string) {
	p.t.Helper()
	for {
		m, ok := p.next()
		if !ok {
			return before
		}
		before = append(before, socketID.ReplaceAllString(m.text, `"sid":"*"`))
	}
}

// kill ends the connection as a closed browser tab does.
func (p *peer) kill() {
	p.killed.Do(func() { close(p.dead) })
	if p.ws != nil {
		_ = p.ws.Close()
		return
	}
	_ = p.raw("1")
	p.stop()
}

// abort resets the TCP connection of a WebSocket.
func (p *peer) abort() {
	_ = p.ws.NetConn().(*net.TCPConn).SetLinger(0)
	_ = p.ws.NetConn().Close()
}

// receive waits for a value.
func receive[T any](t testing.TB, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatal("waited in vain for an event")
		panic("unreachable")
	}
}

// silent fails if a value is there.
func silent[T any](t testing.TB, ch <-chan T) {
	t.Helper()
	select {
	case v := <-ch:
		t.Errorf("unexpected: %v", v)
	default:
	}
}

// eventually waits for a state that no event announces.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}
