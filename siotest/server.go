package siotest

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/siokit/siokit/core"
)

// patience is how long anything may take before the test fails. Nothing waits so long when all is well.
const patience = 10 * time.Second

// URL is where a Server is: any host would do, since nothing leaves the process.
const URL = "http://siotest.example"

// A Server serves an application in memory. Serve makes one.
type Server struct {
	t        testing.TB
	listener *listener
	marks    *marks
}

// Serve serves handler, the application's router or a *core.Server itself, until the test ends. sockets are
// the socket servers inside a router: they are shut down with it, which handlers get to see. The test fails
// if something does not end: a handler that ignores its Context, a goroutine that one has started.
func Serve(t testing.TB, handler http.Handler, sockets ...*core.Server) *Server {
	t.Helper()
	if srv, ok := handler.(*core.Server); ok {
		sockets = append(sockets, srv)
	}
	s := &Server{t: t, listener: newListener(), marks: newMarks()}
	web := &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan struct{})
	s.marks.do(func() {
		go func() {
			defer close(served)
			_ = web.Serve(s.listener) // ends with Close
		}()
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		for _, srv := range sockets {
			if err := srv.Shutdown(ctx); err != nil {
				t.Errorf("siotest: the sockets do not shut down: does a handler ignore its Context? %v", err)
			}
		}
		_ = s.listener.Close()
		_ = web.Close()
		<-served
		if left := s.marks.left(); left != "" {
			t.Errorf("siotest: goroutines are left that the server or its handlers have started:\n%s", left)
		}
	})
	return s
}

// Jar returns an empty cookie jar: one person's browser.
func Jar() http.CookieJar {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // without options it cannot fail
	}
	return jar
}

// HTTP returns an HTTP client for the application, with the cookies of jar, which may be nil. Requests go to
// addresses that begin with URL. Redirects are followed, unless its CheckRedirect is set.
func (s *Server) HTTP(jar http.CookieJar) *http.Client { return s.http(jar, newWires()) }

func (s *Server) http(jar http.CookieJar, w *wires) *http.Client {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return s.listener.dial(ctx, w)
	}}
	s.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Jar: jar, Transport: transport, Timeout: patience}
}

// Get requests a page as the person with that jar and returns its body. The test fails unless the answer is 2xx.
func (s *Server) Get(jar http.CookieJar, path string) (body string) {
	s.t.Helper()
	return s.ask(jar, http.MethodGet, path, nil)
}

// PostForm posts a form, to log in for example, as the person with that jar, and returns the body of the
// answer, after redirects. The test fails unless that is 2xx.
func (s *Server) PostForm(jar http.CookieJar, path string, form url.Values) (body string) {
	s.t.Helper()
	return s.ask(jar, http.MethodPost, path, form)
}

func (s *Server) ask(jar http.CookieJar, method, path string, form url.Values) string {
	s.t.Helper()
	var content io.Reader
	if form != nil {
		content = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(context.Background(), method, URL+path, content)
	if err != nil {
		s.t.Fatalf("siotest: %v", err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	h := s.HTTP(jar)
	defer h.CloseIdleConnections()
	resp, err := h.Do(r)
	if err != nil {
		s.t.Fatalf("siotest: %s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatalf("siotest: %s %s: %v", method, path, err)
	}
	if resp.StatusCode/100 != 2 {
		s.t.Fatalf("siotest: %s %s: %s: %.500s", method, path, resp.Status, body)
	}
	return string(body)
}
