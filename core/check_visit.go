package core

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/siokit/siokit/engineio"
)

// A visit is the client's side of a Check and the listener it visits. Its requests follow one another,
// so what the server has noted belongs to the last of them.
type visit struct {
	ctx      context.Context
	url      url.URL // of the endpoint
	header   http.Header
	listener net.Listener
	server   *http.Server
	client   *http.Client
	handlers sync.WaitGroup // requests inside the application, and Serve
	errorLog errorLines

	mu      sync.Mutex
	reached bool             // guarded by mu, as are the next three: of the request under way
	path404 string           // the path that the server did not know
	refusal *engineio.Error  // why the server refused
	conn    *engineio.Conn   // what the handshake opened
	conns   []*engineio.Conn // guarded by mu: all of them
	left    bool             // guarded by mu: no more requests are let in
}

type visitKey struct{}

// visitOf returns the visit that r is part of, nil if it is anybody else's request.
func (s *Server) visitOf(r *http.Request) *visit {
	if s.checks.Load() == 0 { // spares requests the search through their contexts
		return nil
	}
	v, _ := r.Context().Value(visitKey{}).(*visit)
	return v
}

// refused observes what the engine refuses.
func (s *Server) refused(r *http.Request, e *engineio.Error) {
	if v := s.visitOf(r); v != nil {
		v.note(func() { v.refusal = e })
		return
	}
	s.log.refused(r, e)
	s.connectionError(r, e)
}

func (v *visit) note(f func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	f()
}

func (s *Server) newVisit(ctx context.Context, handler http.Handler, path string, header http.Header) (*visit, error) {
	if path == "" {
		path = s.cfg.Path
	}
	target, err := url.Parse(path)
	if err != nil || !strings.HasPrefix(target.Path, "/") || target.Host != "" {
		return nil, fmt.Errorf("core: Check needs the path of the endpoint, like %q, got %q", s.cfg.Path, path)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		if l, err = net.Listen("tcp", "[::1]:0"); err != nil {
			return nil, fmt.Errorf("core: Check needs a free port on the loopback interface: %w", err)
		}
	}
	v := &visit{ctx: ctx, url: *target, header: http.Header{}, listener: l}
	v.url.Scheme, v.url.Host = "http", l.Addr().String()
	v.url.Path = strings.TrimSuffix(target.Path, "/") + "/" // clients add it
	for name, values := range header {
		if !ownHeader(http.CanonicalHeaderKey(name)) {
			v.header[http.CanonicalHeaderKey(name)] = values
		}
	}
	if v.header.Get("Origin") == "" {
		v.header.Set("Origin", s.cfg.pageOrigin(v.host()))
	}
	v.client = &http.Client{
		Transport:     &http.Transport{DisableCompression: true}, // what comes is looked at as it is
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	base := context.WithValue(context.WithoutCancel(ctx), visitKey{}, v)
	v.server = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if v.enter() {
				defer v.handlers.Done()
				handler.ServeHTTP(w, r)
			}
		}),
		BaseContext: func(net.Listener) context.Context { return base },
		ErrorLog:    log.New(&v.errorLog, "", 0),
	}
	return v, nil
}

// ownHeader reports whether a header belongs to the request and not to the visitor.
func ownHeader(name string) bool {
	switch name {
	case "Connection", "Upgrade", "Content-Length", "Content-Type", "Transfer-Encoding", "Accept-Encoding":
		return true
	}
	return strings.HasPrefix(name, "Sec-Websocket-")
}

// pageOrigin is that of a page that may connect.
func (cfg *Config) pageOrigin(host string) string {
	for _, o := range cfg.Origins {
		if o != "*" {
			return strings.Replace(o, "*", "check", 1)
		}
	}
	return "http://" + host
}

func (v *visit) host() string {
	if h := v.header.Get("Host"); h != "" {
		return h
	}
	return v.url.Host
}

func (v *visit) path() string { return v.url.Path }

func (v *visit) serve() {
	v.handlers.Go(func() { _ = v.server.Serve(v.listener) })
}

// enter counts a request. Those that were on their way when time was up come too late: nobody would wait for them.
func (v *visit) enter() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.left {
		v.handlers.Add(1)
	}
	return !v.left
}

// leave ends the connections, waits for the application's handlers and stops listening.
func (v *visit) leave() {
	v.note(func() { v.left = true })
	v.disconnect() // releases what the handlers may be waiting for
	v.client.CloseIdleConnections()
	_ = v.listener.Close()
	if wait(v.ctx, v.handlers.Wait) != nil { // no time is left
		_ = v.server.Close() // ends the requests' contexts
		grace, cancel := context.WithTimeout(context.WithoutCancel(v.ctx), time.Second)
		defer cancel()
		if wait(grace, v.handlers.Wait) != nil {
			_, _ = v.errorLog.Write([]byte("a handler of the application has not returned, although its request is over"))
		}
	}
	v.disconnect() // what a late handler has opened
	_ = v.server.Close()
}

