package authflow_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gorilla "github.com/gorilla/sessions"
	"github.com/gorilla/websocket"

	"github.com/siokit/siokit/auth"
	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/internal/leaktest"
	"github.com/siokit/siokit/sessions"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// patience is how long a test waits for an event before it fails.
const patience = 30 * time.Second

const pleaseLogIn = `{"message":"please log in","data":{"code":401}}`

type user struct{ ID, Role string }

// site is an application with cookie logins and tokens: any name logs in, and "token of x" is x's token, and so is "token 1 of x", whose id is
// "1".
type site struct {
	t      *testing.T
	ts     *httptest.Server
	srv    *core.Server
	users  *auth.Users[*user]
	tokens *auth.Tokens[*user]
	log    *logBuffer
	polls  sync.Map // by engine id: how many polls were let in
	role   atomic.Pointer[string]
	broken atomic.Pointer[func() error] // what loader and verifier do instead
}

// logBuffer collects everything that siokit logs.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// newSite starts a site. register adds handlers before it serves.
func newSite(t *testing.T, store gorilla.Store, register func(s *site)) *site {
	t.Helper()
	return newSiteOn(t, nil, store, register)
}

// newSiteOn starts a site that is one of several servers, if there is a bus.
func newSiteOn(t *testing.T, bus cluster.Bus, store gorilla.Store, register func(s *site)) *site {
	t.Helper()
	s := &site{t: t, log: &logBuffer{}}
	logger := slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	sess, err := sessions.New(store, "app", sessions.Options{Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	s.users = auth.New(sess, func(_ context.Context, id string) (*user, error) {
		if f := s.broken.Load(); f != nil {
			return nil, (*f)()
		}
		if id == "ghost" {
			return nil, auth.ErrNoUser
		}
		u := &user{ID: id}
		if role := s.role.Load(); role != nil {
			u.Role = *role
		}
		return u, nil
	}, auth.Options{Logger: logger, Refresh: time.Hour})
	s.tokens = s.users.Tokens(func(_ context.Context, token string) (auth.Token, error) {
		if f := s.broken.Load(); f != nil {
			return auth.Token{}, (*f)()
		}
		id, name, ok := strings.Cut(strings.TrimPrefix(token, "token "), "of ")
		ok = ok && strings.HasPrefix(token, "token ")
		if !ok {
			return auth.Token{}, fmt.Errorf("cannot verify %q with /etc/keys/7", token)
		}
		return auth.Token{User: name, ID: strings.TrimSpace(id), Issued: time.Now()}, nil
	})
	s.srv, err = core.New(core.Config{
		Sessions: sess, Authenticate: s.authenticate, Logger: logger,
		Bus: bus, OnAnnounced: s.users.ApplyRevocation,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.users.OnRevoke(s.srv.Announce)
	core.OnCall(s.srv, "whoami", whoami)
	if register != nil {
		register(s)
	}
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", s.srv)
	mux.HandleFunc("/login", func(_ http.ResponseWriter, r *http.Request) {
		if err := s.users.Login(r.Context(), r.URL.Query().Get("id")); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("/logout", func(_ http.ResponseWriter, r *http.Request) {
		if err := s.users.Logout(r.Context()); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("/session", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, sessions.From(r.Context()).ID())
	})
	mux.HandleFunc("/polls", func(w http.ResponseWriter, r *http.Request) {
		n, _ := s.polls.LoadOrStore(r.URL.Query().Get("sid"), new(atomic.Int64))
		fmt.Fprint(w, n.(*atomic.Int64).Load())
	})
	mux.HandleFunc("/csrf", func(w http.ResponseWriter, r *http.Request) {
		token, err := s.users.CSRFToken(r.Context())
		if err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, token)
	})
	s.ts = httptest.NewServer(s.users.Middleware(mux))
	s.endLater()
	return s
}

// endLater ends the site with its test.
func (s *site) endLater() {
	s.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.srv.Shutdown(ctx); err != nil {
			s.t.Errorf("Shutdown: %v", err)
		}
		s.ts.Close()
		s.ts.Client().CloseIdleConnections()
	})
}

// authenticate counts the polls that were let in: from then on they see what is sent.
func (s *site) authenticate(r *http.Request) (context.Context, string, error) {
	ctx, principal, err := s.users.Handshake(r)
	s.countPoll(r)
	return ctx, principal, err
}

func (s *site) countPoll(r *http.Request) {
	if sid := r.URL.Query().Get("sid"); sid != "" && r.Method == http.MethodGet {
		n, _ := s.polls.LoadOrStore(sid, new(atomic.Int64))
		n.(*atomic.Int64).Add(1)
	}
}

// parked waits until a polling tab that has received everything polls again.
func (s *site) parked(p *tab) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); p.polling; time.Sleep(time.Millisecond) {
		n, _ := s.polls.LoadOrStore(p.sid, new(atomic.Int64))
		if n.(*atomic.Int64).Load() > p.answered.Load() {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatal("no poll is parked")
		}
	}
}

func whoami(c *core.Context, _ core.None) (string, error) {
	if u, ok := auth.User[*user](c); ok {
		return u.ID, nil
	}
	return "nobody", nil
}

func eachStore(t *testing.T, test func(t *testing.T, store gorilla.Store)) {
	key := []byte("0123456789abcdef0123456789abcdef")
	t.Run("cookie", func(t *testing.T) { test(t, gorilla.NewCookieStore(key)) })
	t.Run("filesystem", func(t *testing.T) { test(t, gorilla.NewFilesystemStore(t.TempDir(), key)) })
}

// visit requests a page with a cookie, and returns the cookie to use next and the answer.
func (s *site) visit(cookie, path string) (next, body string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, s.ts.URL+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	resp, err := s.ts.Client().Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	for _, c := range resp.Cookies() {
		if c.Name == "app" {
			cookie = c.Name + "=" + c.Value
		}
	}
	b, _ := io.ReadAll(resp.Body)
	return cookie, string(b)
}

func (s *site) login(id string) (cookie string) {
	s.t.Helper()
	cookie, _ = s.visit("", "/login?id="+id)
	return cookie
}

// tab is a raw client.
type tab struct {
	t       *testing.T
	in      chan string // Engine.IO packets; closed at the end
	write   func(packet string) error
	sid     string
	closing func()

	polling  bool
	answered atomic.Int64 // polls
}

// open connects to the Engine.IO endpoint over "polling" or "websocket".
func (s *site) open(transport, cookie string) *tab {
	s.t.Helper()
	p, err := s.tryOpen(transport, cookie)
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

func (s *site) tryOpen(transport, cookie string) (*tab, error) {
	return s.tryOpenAs(transport, credentials{cookie: cookie}.header())
}

// tryOpenAs is tryOpen with other headers, which all requests of the connection have.
func (s *site) tryOpenAs(transport string, header http.Header) (*tab, error) {
	p := &tab{t: s.t, in: make(chan string, 256)}
	endpoint := "/socket.io/?EIO=4&transport=" + transport
	var open string
	if transport == "websocket" {
		ws, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(s.ts.URL, "http")+endpoint, header)
		if err != nil {
			return nil, err
		}
		s.t.Cleanup(func() { _ = ws.Close() })
		p.closing = func() { _ = ws.Close() }
		p.write = func(packet string) error { return ws.WriteMessage(websocket.TextMessage, []byte(packet)) }
		_, b, err := ws.ReadMessage()
		if err != nil {
			return nil, err
		}
		open = string(b)
		go func() {
			defer close(p.in)
			for {
				_, b, err := ws.ReadMessage()
				if err != nil {
					return
				}
				p.in <- string(b)
			}
		}()
	} else {
		// In process: a thousand parked polls are a thousand goroutines and no file descriptor.
		p.polling = true
		quit, stop := context.WithCancel(context.Background())
		p.closing = stop
		do := func(ctx context.Context, method, body string) (int, string) {
			r := httptest.NewRequestWithContext(ctx, method, s.ts.URL+endpoint, strings.NewReader(body))
			for name, values := range header {
				r.Header[name] = values
			}
			r.Host = strings.TrimPrefix(s.ts.URL, "http://")
			w := httptest.NewRecorder()
			s.ts.Config.Handler.ServeHTTP(w, r)
			return w.Code, w.Body.String()
		}
		status, body := do(quit, http.MethodGet, "")
		if status != http.StatusOK {
			stop()
			return nil, fmt.Errorf("%d %s", status, body)
		}
		open = body
		endpoint += "&sid=" + sidOf(open)
		p.write = func(packet string) error {
			if status, body := do(quit, http.MethodPost, packet); status != http.StatusOK {
				return fmt.Errorf("POST: %d %s", status, body)
			}
			return nil
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer close(p.in)
			for {
				status, body := do(quit, http.MethodGet, "")
				if status != http.StatusOK || quit.Err() != nil {
					return
				}
				p.answered.Add(1)
				for packet := range strings.SplitSeq(body, "\x1e") {
					p.in <- packet
				}
			}
		}()
		s.t.Cleanup(func() { stop(); <-done })
	}
	p.sid = sidOf(open)
	return p, nil
}

func sidOf(open string) string {
	_, rest, _ := strings.Cut(open, `"sid":"`)
	sid, _, _ := strings.Cut(rest, `"`)
	return sid
}

func (p *tab) send(packet string) {
	p.t.Helper()
	if err := p.write(packet); err != nil {
		p.t.Fatal(err)
	}
}

var errEnded = errors.New("the connection has ended")

// next returns the next Socket.IO packet.
func (p *tab) next() (string, error) {
	for {
		select {
		case packet, ok := <-p.in:
			if !ok {
				return "", errEnded
			}
			if packet[0] == '4' {
				return packet[1:], nil
			}
		case <-time.After(patience):
			return "", errors.New("waited in vain for a packet")
		}
	}
}

func (p *tab) want(packets ...string) {
	p.t.Helper()
	for _, want := range packets {
		if got, err := p.next(); got != want || err != nil {
			p.t.Fatalf("received %.300q, %v; want %q", got, err, want)
		}
	}
}

// join connects to a namespace with an auth payload, and returns the socket id.
func (p *tab) join(namespace, payload string) string {
	p.t.Helper()
	prefix := "0"
	if namespace != "/" {
		prefix += namespace + ","
	}
	p.send("4" + prefix + payload)
	got, err := p.next()
	if err != nil || !strings.HasPrefix(got, prefix+`{"sid":"`) {
		p.t.Fatalf("CONNECT to %s: %q %v", namespace, got, err)
	}
	return sidOf(got)
}

// ended waits for the end of the connection and returns what came before.
func (p *tab) ended() (before []string) {
	p.t.Helper()
	for {
		packet, err := p.next()
		if errors.Is(err, errEnded) {
			return before
		}
		if err != nil {
			p.t.Fatal(err)
		}
		before = append(before, packet)
	}
}
