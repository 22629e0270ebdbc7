package adapters_test

import (
	"bytes"
	"context"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siokit/siokit/core"
)

// patience is how long a test waits for an event before it fails.
const patience = 30 * time.Second

// lines collects what a logger writes.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newServer makes a Socket.IO server that answers "echo", and "later" with the event "now" after so many
// milliseconds. The test's cleanup shuts it down.
func newServer(t *testing.T, cfg core.Config) (*core.Server, *lines) {
	t.Helper()
	logged := &lines{}
	cfg.Logger = slog.New(slog.NewTextHandler(logged, nil))
	srv, err := core.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	core.OnCall(srv, "echo", func(_ *core.Context, in string) (string, error) { return in, nil })
	core.On(srv, "later", func(c *core.Context, ms int) error {
		time.AfterFunc(time.Duration(ms)*time.Millisecond, func() { _ = c.Emit("now") })
		return nil
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
	return srv, logged
}

// A site is an application on a real listener.
type site struct {
	t      *testing.T
	url    string
	client *http.Client // with a cookie jar; follows no redirect
	tr     *http.Transport
	errors *lines // of http.Server, where net/http tells of writes after a hijack and the like
	ts     *httptest.Server
}

// serve starts h. Shut the Socket.IO server down first: make it after this call, or in a later cleanup.
func serve(t *testing.T, h http.Handler, configure ...func(*http.Server)) *site {
	t.Helper()
	s := &site{t: t, errors: &lines{}, ts: httptest.NewUnstartedServer(h)}
	s.ts.Config.ErrorLog = log.New(s.errors, "", 0)
	for _, c := range configure {
		c(s.ts.Config)
	}
	s.ts.Start()
	s.url = s.ts.URL
	s.tr = &http.Transport{}
	s.client = newClient(s.tr)
	t.Cleanup(func() {
		s.tr.CloseIdleConnections()
		s.ts.CloseClientConnections()
		s.ts.Close()
		if noise := s.errors.String(); noise != "" {
			t.Errorf("http.Server logged: %s", noise)
		}
	})
	return s
}

func newClient(tr http.RoundTripper) *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err)
	}
	return &http.Client{
		Transport:     tr,
		Jar:           jar,
		Timeout:       patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// do sends one request and reads the whole answer.
func do(c *http.Client, method, url, body string, header http.Header) (int, string, error) {
	return doContext(context.Background(), c, method, url, body, header)
}

func doContext(ctx context.Context, c *http.Client, method, url, body string, header http.Header) (int, string, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	for name, values := range header {
		r.Header[name] = values
	}
	resp, err := c.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// want sends one request and checks the status.
func (s *site) want(status int, method, path string) string {
	s.t.Helper()
	got, body, err := do(s.client, method, s.url+path, "", nil)
	if err != nil || got != status {
		s.t.Fatalf("%s %s: got %d %.300q (%v), want %d", method, path, got, body, err, status)
	}
	return body
}

// eventually waits for a state that no event announces.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}
