package ginsio_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/internal/leaks"
	"github.com/siokit/siokit/siotest"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	gin.DefaultWriter = io.Discard
	leaks.Main(m)
}

const patience = 30 * time.Second

func newServer(t *testing.T, cfg core.Config) *core.Server {
	t.Helper()
	cfg.Logger = slog.New(slog.DiscardHandler)
	srv, err := core.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return srv
}

// site is a gin application in memory, and a browser.
type site struct {
	*siotest.Server
	t    *testing.T
	http *http.Client // with a cookie jar; follows no redirect
}

func start(t *testing.T, h http.Handler, srv *core.Server) *site {
	t.Helper()
	s := &site{t: t, Server: siotest.Serve(t, h, srv)}
	s.http = s.HTTP(siotest.Jar())
	s.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return s
}

// connect dials with the cookies of the browser.
func (s *site) connect(opts ...siotest.Option) *siotest.Client {
	s.t.Helper()
	return s.Dial(append(opts, siotest.Cookies(s.http.Jar))...)
}

func (s *site) do(method, path, body string, header ...string) (int, string, http.Header) {
	s.t.Helper()
	r, err := http.NewRequest(method, siotest.URL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := s.http.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(b), resp.Header
}

// open begins a polling session and returns the path of its later requests.
func (s *site) open(path string, header ...string) string {
	s.t.Helper()
	status, body, _ := s.do("GET", path, "", header...)
	var hs struct{ SID string }
	if status != 200 || body[0] != '0' || json.Unmarshal([]byte(body[1:]), &hs) != nil {
		s.t.Fatalf("%s: %d %s", path, status, body)
	}
	session := path + "&sid=" + hs.SID
	s.t.Cleanup(func() { s.do("POST", session, "1", header...) }) // nobody will poll it any more
	return session
}

func (s *site) post(session, packets string, header ...string) {
	s.t.Helper()
	if status, body, _ := s.do("POST", session, packets, header...); status != 200 || body != "ok" {
		s.t.Fatalf("POST %s: %d %s", packets, status, body)
	}
}

var socketID = regexp.MustCompile(`"sid":"[A-Za-z0-9_-]{20}"`)

// poll gets as many packets as want has: those of one moment may come in two answers.
func (s *site) poll(session, want string, header ...string) {
	s.t.Helper()
	status, body, _ := s.do("GET", session, "", header...)
	for status == 200 && strings.Count(body, "\x1e") < strings.Count(want, "\x1e") {
		var more string
		status, more, _ = s.do("GET", session, "", header...)
		body += "\x1e" + more
	}
	if got := socketID.ReplaceAllString(body, `"sid":"*"`); status != 200 || got != want {
		s.t.Fatalf("poll: %d %q, want %q", status, got, want)
	}
}
