package auth_test

import (
	"context"
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

	"github.com/siokit/siokit/auth"
	"github.com/siokit/siokit/internal/leaks"
	"github.com/siokit/siokit/sessions"
)

func TestMain(m *testing.M) { leaks.Main(m) }

var testKey = []byte("0123456789abcdef0123456789abcdef")

type user struct{ ID, Role string }

var errDatabase = errors.New("database is down")

// app is an application with a login, over one store.
type app struct {
	t     *testing.T
	sess  *sessions.Manager
	users *auth.Users[*user]
	loads atomic.Int64
	fail  atomic.Pointer[error] // what the loader returns
	role  atomic.Pointer[string]
}

func newApp(t *testing.T, store gorilla.Store, opts auth.Options) *app {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	sess, err := sessions.New(store, "app", sessions.Options{Logger: quiet, StoreTimeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if opts.Logger == nil {
		opts.Logger = quiet
	}
	a := &app{t: t, sess: sess}
	a.users = auth.New(sess, func(_ context.Context, id string) (*user, error) {
		a.loads.Add(1)
		if err := a.fail.Load(); err != nil {
			return nil, *err
		}
		u := &user{ID: id}
		if role := a.role.Load(); role != nil {
			u.Role = *role
		}
		return u, nil
	}, opts)
	return a
}

func (a *app) failWith(err error) {
	if err == nil {
		a.fail.Store(nil)
	} else {
		a.fail.Store(&err)
	}
}

// ServeHTTP has the routes /login?id=, /logout, /me, /touch and /plain.
func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.users.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var err error
		switch r.URL.Path {
		case "/login":
			err = a.users.Login(r.Context(), r.URL.Query().Get("id"))
		case "/logout":
			err = a.users.Logout(r.Context())
		case "/touch":
			err = sessions.From(r.Context()).Set("cart", "apples")
		case "/plain":
			return
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		u, ok := auth.User[*user](r.Context())
		cart, _ := sessions.Get[string](r.Context(), "cart")
		if !ok {
			fmt.Fprintf(w, "nobody %s", cart)
			return
		}
		fmt.Fprintf(w, "%s %s", u.ID, cart)
	})).ServeHTTP(w, r)
}

func eachStore(t *testing.T, test func(t *testing.T, store gorilla.Store)) {
	t.Run("cookie", func(t *testing.T) { test(t, gorilla.NewCookieStore(testKey)) })
	t.Run("filesystem", func(t *testing.T) { test(t, gorilla.NewFilesystemStore(t.TempDir(), testKey)) })
}

// visit makes one request with a cookie value, and returns the cookie to use next and the answer.
func (a *app) visit(cookie, path string) (next, body string) {
	a.t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	if cookie != "" {
		r.Header.Set("Cookie", "app="+cookie)
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		a.t.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	for _, c := range w.Result().Cookies() {
		if c.Name == "app" {
			cookie = c.Value
		}
	}
	return cookie, w.Body.String()
}

// connection does what core does for one Engine.IO connection.
type connection struct {
	ctx       context.Context
	principal string
	close     context.CancelFunc
}

func handshake(ctx context.Context, cookie, query string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/socket.io/?EIO=4&transport=polling"+query, nil).WithContext(ctx)
	if cookie != "" {
		r.Header.Set("Cookie", "app="+cookie)
	}
	return r
}

func (a *app) connect(cookie string) *connection {
	a.t.Helper()
	life, closeConn := context.WithCancel(context.Background())
	a.t.Cleanup(closeConn)
	r := handshake(life, cookie, "")
	bound, err := a.sess.BindSession(r)
	if err != nil {
		a.t.Fatal(err)
	}
	ctx, principal, err := a.users.Handshake(r.WithContext(bound))
	if err != nil {
		a.t.Fatal(err)
	}
	return &connection{ctx, principal, closeConn}
}

// poll asks who makes a later request.
func (a *app) poll(cookie string) string {
	a.t.Helper()
	_, principal, err := a.users.Handshake(handshake(context.Background(), cookie, "&sid=xyz"))
	if err != nil {
		a.t.Fatal(err)
	}
	return principal
}

// cutBy fails unless the connection is cut with this cause already.
func (c *connection) cutBy(t *testing.T, cause error) {
	t.Helper()
	if got := context.Cause(c.ctx); !errors.Is(got, cause) {
		t.Errorf("the connection was cut by %v, want %v", got, cause)
	}
	if u, ok := auth.User[*user](c.ctx); ok {
		t.Errorf("a cut connection is still %v's", u)
	}
}

func (c *connection) open(t *testing.T) {
	t.Helper()
	if c.ctx.Err() != nil {
		t.Errorf("the connection was cut by %v", context.Cause(c.ctx))
	}
}

// browser is a client with a cookie jar in front of a real server.
func browser(t *testing.T, h http.Handler) (get func(path string) (int, string), cookie func() string) {
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
	u, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	get = func(path string) (int, string) {
		t.Helper()
		resp, err := c.Get(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	return get, func() string {
		for _, c := range jar.Cookies(u) {
			if c.Name == "app" {
				return c.Value
			}
		}
		return ""
	}
}
