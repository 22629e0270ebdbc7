package adapters_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// transports are the ways a client comes to be connected.
var transports = []string{"polling", "websocket", "upgrade"}

// A peer is a client that speaks raw packets, connected to the namespace "/".
type peer struct {
	t       testing.TB
	client  *http.Client
	url     string // of the endpoint, with the session id
	header  http.Header
	in      chan string           // Socket.IO packets; closed when the connection has ended
	ended   atomic.Pointer[error] // why the connection ended
	lastID  int
	polling sync.WaitGroup  // the polling loop
	settled chan struct{}   // closed: the upgrade was granted, so the poll that returns next is the last
	quit    context.Context // ends with kill
	stop    context.CancelFunc
	once    sync.Once
	mu      sync.Mutex // one POST or frame at a time
	ws      *websocket.Conn
}

// A refusal is an answer that was no handshake.
type refusal struct {
	status int
	body   string
}

func (r *refusal) Error() string { return fmt.Sprintf("refused with %d %s", r.status, r.body) }

// dial connects through the endpoint at path.
func (s *site) dial(transport, path string, header http.Header) *peer {
	s.t.Helper()
	p, err := s.tryDial(transport, path, header)
	if err != nil {
		s.t.Fatalf("%s through %s: %v", transport, path, err)
	}
	return p
}

func (s *site) tryDial(transport, path string, header http.Header) (*peer, error) {
	p := &peer{t: s.t, client: s.client, header: header, in: make(chan string, 256), settled: make(chan struct{})}
	p.quit, p.stop = context.WithCancel(context.Background())
	endpoint := s.url + path + "?EIO=4"
	if strings.Contains(path, "?") { // the application's own parameters
		endpoint = s.url + path + "&EIO=4"
	}
	if transport == "websocket" {
		ws, err := p.dialWebSocket(endpoint)
		if err != nil {
			return nil, err
		}
		_, open, err := ws.ReadMessage()
		if err != nil {
			return nil, err
		}
		p.ws, p.url = ws, endpoint+"&sid="+sidOf(string(open))
		go p.read()
	} else {
		status, body, err := do(p.client, http.MethodGet, endpoint+"&transport=polling", "", header)
		if err != nil {
			return nil, err
		}
		if status != http.StatusOK || !strings.HasPrefix(body, "0{") {
			return nil, &refusal{status, body}
		}
		p.url = endpoint + "&sid=" + sidOf(body)
		p.polling.Add(1)
		go p.poll()
	}
	s.t.Cleanup(p.kill)
	if err := p.raw("40"); err != nil {
		return nil, err
	}
	if m := p.next(); !strings.HasPrefix(m, `0{"sid":"`) {
		return nil, fmt.Errorf("CONNECT was answered with %q", m)
	}
	if transport == "upgrade" {
		if err := p.upgrade(); err != nil {
			return p, err
		}
	}
	return p, nil
}

func sidOf(open string) string {
	var hs struct{ SID string }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(open, "0")), &hs); err != nil {
		return "none in " + open
	}
	return hs.SID
}

func (p *peer) dialWebSocket(url string) (*websocket.Conn, error) {
	d := websocket.Dialer{HandshakeTimeout: patience, Jar: p.client.Jar}
	if t, ok := p.client.Transport.(*http.Transport); ok {
		d.TLSClientConfig = t.TLSClientConfig
	}
	ws, resp, err := d.Dial("ws"+strings.TrimPrefix(url, "http")+"&transport=websocket", p.header)
	if errors.Is(err, websocket.ErrBadHandshake) {
		b := make([]byte, 512)
		n, _ := resp.Body.Read(b)
		return nil, &refusal{resp.StatusCode, string(b[:n])}
	}
	return ws, err
}

// upgrade moves the session to WebSocket while a poll is parked.
func (p *peer) upgrade() error {
	ws, err := p.dialWebSocket(p.url)
	if err != nil {
		return err
	}
	if err := ws.WriteMessage(websocket.TextMessage, []byte("2probe")); err != nil {
		return err
	}
	if _, pong, err := ws.ReadMessage(); err != nil || string(pong) != "3probe" {
		return fmt.Errorf("the probe was answered with %q: %w", pong, err)
	}
	close(p.settled)
	p.polling.Wait() // a client lets its poll end before it switches
	if p.ended.Load() != nil {
		return p.fate()
	}
	if err := ws.WriteMessage(websocket.TextMessage, []byte("5")); err != nil {
		return err
	}
	p.mu.Lock()
	p.ws = ws
	p.mu.Unlock()
	go p.read()
	return nil
}

