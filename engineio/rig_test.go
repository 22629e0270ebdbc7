package engineio_test

import (
	"bytes"
	"context"
	"log"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siokit/siokit/engineio"
)

// patience is how long a test waits for what must happen. It is long: machines are busy.
const patience = 20 * time.Second

// network is where a rig listens: the loopback interface, or memory.
type network interface {
	net.Listener
	Dial() (net.Conn, error)
}

type loopback struct{ net.Listener }

func (l loopback) Dial() (net.Conn, error) { return net.Dial("tcp", l.Addr().String()) }

func listen(t testing.TB) network {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return loopback{ln}
}

// logBuffer keeps what is logged. It is safe for concurrent use.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// An option changes a rig before it starts.
type option func(*rig, *engineio.Config)

// receiving sets what sessions do with messages.
func receiving(on func(*session, string, bool)) option {
	return func(r *rig, cfg *engineio.Config) { cfg.Accept = r.accept(on) }
}

// on lets the rig listen on n.
func on(n network) option { return func(r *rig, _ *engineio.Config) { r.net = n } }

// httpServer changes the http.Server before it starts.
func httpServer(f func(*http.Server)) option {
	return func(r *rig, _ *engineio.Config) { f(r.http) }
}

// serve starts a server that is shut down at the end of the test, and fails the test when
// anything panicked.
func serve(t testing.TB, cfg engineio.Config, options ...option) *rig {
	t.Helper()
	r := &rig{t: t, sessions: make(map[string]*session), logs: &logBuffer{}}
	r.http = &http.Server{ErrorLog: log.New(r.logs, "", 0), ReadHeaderTimeout: 10 * time.Second}
	if cfg.Accept == nil {
		cfg.Accept = r.accept(nil)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(r.logs, nil))
	}
	for _, o := range options {
		o(r, &cfg)
	}
	if r.net == nil {
		r.net = listen(t)
	}
	var err error
	if r.srv, err = engineio.NewServer(cfg); err != nil {
		t.Fatal(err)
	}
	if r.http.Handler == nil {
		r.http.Handler = r.srv
	}
	r.client = &http.Client{Transport: &http.Transport{
		DialContext:        func(context.Context, string, string) (net.Conn, error) { return r.net.Dial() },
		DisableCompression: true,
		MaxIdleConns:       1000, MaxIdleConnsPerHost: 1000,
	}}
	served := make(chan error, 1)
	go func() { served <- r.http.Serve(r.net) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		cut, stop := context.WithTimeout(ctx, 50*time.Millisecond) // graceful ends have tests of their own
		_ = r.srv.Shutdown(cut)
		stop()
		r.client.CloseIdleConnections()
		_ = r.http.Close()
		<-served
		if n := r.srv.Stats().Connections; n != 0 {
			t.Errorf("%d connections after Shutdown", n)
		}
		if text := r.logs.String(); strings.Contains(text, "panic") {
			t.Errorf("something panicked:\n%s", text)
		}
	})
	return r
}

// eventually polls for what is not observable as an event.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s", what, patience)
		}
		time.Sleep(time.Millisecond)
	}
}

// stall is how long a busy machine may keep a test waiting. It is still less than what the bars exclude: waiting for
// one of the timeouts, or quadratic work.
const stall = 7 * time.Second

// bar is what a row allows; more under -race and on shared machines.
func bar(limit time.Duration) time.Duration { return max(limit*slack, stall) }

// within fails when f took longer than the row allows.
func within(t testing.TB, limit time.Duration, what string, f func()) {
	t.Helper()
	start := time.Now()
	f()
	if took := time.Since(start); took > bar(limit) {
		t.Errorf("%s took %s, the bar is %s (%s here)", what, took, limit, bar(limit))
	}
}

// goroutines counts what is left after the dust has settled.
func goroutines(t testing.TB, atMost int) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for runtime.NumGoroutine() > atMost {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, at most %d expected:\n%.6000s", runtime.NumGoroutine(), atMost, buf[:runtime.Stack(buf, true)])
		}
		time.Sleep(time.Millisecond)
	}
}
