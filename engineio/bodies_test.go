package engineio_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/siokit/siokit/engineio"
)

// V-06, CVE-2026-59725 in its Go form: net/http waits for ever for the rest of a body it has
// answered already, and keeps a goroutine and a descriptor for each.
func TestRefusedBodiesHoldNothing(t *testing.T) {
	for i, row := range []struct {
		id, method, header string
		unknown            bool // the sid
		status             int
		survives           bool // the session
	}{
		{"octet-stream", "POST", "Content-Type: application/octet-stream\r\nContent-Length: 100", false, 400, false},
		{"chunked", "POST", "Content-Type: application/octet-stream\r\nTransfer-Encoding: chunked", false, 400, false},
		{"Expect", "POST", "Content-Type: application/octet-stream\r\nContent-Length: 100\r\nExpect: 100-continue", false, 400, false},
		{"413", "POST", "Content-Length: 2000000", false, 413, true},
		{"413 below the drain limit of net/http", "POST", "Content-Length: 200000", false, 413, true},
		{"413 Expect", "POST", "Content-Length: 2000000\r\nExpect: 100-continue", false, 413, true},
		{"415", "POST", "Content-Encoding: gzip\r\nContent-Length: 100", false, 415, true},
		{"unknown session", "POST", "Content-Length: 100", true, 400, true},
		{"unknown session, chunked", "POST", "Transfer-Encoding: chunked", true, 400, true},
		{"PUT", "PUT", "Content-Length: 100", false, 400, true},
		{"foreign origin", "POST", "Content-Length: 100\r\nOrigin: http://evil.test", false, 403, true},
	} {
		t.Run("V-06 "+row.id, func(t *testing.T) {
			n := 200
			if i > 3 {
				n = 50 // the same mechanism
			}
			r := serve(t, engineio.Config{MaxPayload: 100_000})
			sids := make([]string, n)
			for i := range sids {
				sids[i], _ = r.open(t)
			}
			r.client.CloseIdleConnections()
			eventually(t, "idle connections are gone", func() bool { return runtime.NumGoroutine() < 50 })
			base := runtime.NumGoroutine()
			wires := make([]*wire, n)
			for i := range wires {
				wires[i] = r.dial(t)
				sid := sids[i]
				if row.unknown {
					sid = "nope"
				}
				within(t, 100*time.Millisecond, "the answer", func() {
					wires[i].put(fmt.Sprintf("%s /?%s&sid=%s HTTP/1.1\r\nHost: app.test\r\n%s\r\n\r\n", row.method, polling, sid, row.header))
					if a := wires[i].answer(row.method); a.status != row.status || !a.close {
						t.Fatalf("%d %s, Connection: close is %t", a.status, a.body, a.close)
					}
				})
			}
			within(t, time.Second, "hanging up", func() {
				for _, w := range wires {
					w.wantEOF()
				}
			})
			goroutines(t, base+2) // with every client still open
			want := 0
			if row.survives {
				want = n
			}
			if got := r.srv.Stats().Connections; got != want {
				t.Errorf("%d sessions, want %d", got, want)
			}
			if row.survives {
				r.alive(t, sids[0])
			}
		})
	}
}

// plainWriter is what middleware makes of a ResponseWriter when it forgets Unwrap.
type plainWriter struct{ w http.ResponseWriter }

func (p plainWriter) Header() http.Header         { return p.w.Header() }
func (p plainWriter) Write(b []byte) (int, error) { return p.w.Write(b) }
func (p plainWriter) WriteHeader(status int)      { p.w.WriteHeader(status) }

// F-04: a writer that cannot move deadlines is named, once.
func TestWriterWithoutDeadlines(t *testing.T) {
	var log logBuffer
	srv, err := engineio.NewServer(engineio.Config{
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
		Accept: func(*engineio.Conn, *http.Request) (engineio.Receiver, error) { return nothing{}, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, timeout := range []time.Duration{0, time.Minute, time.Minute} {
		rec := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/socket.io/?EIO=4&transport=polling", nil)
		r = r.WithContext(context.WithValue(r.Context(), http.ServerContextKey, &http.Server{WriteTimeout: timeout}))
		srv.ServeHTTP(plainWriter{rec}, r)
		if timeout == 0 && log.String() != "" {
			t.Errorf("without a WriteTimeout: %s", log.String())
		}
		if rec.Code != 200 {
			t.Fatal(rec.Code, rec.Body)
		}
	}
	if got := log.String(); strings.Count(got, "cannot move deadlines") != 1 || !strings.Contains(got, "engineio_test.plainWriter") {
		t.Errorf("the log says:\n%s", got)
	}
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
}

type nothing struct{}

func (nothing) Receive([]byte, bool)          {}
func (nothing) Closed(engineio.Reason, error) {}

// Middleware that limits bodies wraps those of GETs too, which have none: nothing is left unread.
func TestBodyLimitKeepsConnections(t *testing.T) {
	r := serve(t, engineio.Config{}, receiving(echo), func(r *rig, _ *engineio.Config) {
		r.http.Handler = http.MaxBytesHandler(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { r.srv.ServeHTTP(w, req) }), 1<<20)
	})
	keptAlive := func(what string, a answer) {
		t.Helper()
		if a.close {
			t.Errorf("%s: the HTTP connection is closed", what)
		}
	}
	open := r.get(t, "")
	keptAlive("handshake", open)
	sid := parseOpen(t, open.body).SID
	keptAlive("post", r.post(t, sid, "4x"))
	keptAlive("poll", r.get(t, sid))
	keptAlive("refusal", r.get(t, "nobody"))
}

// What counts for a body is BodyTimeout: its answer is not lost to a shorter WriteTimeout of http.Server.
func TestSlowBodyIsAnswered(t *testing.T) {
	bubble(t, engineio.Config{}, func(t *testing.T, r *rig) {
		sid, s := r.open(t)
		w := r.dial(t)
		post := rawRequest("POST", polling+"&sid="+sid, "4slowly")
		w.put(post[:len(post)-3])
		pass(15 * time.Second)
		w.put(post[len(post)-3:])
		w.answer("POST").want(t, 200, "ok")
		s.wantMessages(t, "slowly")
		w.put(post)
		w.answer("POST").want(t, 200, "ok")
	}, httpServer(func(s *http.Server) { s.WriteTimeout = 10 * time.Second }))
}
