package siotest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siokit/siokit/core"
)

// URL is where a Server is: any host would do, since nothing leaves the process.
const URL = "http://" + host

const host = "siotest.example"

// A Server serves an application in memory. Serve makes one. Its fields are for what is called afterwards; do
// not change them while other goroutines use it.
type Server struct {
	// Patience is how long anything may take before the test fails: Dial, Call, Next, a request, the end of
	// the server. Nothing waits so long when all is well. Default 10 s, and less when the time of go test
	// -timeout is nearly over. For one client see the option Patience.
	Patience time.Duration

	// Quiet is how long ExpectNone waits. Default 50 ms.
	Quiet time.Duration

	// AllowPanics lets the test pass although handlers, or hooks of the server, have panicked. For one that is
	// expected see Failed. Default false.
	AllowPanics bool

	t        testing.TB
	listener *listener
	marks    *marks
	failures *failures
	bubble   bool // it was made in one
}

// Serve serves handler, the application's router or a *core.Server itself, until the test ends. sockets are
// the socket servers inside a router: they are shut down with it, which handlers get to see.
//
// The test fails if something does not end, such as a handler that ignores its Context or a goroutine that one
// has started, and for every panic of a handler that Failed was not asked for.
func Serve(t testing.TB, handler http.Handler, sockets ...*core.Server) *Server {
	t.Helper()
	if srv, ok := handler.(*core.Server); ok && !slices.Contains(sockets, srv) {
		sockets = append(sockets, srv)
	}
	s := &Server{Patience: patience, Quiet: quiet, t: t, listener: newListener(), marks: newMarks(), failures: newFailures(sockets), bubble: settle()}
	before := make([]int64, len(sockets))
	for i, srv := range sockets {
		before[i] = srv.Panics()
		s.failures.watch(srv)
	}
	web := &http.Server{Handler: s.failures.watchHTTP(handler), ErrorLog: log.New(newOutput(t), "", 0)}
	served := make(chan struct{})
	s.marks.do(func() {
		go func() {
			defer close(served)
			_ = web.Serve(s.listener) // ends with Close
		}()
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), s.limits().within(s.Patience))
		defer cancel()
		for _, srv := range sockets {
			if err := srv.Shutdown(ctx); err != nil {
				t.Errorf("siotest: the sockets do not shut down: does a handler ignore its Context? %v%s", err, s.failures.story())
			}
		}
		_ = s.listener.Close()
		_ = web.Close()
		<-served
		s.failures.report(t, s.AllowPanics)
		for i, srv := range sockets {
			if !s.AllowPanics {
				s.failures.reportHidden(t, srv, before[i])
			}
		}
		if left := s.marks.left(); left != "" {
			hint := ""
			if len(sockets) == 0 && strings.Contains(left, "siokit/core") {
				hint = " (the socket server is still running: pass the *core.Server to Serve, after the router)"
			}
			t.Errorf("siotest: goroutines are left that the server or its handlers have started%s:\n%s", hint, left)
		}
	})
	return s
}

// In returns the Server for a subtest: t is the one that fails, and at whose end the clients leave that were
// dialled on it.
func (s *Server) In(t testing.TB) *Server {
	sub := *s
	sub.t = t
	t.Cleanup(func() { sub.failures.report(t, sub.AllowPanics) })
	return &sub
}

func (s *Server) limits() limits { return limitsOf(s.t, s.Patience, s.Quiet) }

// Failed waits for the next error or panic (*core.PanicError) of a handler of that event that it has not returned
// yet, and returns it: also an error that the client does not get to see, or only as "internal error". What it
// returns does not fail the test. The event is "connect" or "disconnect" for those handlers, "POST /login" for the
// panic of an HTTP handler; a refusal that was made for the client is none, see Refused. The test fails if there is none
// within Patience.
//
// What fails in handlers and is not asked for is part of the test's log, and of the text of each failure.
func (s *Server) Failed(event string) error {
	s.t.Helper()
	d := s.limits().within(s.Patience)
	err := s.failures.next(event, d)
	if err == nil {
		s.t.Fatalf("siotest: no handler of %q has failed within %s%s", event, d, s.failures.story())
	}
	return err
}

// HTTP returns an HTTP client for the application, with the cookies of jar, which may be nil. Requests go to
// addresses that begin with URL. Redirects are followed, unless its CheckRedirect is set. Its Transport makes
// any other HTTP client one of this Server.
func (s *Server) HTTP(jar http.CookieJar) *http.Client { return s.http(jar, newWires()) }

func (s *Server) http(jar http.CookieJar, w *wires) *http.Client {
	s.t.Helper()
	if settle() != s.bubble { // the runtime would end the whole run
		s.t.Fatalf("siotest: Serve was called outside of this bubble of testing/synctest: make the application and call Serve inside")
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return s.listener.dial(ctx, w)
	}}
	s.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Jar: lenient(jar), Transport: transport, Timeout: s.limits().within(s.Patience)}
}

// Get requests a page as the person with that jar and returns its body. The test fails unless the answer is 2xx.
func (s *Server) Get(jar http.CookieJar, path string) (body string) {
	s.t.Helper()
	return s.ask(jar, http.MethodGet, path, "", nil)
}

// PostForm posts a form, to log in for example, as the person with that jar, and returns the body of the
// answer, after redirects. The test fails unless that is 2xx.
func (s *Server) PostForm(jar http.CookieJar, path string, form url.Values) (body string) {
	s.t.Helper()
	return s.ask(jar, http.MethodPost, path, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
}

// PostJSON is PostForm for a value that is sent as JSON.
func (s *Server) PostJSON(jar http.CookieJar, path string, v any) (body string) {
	s.t.Helper()
	content, err := json.Marshal(v)
	if err != nil {
		s.t.Fatalf("siotest: POST %s: %v", path, err)
	}
	return s.ask(jar, http.MethodPost, path, "application/json", bytes.NewReader(content))
}

func (s *Server) ask(jar http.CookieJar, method, path, contentType string, content io.Reader) string {
	s.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, URL+path, content)
	if err != nil {
		s.t.Fatalf("siotest: %v", err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	h := s.HTTP(jar)
	defer h.CloseIdleConnections()
	resp, err := h.Do(r)
	if err != nil {
		s.t.Fatalf("siotest: %s %s: %v%s", method, path, err, s.failures.story())
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatalf("siotest: %s %s: %v%s", method, path, err, s.failures.story())
	}
	if resp.StatusCode/100 != 2 {
		s.t.Fatalf("siotest: %s %s: %s: %.500s", method, path, resp.Status, body)
	}
	return string(body)
}
