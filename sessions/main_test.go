package sessions_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	gorilla "github.com/gorilla/sessions"

	"github.com/siokit/siokit/internal/leaktest"
	"github.com/siokit/siokit/sessions"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// patience is how long a store may take. It is long: machines are busy, and sessions wait for each other.
const patience = 20 * time.Second

var testKey = []byte("0123456789abcdef0123456789abcdef")

// stores are the two kinds: everything in the cookie, and only an id in it.
func stores(t *testing.T) map[string]gorilla.Store {
	return map[string]gorilla.Store{
		"cookie":     gorilla.NewCookieStore(testKey),
		"filesystem": gorilla.NewFilesystemStore(t.TempDir(), testKey),
	}
}

func eachStore(t *testing.T, test func(t *testing.T, store gorilla.Store)) {
	for name, store := range stores(t) {
		t.Run(name, func(t *testing.T) { test(t, store) })
	}
}

func manager(t *testing.T, store gorilla.Store, opts sessions.Options) *sessions.Manager {
	t.Helper()
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.StoreTimeout == 0 {
		opts.StoreTimeout = patience
	}
	m, err := sessions.New(store, "app", opts)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// spyStore counts, and fails when told to.
type spyStore struct {
	gorilla.Store
	loads, saves atomic.Int64
	loadErr      error
	saveErr      error
}

func (s *spyStore) New(r *http.Request, name string) (*gorilla.Session, error) {
	s.loads.Add(1)
	if s.loadErr != nil {
		return nil, s.loadErr
	}
	return s.Store.New(r, name)
}

func (s *spyStore) Save(r *http.Request, w http.ResponseWriter, gs *gorilla.Session) error {
	s.saves.Add(1)
	if s.saveErr != nil {
		return s.saveErr
	}
	return s.Store.Save(r, w, gs)
}

var errOutage = errors.New("connection refused")

// browser is a client with a cookie jar in front of a server.
type browser struct {
	t   *testing.T
	srv *httptest.Server
	c   *http.Client
}

func serve(t *testing.T, h http.Handler) *browser {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := *srv.Client()
	c.Jar = jar
	t.Cleanup(c.CloseIdleConnections)
	return &browser{t: t, srv: srv, c: &c}
}

func (b *browser) get(path string) (int, string, http.Header) {
	b.t.Helper()
	resp, err := b.c.Get(b.srv.URL + path)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, string(body), resp.Header
}

// cookie is the value the jar has for the session.
func (b *browser) cookie() string {
	u, err := url.Parse(b.srv.URL)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.c.Jar.Cookies(u) {
		if c.Name == "app" {
			return c.Value
		}
	}
	return ""
}

// with is a request that carries the session cookie value.
func with(value string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/socket.io/?EIO=4", nil)
	if value != "" {
		r.Header.Set("Cookie", "app="+value)
	}
	return r
}

// counter writes the number of visits.
func counter(w http.ResponseWriter, r *http.Request) {
	n, _ := sessions.Get[int](r.Context(), "n")
	if err := sessions.From(r.Context()).Set("n", n+1); err != nil {
		http.Error(w, err.Error(), http.StatusTeapot)
		return
	}
	fmt.Fprint(w, n+1)
}
