package core_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/siokit/siokit/core"
)

// logBuffer collects a server's log.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// take returns what was logged since the last call.
func (l *logBuffer) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.buf.Reset()
	return l.buf.String()
}

func newLog() (*logBuffer, *slog.Logger) {
	l := &logBuffer{}
	return l, slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// users.md row 50: a refusal says what came, what was expected, and the line to add.
func TestOriginRefusalSaysTheCure(t *testing.T) {
	for _, c := range []struct {
		name   string
		cfg    core.Config
		header http.Header
		want   []string
		never  string
	}{
		{
			name:   "same origin",
			header: http.Header{"Origin": {"https://app.example"}},
			want:   []string{`the page's origin \"https://app.example\"`, "allowed: http://127.0.0.1:", `core.Config{Origins: []string{\"https://app.example\"}}`},
			never:  "TrustedProxies: []",
		},
		{
			name:   "a list",
			cfg:    core.Config{Origins: []string{"https://one.example", "https://*.two.example"}},
			header: http.Header{"Origin": {"http://one.example"}},
			want:   []string{`\"http://one.example\"`, "https://one.example, https://*.two.example", `Origins: []string{\"http://one.example\"}`},
		},
		{
			name:   "behind a proxy that is not declared",
			header: http.Header{"Origin": {"https://app.example"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"app.example"}},
			want:   []string{`if 127.0.0.1 is your reverse proxy: core.Config{TrustedProxies: []string{\"127.0.0.1\"}}`, `Origins: []string{\"https://app.example\"}`},
		},
		{
			name:   "no page",
			header: http.Header{"Origin": {"null"}},
			want:   []string{"no origin that could be listed"},
			never:  "Origins: []",
		},
		{
			name:   "another reason",
			cfg:    core.Config{AllowRequest: func(*http.Request) error { return errEnded }},
			header: http.Header{},
			want:   []string{"AllowRequest"},
			never:  "Origins: []",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			log, logger := newLog()
			c.cfg.Logger = logger
			a := serve(t, c.cfg)
			for _, transport := range []string{"polling", "websocket"} {
				_, status, err := a.tryDial(transport, func(h http.Header, _ *string) {
					for name, values := range c.header {
						h[name] = values
					}
				})
				if err == nil || status != http.StatusForbidden {
					t.Fatalf("%s: %d %v", transport, status, err)
				}
				text := log.take()
				for _, want := range c.want {
					if !strings.Contains(text, want) {
						t.Errorf("%s: no %s in the log:\n%s", transport, want, text)
					}
				}
				if c.never != "" && strings.Contains(text, c.never) {
					t.Errorf("%s: %s in the log:\n%s", transport, c.never, text)
				}
			}
		})
	}
}

func TestAnyOriginWithLogin(t *testing.T) {
	l := newLogin()
	for _, cfg := range []core.Config{{Sessions: l}, {Authenticate: l.authenticate}} {
		cfg.Origins = []string{"*"}
		if _, err := core.New(cfg); err == nil || !strings.Contains(err.Error(), "Origins") {
			t.Errorf("* with a login: %v", err)
		}
	}
	log, logger := newLog()
	cfg := l.config()
	cfg.Origins, cfg.DangerouslyAllowAnyOrigin, cfg.Logger = []string{"*"}, true, logger
	for range 2 { // each time
		a := serve(t, cfg)
		if text := log.take(); !strings.Contains(text, "level=WARN") || !strings.Contains(text, "DangerouslyAllowAnyOrigin") {
			t.Errorf("logged: %s", text)
		}
		p := a.dial("websocket", as("ann"), func(h http.Header, _ *string) { h.Set("Origin", "https://elsewhere.example") })
		p.join("/", "")
	}
	log, logger = newLog() // the others' clients may still be coming and going
	if _, err := core.New(core.Config{DangerouslyAllowAnyOrigin: true, Logger: logger}); err != nil || log.take() != "" {
		t.Errorf("without * and without a login: %v", err)
	}
}

// what a client chose cannot forge a line of the log, nor fill the disk.
func TestLogsQuoteWhatClientsSay(t *testing.T) {
	log, logger := newLog()
	a := serve(t, core.Config{Logger: logger})
	p := a.dial("websocket", func(h http.Header, q *string) {
		h.Set("User-Agent", strings.Repeat("u", 10<<10))
		*q = "&forged=%0d%0alevel=ERROR"
	})
	p.join("/", "")
	long := strings.Repeat("n", 10<<10)
	p.send(`0/` + "\x1b[31m" + `level=ERROR,`)
	p.next()
	p.send("2[\"forged\\r\\nlevel=ERROR \\u001b[31m\\u0000\"]", `2["`+long+`"]`)
	p.wantAlive()
	text := log.take()
	if !strings.Contains(text, "event without a handler") || !strings.Contains(text, "unknown namespace") {
		t.Fatalf("the log misses what was provoked:\n%s", text)
	}
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "time=") || len(line) > 2048 {
			t.Errorf("%d bytes in a line: %.300q", len(line), line)
		}
		if strings.ContainsAny(strings.TrimSuffix(line, "\n"), "\r\n\x00\x1b") {
			t.Errorf("control characters in %q", line)
		}
	}
}

// users.md row 9: behind a load balancer that does not stick, the log says what to switch on; and that a single process
// is well.
func TestUnknownSessionSaysTheCure(t *testing.T) {
	logged, logger := newLog()
	a := serve(t, core.Config{Logger: logger})
	const sid = "c2Vzc2lvbi1vZi1hbm90aGVyLXByb2Nlc3M"
	for i, level := range []string{"level=ERROR", "level=DEBUG"} {
		logged.take()
		r := httptest.NewRequest(http.MethodGet, "http://example.com/socket.io/?EIO=4&transport=polling&sid="+sid, nil)
		w := httptest.NewRecorder()
		a.Server.ServeHTTP(w, r)
		text := logged.take()
		if w.Body.String() != `{"code":1,"message":"Session ID unknown"}` {
			t.Errorf("answered %s", w.Body)
		}
		for _, want := range []string{level, "this process has no such session", "after a restart", "several share this address", "sticky sessions", `transports: [\"websocket\"]`} {
			if !strings.Contains(text, want) {
				t.Errorf("time %d: the log lacks %q: %s", i, want, text)
			}
		}
		if strings.Contains(text, sid) {
			t.Errorf("the log holds the session id: %s", text)
		}
	}
}