func (v *visit) disconnect() {
	v.mu.Lock()
	conns := v.conns
	v.mu.Unlock()
	for _, conn := range conns {
		conn.Fail(engineio.ForcedClose, nil)
	}
}

// An answer is what a request got, and what the server knows of it.
type answer struct {
	status  int
	header  http.Header
	body    string
	err     error
	reached bool
	path404 string
	refusal *engineio.Error
	conn    *engineio.Conn
}

func (v *visit) begin() {
	v.note(func() { v.reached, v.path404, v.refusal, v.conn = false, "", nil, nil })
}

// noted adds what the server knows.
func (v *visit) noted(a answer) answer {
	v.note(func() { a.reached, a.path404, a.refusal, a.conn = v.reached, v.path404, v.refusal, v.conn })
	return a
}

func (v *visit) endpoint(scheme, transport, sid string) string {
	u := v.url
	u.Scheme = scheme
	q := u.Query()
	q.Set("EIO", "4")
	q.Set("transport", transport)
	if sid != "" {
		q.Set("sid", sid)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

func (v *visit) request(method, transport, sid, body string) answer {
	v.begin()
	a := v.exchange(method, v.endpoint("http", transport, sid), body)
	return v.noted(a)
}

func (v *visit) exchange(method, url, body string) (a answer) {
	r, err := http.NewRequestWithContext(v.ctx, method, url, strings.NewReader(body))
	if err != nil {
		return answer{err: err}
	}
	r.Header, r.Host = v.header.Clone(), v.host()
	r.Header.Del("Host")
	r.Header.Set("Accept-Encoding", "gzip")
	switch method {
	case http.MethodPost:
		r.Header.Set("Content-Type", "text/plain;charset=UTF-8")
	case http.MethodOptions:
		r.Header = http.Header{"Origin": v.header["Origin"]}
		r.Header.Set("Access-Control-Request-Method", http.MethodPost)
		r.Header.Set("Access-Control-Request-Headers", "authorization")
	}
	resp, err := v.client.Do(r)
	if err != nil {
		return answer{err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	return answer{status: resp.StatusCode, header: resp.Header, body: string(b), err: err}
}

// dial opens a WebSocket, on a session if sid is not empty; nil if it was refused.
func (v *visit) dial(sid string) (*websocket.Conn, answer) {
	v.begin()
	ws, resp, err := new(websocket.Dialer).DialContext(v.ctx, v.endpoint("ws", "websocket", sid), v.header)
	a := answer{err: err}
	if errors.Is(err, websocket.ErrBadHandshake) && resp != nil {
		b, _ := io.ReadAll(resp.Body) // the Dialer keeps some of it
		a = answer{status: resp.StatusCode, header: resp.Header, body: string(b)}
	}
	if ws != nil {
		deadline, _ := v.ctx.Deadline()
		_ = ws.SetReadDeadline(deadline)
		_ = ws.SetWriteDeadline(deadline)
	}
	return ws, v.noted(a)
}

// A visitor is a session that the check has opened.
type visitor struct {
	sid  string
	conn *engineio.Conn
}

func (v *visitor) ended() bool { return v.conn.Context().Err() != nil }

// say sends a message from the server to the visitor.
func (v *visitor) say(text string) error {
	return v.conn.Send(engineio.NewMessage(append(make([]byte, engineio.Headroom, engineio.Headroom+len(text)), text...)))
}

// wire is a WebSocket.
type wire interface {
	ReadMessage() (kind int, data []byte, err error)
	WriteMessage(kind int, data []byte) error
}

// read returns the next packet that is no ping.
func read(ws wire) (string, error) {
	for {
		_, data, err := ws.ReadMessage()
		if err != nil || string(data) != "2" {
			return string(data), err
		}
	}
}

func write(ws wire, packet string) error {
	return ws.WriteMessage(websocket.TextMessage, []byte(packet))
}

func ask(ws wire, packet string) (string, error) {
	if err := write(ws, packet); err != nil {
		return "", err
	}
	return read(ws)
}

// sidOf returns the session id from an OPEN packet, "" if it is none.
func sidOf(packet string) string {
	packet, _, _ = strings.Cut(packet, "\x1e") // Config.InitialPacket comes along
	text, ok := strings.CutPrefix(packet, "0")
	var open struct {
		SID string `json:"sid"`
	}
	if !ok || json.Unmarshal([]byte(text), &open) != nil {
		return ""
	}
	return open.SID
}

// errorLines collects what http.Server logs, the first line of each entry.
type errorLines struct {
	mu    sync.Mutex
	lines []string // guarded by mu
}

func (l *errorLines) Write(p []byte) (int, error) {
	line, _, _ := bytes.Cut(p, []byte("\n"))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(line))
	return len(p), nil
}

func (v *visit) logged() []string {
	v.errorLog.mu.Lock()
	defer v.errorLog.mu.Unlock()
	return v.errorLog.lines
}
