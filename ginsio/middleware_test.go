package ginsio_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	gorilla "github.com/gorilla/sessions"
	"github.com/siokit/siokit/auth"
	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/ginsio"
	"github.com/siokit/siokit/sessions"
	"github.com/siokit/siokit/siotest"
)

type user struct{ ID string }

// shop is an application with a login over a cookie session.
func shop(t *testing.T) (*gin.Engine, *core.Server, *auth.Users[*user], *sessions.Manager) {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	sess, err := sessions.New(gorilla.NewCookieStore([]byte("0123456789abcdef0123456789abcdef")), "app", sessions.Options{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	users := auth.New(sess, func(_ context.Context, id string) (*user, error) { return &user{id}, nil }, auth.Options{Logger: quiet})
	srv := newServer(t, core.Config{Sessions: sess, Authenticate: users.Handshake})
	router := gin.New()
	router.Use(gin.Recovery(), ginsio.Middleware(users.Middleware))
	router.POST("/login/:id", func(c *gin.Context) {
		c.Status(http.StatusCreated) // noted, not sent: the cookie still gets out
		if err := users.Login(c, c.Param("id")); err != nil {
			c.String(500, err.Error())
		}
	})
	router.POST("/logout", func(c *gin.Context) {
		if err := users.Logout(c); err != nil {
			c.String(500, err.Error())
		}
	})
	router.GET("/me", func(c *gin.Context) {
		u, ok := auth.User[*user](c) // with the *gin.Context itself
		viaRequest, _ := auth.User[*user](c.Request.Context())
		if !ok {
			c.String(200, "nobody")
			return
		}
		theme, _ := sessions.Get[string](c, "theme")
		c.String(200, "%s %s %s", u.ID, viaRequest.ID, theme)
	})
	router.POST("/theme/:name", func(c *gin.Context) {
		if err := sessions.From(c).Set("theme", c.Param("name")); err != nil {
			c.AbortWithStatus(500)
		}
	})
	ginsio.Mount(router, "/socket.io/", srv)
	return router, srv, users, sess
}

// From login to logout: the socket has the user and the session of the page, and is cut when the
// user logs out.
func TestLoginConnectLogout(t *testing.T) {
	router, srv, _, _ := shop(t)
	srv.Use(auth.Require)
	causes := make(chan error, 4)
	srv.OnDisconnect(func(c *core.Context, _ core.Reason) { causes <- context.Cause(c) })
	core.OnCall(srv, "whoami", func(c *core.Context, _ core.None) (string, error) {
		theme, _ := sessions.Get[string](c, "theme")
		return auth.MustUser[*user](c).ID + " " + theme, nil
	})
	s := start(t, router, srv)
	s.Refused(siotest.Cookies(s.http.Jar))
	status, body, h := s.do("POST", "/login/ann", "")
	if status != 201 || len(h.Values("Set-Cookie")) != 1 {
		t.Fatalf("login: %d %s %v", status, body, h)
	}
	if status, _, _ := s.do("POST", "/theme/dark", ""); status != 200 {
		t.Fatal(status)
	}
	if _, body, _ := s.do("GET", "/me", ""); body != "ann ann dark" {
		t.Fatalf("me: %s", body)
	}
	first, second := s.connect(), s.connect()
	if got := siotest.Call[string](first, "whoami"); got != "ann dark" {
		t.Errorf("she is %s", got)
	}
	if status, body, _ := s.do("POST", "/logout", ""); status != 200 {
		t.Fatalf("logout: %d %s", status, body)
	}
	for _, tab := range []*siotest.Client{first, second} {
		if told := string(siotest.Next[json.RawMessage](tab, "session ended")); told != `{"message":"you were logged out","data":{"reason":"logged out","code":401}}` {
			t.Errorf("the end is %s", told)
		}
		if reason := tab.Disconnected(); reason != client.ServerDisconnect {
			t.Errorf("disconnected by %s", reason)
		}
	}
	for range 2 {
		select {
		case err := <-causes:
			if !errors.Is(err, auth.ErrLoggedOut) {
				t.Errorf("cut by %v", err)
			}
		case <-time.After(patience):
			t.Fatal("not cut")
		}
	}
	if _, body, _ := s.do("GET", "/me", ""); body != "nobody" {
		t.Errorf("after the logout: %s", body)
	}
	if n := len(srv.Sockets()); n != 0 {
		t.Errorf("%d sockets are left", n)
	}
}

// A-21 through gin: another login on the session's requests is refused.
func TestForeignLogin(t *testing.T) {
	router, srv, _, _ := shop(t)
	s := start(t, router, srv)
	s.do("POST", "/login/ann", "")
	session := s.open("/socket.io/" + polling)
	s.post(session, "40")
	ann := s.http.Jar
	s.http.Jar = nil
	if status, _, _ := s.do("POST", session, "41"); status != 403 {
		t.Errorf("anonymous: %d", status)
	}
	s.http.Jar = ann
	s.poll(session, `40{"sid":"*"}`)
	s.do("POST", "/theme/light", "") // another cookie value of the same login
	s.post(session, `41`)
}

func TestMiddlewareThatDoesNotCallNext(t *testing.T) {
	_, _, users, _ := shop(t)
	router := gin.New()
	router.GET("/", ginsio.Middleware(users.RequireHTTP), func(c *gin.Context) { t.Error("the handler ran"); c.String(200, "in") })
	srv := newServer(t, core.Config{})
	s := start(t, router, srv)
	if status, body, _ := s.do("GET", "/", ""); status != 401 || body == "in" {
		t.Errorf("%d %s", status, body)
	}
}

// A net/http middleware sees the response that gin makes, whatever way gin makes it.
func TestMiddlewareSeesTheResponse(t *testing.T) {
	var status, after int
	observe := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			status = 0
			next.ServeHTTP(statusWriter{w, &status}, r)
			after++
		})
	}
	router := gin.New()
	router.Use(gin.RecoveryWithWriter(io.Discard), ginsio.Middleware(observe), ginsio.Middleware(gzipped))
	for path, h := range map[string]gin.HandlerFunc{
		"/json":   func(c *gin.Context) { c.JSON(201, gin.H{"a": 1}) },
		"/string": func(c *gin.Context) { c.Status(404); _, _ = c.Writer.WriteString("missing") },
		"/write": func(c *gin.Context) {
			c.Status(202)
			_, _ = c.Writer.Write([]byte("ac"))
			_, _ = c.Writer.Write([]byte("cepted"))
		},
		"/now":     func(c *gin.Context) { c.Status(204); c.Writer.WriteHeaderNow() },
		"/flush":   func(c *gin.Context) { _, _ = io.WriteString(c.Writer, "part"); c.Writer.Flush() },
		"/abort":   func(c *gin.Context) { c.AbortWithStatus(418) },
		"/ok":      func(c *gin.Context) { c.String(200, "fine") },
		"/recover": func(c *gin.Context) { panic("boom") },
	} {
		router.GET(path, h)
	}
	s := start(t, router, newServer(t, core.Config{}))
	for _, row := range []struct {
		path string
		want int
		body string
	}{
		{"/json", 201, `{"a":1}`}, {"/string", 404, "missing"}, {"/write", 202, "accepted"}, {"/now", 204, ""},
		{"/flush", 200, "part"}, {"/abort", 418, ""}, {"/ok", 200, "fine"}, {"/recover", 500, ""},
	} {
		got, body, _ := s.do("GET", row.path, "")
		if row.path == "/recover" {
			if got != 500 {
				t.Errorf("a panic: %d", got)
			}
			continue
		}
		if got != row.want || body != row.body || status != row.want {
			t.Errorf("%s: %d %q, the middleware saw %d; want %d %q", row.path, got, body, status, row.want, row.body)
		}
	}
	if after != 7 {
		t.Errorf("the middleware went on %d times after next", after)
	}
}
