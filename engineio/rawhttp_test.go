package engineio_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// A wire is a raw connection to a rig.
type wire struct {
	net.Conn
	br *bufio.Reader
	t  testing.TB
}

func (r *rig) dial(t testing.TB) *wire {
	t.Helper()
	c, err := r.net.Dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &wire{Conn: c, br: bufio.NewReader(c), t: t}
}

// put writes raw bytes.
func (w *wire) put(s string) {
	w.t.Helper()
	_ = w.SetWriteDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(w, s); err != nil {
		w.t.Fatalf("writing %.60q: %v", s, err)
	}
}

// An answer is one HTTP response, read to its end.
type answer struct {
	status int
	header http.Header
	body   string
	close  bool
}

// answer reads one response to a request of the given method.
func (w *wire) answer(method string) answer {
	w.t.Helper()
	a, err := w.tryAnswer(method)
	if err != nil {
		w.t.Fatalf("reading the answer: %v", err)
	}
	return a
}

func (w *wire) tryAnswer(method string) (answer, error) {
	_ = w.SetReadDeadline(time.Now().Add(patience))
	resp, err := http.ReadResponse(w.br, &http.Request{Method: method})
	if err != nil {
		return answer{}, err
	}
	a := answer{status: resp.StatusCode, header: resp.Header, close: resp.Close}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return a, nil
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	a.body = string(body)
	return a, err
}

// wantEOF waits for the server to hang up, with FIN or RST.
func (w *wire) wantEOF() {
	w.t.Helper()
	_ = w.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.Copy(io.Discard, w.br); errors.Is(err, os.ErrDeadlineExceeded) {
		w.t.Errorf("the server keeps the connection open")
	}
}

// request sends one request on a connection of its own and reads the answer.
func (r *rig) request(t testing.TB, method, query string, header ...string) answer {
	t.Helper()
	w := r.dial(t)
	defer func() { _ = w.Close() }()
	w.put(rawRequest(method, query, "", header...))
	return w.answer(method)
}

// rawRequest renders a request. A header "Host: x" replaces the default.
func rawRequest(method, query, body string, header ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s /engine.io/?%s HTTP/1.1\r\n", method, query)
	host := "Host: app.test\r\n"
	for _, h := range header {
		if strings.HasPrefix(h, "Host:") {
			host = ""
		}
	}
	b.WriteString(host)
	for _, h := range header {
		b.WriteString(h + "\r\n")
	}
	if body != "" || method == "POST" && !strings.Contains(strings.Join(header, "\n"), "Content-Length") {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n")
	b.WriteString(body)
	return b.String()
}

// upgradeHeaders ask for the WebSocket protocol.
var upgradeHeaders = []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}

func withUpgrade(header ...string) []string {
	return append(append([]string(nil), upgradeHeaders...), header...)
}

// wantRefused checks status and the exact body.
func (a answer) wantRefused(t testing.TB, status, code int, message string) {
	t.Helper()
	want := fmt.Sprintf(`{"code":%d,"message":%q}`, code, message)
	if a.status != status || a.body != want {
		t.Errorf("got %d %.200q, want %d %q", a.status, a.body, status, want)
	}
	if ct := a.header.Get("Content-Type"); ct != "application/json" {
		t.Errorf("Content-Type %q, want application/json", ct)
	}
}

func (a answer) wantBadRequest(t testing.TB) {
	t.Helper()
	a.wantRefused(t, 400, 3, "Bad request")
}

func (a answer) wantUnknownSession(t testing.TB) {
	t.Helper()
	a.wantRefused(t, 400, 1, "Session ID unknown")
}

func (a answer) wantForbidden(t testing.TB) {
	t.Helper()
	a.wantRefused(t, 403, 4, "Forbidden")
}

func (a answer) want(t testing.TB, status int, body string) {
	t.Helper()
	if a.status != status || a.body != body {
		t.Errorf("got %d %.200q, want %d %.200q", a.status, a.body, status, body)
	}
}

type openPacket struct {
	SID          string
	Upgrades     []string
	PingInterval int
	PingTimeout  int
	MaxPayload   int
}

// parseOpen reads "0{...}".
func parseOpen(t testing.TB, s string) openPacket {
	t.Helper()
	var o openPacket
	if !strings.HasPrefix(s, "0") || json.Unmarshal([]byte(s[1:]), &o) != nil || o.SID == "" {
		t.Fatalf("%.200q is no OPEN packet", s)
	}
	return o
}

const (
	polling   = "EIO=4&transport=polling"
	webSocket = "EIO=4&transport=websocket"
)

// open opens a polling session.
func (r *rig) open(t testing.TB) (sid string, s *session) {
	t.Helper()
	a := r.get(t, "")
	if a.status != 200 {
		t.Fatalf("handshake: %d %s", a.status, a.body)
	}
	sid = parseOpen(t, a.body).SID
	return sid, r.session(sid)
}

func (r *rig) url(sid string) string {
	u := "http://app.test/engine.io/?" + polling
	if sid != "" {
		u += "&sid=" + sid
	}
	return u
}

func (r *rig) do(t testing.TB, req *http.Request) (answer, error) {
	resp, err := r.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	return answer{resp.StatusCode, resp.Header, string(body), resp.Close}, err
}

// get polls once.
func (r *rig) get(t testing.TB, sid string) answer {
	t.Helper()
	req, _ := http.NewRequest("GET", r.url(sid), nil)
	a, err := r.do(t, req)
	if err != nil {
		t.Fatalf("poll: %v", err)
	}
	return a
}

// post sends a payload.
func (r *rig) post(t testing.TB, sid, body string) answer {
	t.Helper()
	req, _ := http.NewRequest("POST", r.url(sid), strings.NewReader(body))
	req.Header.Set("Content-Type", "text/plain;charset=UTF-8")
	a, err := r.do(t, req)
	if err != nil {
		t.Fatalf("post: %v", err)
	}
	return a
}

// park sends a poll that waits, and returns once it does.
func (r *rig) park(t testing.TB, sid string) *wire {
	t.Helper()
	w := r.dial(t)
	w.put(rawRequest("GET", polling+"&sid="+sid, ""))
	s := r.session(sid)
	eventually(t, "poll parked", func() bool { return parked(s) })
	return w
}

// gone checks that the session id means nothing any more.
func (r *rig) gone(t testing.TB, sid string) {
	t.Helper()
	eventually(t, "the session is gone", func() bool { return r.get(t, sid).status == 400 })
	r.get(t, sid).wantUnknownSession(t)
}

// alive checks that a polling session still works both ways.
func (r *rig) alive(t testing.TB, sid string) {
	t.Helper()
	s := r.session(sid)
	n := len(s.messages())
	r.post(t, sid, "4alive?").want(t, 200, "ok")
	s.until(t, "alive?", func() bool { return len(s.messages()) > n })
	if err := s.send("alive!"); err != nil {
		t.Errorf("send: %v", err)
	}
	for {
		a := r.get(t, sid)
		if a.status == 200 && a.body == "6" {
			continue
		}
		if a.status != 200 || !strings.HasSuffix(a.body, "4alive!") {
			t.Errorf("the session answers %d %q", a.status, a.body)
		}
		return
	}
}

func readAnswer(t testing.TB, resp *http.Response) answer {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(body), resp.Close}
}
