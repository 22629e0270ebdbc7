package ginsio_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/gorilla/websocket"
	"github.com/siokit/siokit/core"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	gin.DefaultWriter = io.Discard
	goleak.VerifyTestMain(m)
}

const patience = 10 * time.Second

func newServer(t *testing.T, cfg core.Config) *core.Server {
	t.Helper()
	cfg.Logger = slog.New(slog.DiscardHandler)
	srv, err := core.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return srv
}

// site is a gin application on a listener.
type site struct {
	t    *testing.T
	url  string
	http *http.Client // with a cookie jar; follows no redirect
}

// start serves h; srv is shut down before the listener closes.
func start(t *testing.T, h http.Handler, srv *core.Server) *site {
	t.Helper()
	ts := httptest.NewServer(h)
	t.Cleanup(ts.Close)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return (&site{t: t, url: ts.URL}).browser(ts)
}

func (s *site) browser(ts *httptest.Server) *site {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	client := *ts.Client()
	client.Jar = jar
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	s.http = &client
	return s
}

func (s *site) do(method, path, body string, header ...string) (int, string, http.Header) {
	s.t.Helper()
	r, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
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

func (s *site) poll(session, want string, header ...string) {
	s.t.Helper()
	status, body, _ := s.do("GET", session, "", header...)
	if got := socketID.ReplaceAllString(body, `"sid":"*"`); status != 200 || got != want {
		s.t.Fatalf("poll: %d %q, want %q", status, got, want)
	}
}

// wire is a WebSocket.
type wire struct {
	t  *testing.T
	ws *websocket.Conn
}

func (s *site) dial(path string, header ...string) (*wire, int) {
	s.t.Helper()
	h := make(http.Header)
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	dialer := websocket.Dialer{Jar: s.http.Jar}
	ws, resp, err := dialer.Dial("ws"+strings.TrimPrefix(s.url, "http")+path, h)
	if err != nil {
		if resp == nil {
			s.t.Fatal(err)
		}
		return nil, resp.StatusCode
	}
	s.t.Cleanup(func() { ws.Close() })
	_ = ws.SetReadDeadline(time.Now().Add(patience))
	return &wire{s.t, ws}, resp.StatusCode
}

// connect is dial and the CONNECT of the namespace "/".
func (s *site) connect(path string, header ...string) *wire {
	s.t.Helper()
	w, status := s.dial(path, header...)
	if w == nil {
		s.t.Fatalf("%s: %d", path, status)
	}
	if _, open, err := w.ws.ReadMessage(); err != nil || open[0] != '0' {
		s.t.Fatalf("%q %v", open, err)
	}
	w.send("40")
	w.want(`40{"sid":"*"}`)
	return w
}

func (w *wire) send(packet string) {
	w.t.Helper()
	if err := w.ws.WriteMessage(websocket.TextMessage, []byte(packet)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *wire) want(packets ...string) {
	w.t.Helper()
	for _, want := range packets {
		_, got, err := w.ws.ReadMessage()
		if text := socketID.ReplaceAllString(string(got), `"sid":"*"`); err != nil || text != want {
			w.t.Fatalf("received %q, %v, want %q", text, err, want)
		}
	}
}