func (p *peer) read() {
	defer close(p.in)
	for {
		_, data, err := p.ws.ReadMessage()
		if err != nil {
			p.ended.Store(&err)
			return
		}
		p.take(string(data))
	}
}

func (p *peer) poll() {
	defer p.polling.Done()
	for {
		status, body, err := doContext(p.quit, p.client, http.MethodGet, p.url+"&transport=polling", "", p.header)
		if err == nil && status != http.StatusOK {
			err = &refusal{status, body}
		}
		if err != nil {
			p.ended.Store(&err)
			close(p.in)
			return
		}
		for packet := range strings.SplitSeq(body, "\x1e") {
			p.take(packet)
		}
		select {
		case <-p.settled:
			return
		default:
		}
	}
}

// fate is why the connection ended, nil while it lasts.
func (p *peer) fate() error {
	if err := p.ended.Load(); err != nil {
		return *err
	}
	return nil
}

func (p *peer) take(packet string) {
	switch {
	case strings.HasPrefix(packet, "4"):
		select {
		case p.in <- packet[1:]:
		case <-p.quit.Done():
		}
	case packet == "2":
		_ = p.raw("3")
	case packet != "6" && packet != "1":
		p.t.Errorf("not a packet: %.100q", packet)
	}
}

// raw sends an Engine.IO packet.
func (p *peer) raw(packet string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ws != nil {
		return p.ws.WriteMessage(websocket.TextMessage, []byte(packet))
	}
	status, body, err := do(p.client, http.MethodPost, p.url+"&transport=polling", packet, p.header)
	if err == nil && (status != http.StatusOK || body != "ok") {
		err = &refusal{status, body}
	}
	return err
}

// next returns the next Socket.IO packet, "" when the connection has ended.
func (p *peer) next() string {
	select {
	case m := <-p.in:
		return m
	case <-time.After(patience):
		p.t.Error("waited in vain for a packet")
		return ""
	}
}

// want waits for one Socket.IO packet.
func (p *peer) want(packet string) {
	p.t.Helper()
	if got := p.next(); got != packet {
		p.t.Fatalf("got %.200q (%d bytes; the connection: %v), want %.200q", got, len(got), p.fate(), packet)
	}
}

// call emits an event and returns what the ack holds. It is for one goroutine at a time, and fails on any other
// packet that comes first.
func (p *peer) call(event string, args ...any) (string, error) {
	p.lastID++
	id := strconv.Itoa(p.lastID)
	packet, err := json.Marshal(append([]any{event}, args...))
	if err != nil {
		return "", err
	}
	if err := p.raw("42" + id + string(packet)); err != nil {
		return "", err
	}
	got := p.next()
	ack, ok := strings.CutPrefix(got, "3"+id+"[")
	if !ok {
		return "", fmt.Errorf("the ack of %s is %.200q (the connection: %v)", event, got, p.fate())
	}
	return strings.TrimSuffix(ack, "]"), nil
}

// wantCall checks that event returns a string.
func (p *peer) wantCall(want, event string, args ...any) {
	p.t.Helper()
	quoted, _ := json.Marshal(want)
	if got, err := p.call(event, args...); err != nil || got != string(quoted) {
		p.t.Fatalf("%s returned %.200q (%v), want %.200q", event, got, err, quoted)
	}
}

// wantClosed waits for the end of the connection and returns the packets that came before.
func (p *peer) wantClosed() (before []string) {
	p.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case m, ok := <-p.in:
			if !ok {
				return before
			}
			before = append(before, m)
		case <-deadline:
			p.t.Fatal("the connection stays open")
		}
	}
}

// kill ends the connection as a closed tab does.
func (p *peer) kill() {
	p.once.Do(func() {
		p.mu.Lock()
		ws := p.ws
		p.mu.Unlock()
		if ws != nil {
			_ = ws.Close()
		} else {
			_ = p.raw("1") // refused if the cookies have changed since
		}
		p.stop()
		p.polling.Wait()
		for range p.in { // until its reader has ended
		}
	})
}
