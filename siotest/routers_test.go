package siotest_test

import (
	"context"
	"net/http"
	"net/url"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	gorilla "github.com/gorilla/sessions"
	"github.com/labstack/echo/v4"

	"github.com/siokit/siokit/auth"
	"github.com/siokit/siokit/chisio"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/echosio"
	"github.com/siokit/siokit/ginsio"
	"github.com/siokit/siokit/sessions"
	"github.com/siokit/siokit/siotest"
)

type user struct{ Name string }

// site is what the routers of this file have in common.
type site struct {
	users   *auth.Users[*user]
	sockets *core.Server
}

func newSite(t *testing.T) *site {
	sess, err := sessions.New(gorilla.NewCookieStore([]byte("0123456789abcdef0123456789abcdef")), "app", sessions.Options{})
	if err != nil {
		t.Fatal(err)
	}
	users := auth.New(sess, func(_ context.Context, id string) (*user, error) { return &user{id}, nil })
	s := &site{users, newServer(t, core.Config{Sessions: sess, Authenticate: users.Handshake})}
	s.sockets.Use(auth.Require)
	core.OnCall(s.sockets, "whoami", func(c *core.Context, _ core.None) (string, error) {
		return auth.MustUser[*user](c).Name, nil
	})
	return s
}

func (s *site) login(w http.ResponseWriter, r *http.Request) {
	if err := s.users.Login(r.Context(), r.FormValue("name")); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

func (s *site) logout(w http.ResponseWriter, r *http.Request) {
	if err := s.users.Logout(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// A test logs in and connects through the whole application, whatever its router.
func TestRouters(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	for name, build := range map[string]func(*site) http.Handler{
		"gin": func(s *site) http.Handler {
			r := gin.New()
			r.Use(ginsio.Middleware(s.users.Middleware))
			r.POST("/login", gin.WrapF(s.login))
			r.POST("/logout", gin.WrapF(s.logout))
			ginsio.Mount(r, "/socket.io/", s.sockets)
			return r
		},
		"echo": func(s *site) http.Handler {
			e := echo.New()
			e.Use(echo.WrapMiddleware(s.users.Middleware))
			e.POST("/login", echo.WrapHandler(http.HandlerFunc(s.login)))
			e.POST("/logout", echo.WrapHandler(http.HandlerFunc(s.logout)))
			echosio.Mount(e, "/socket.io/", s.sockets)
			return e
		},
		"chi": func(s *site) http.Handler {
			r := chi.NewRouter()
			r.Use(s.users.Middleware)
			r.Post("/login", s.login)
			r.Post("/logout", s.logout)
			chisio.Mount(r, "/socket.io/", s.sockets)
			return r
		},
		"net/http": func(s *site) http.Handler {
			mux := http.NewServeMux()
			mux.HandleFunc("POST /login", s.login)
			mux.HandleFunc("POST /logout", s.logout)
			core.Mount(mux, "/socket.io/", s.sockets)
			return s.users.Middleware(mux)
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachTransport(t, func(t *testing.T, transport siotest.Option) {
				s := newSite(t)
				ts := siotest.Serve(t, build(s), s.sockets)
				jars := map[string]http.CookieJar{"ann": siotest.Jar(), "bob": siotest.Jar()}
				clients := map[string]*siotest.Client{}
				for name, jar := range jars {
					ts.PostForm(jar, "/login", url.Values{"name": {name}})
					clients[name] = ts.Dial(siotest.Cookies(jar), transport)
				}
				for name, c := range clients {
					if got := siotest.Call[string](c, "whoami"); got != name {
						t.Errorf("%s is taken for %s", name, got)
					}
				}
				if refused := ts.Refused(transport); string(refused.Data) != `{"code":401}` {
					t.Error(refused)
				}
				ts.PostForm(jars["ann"], "/logout", nil)
				clients["ann"].Disconnected()
				ts.Refused(siotest.Cookies(jars["ann"]), transport)
				if got := siotest.Call[string](clients["bob"], "whoami"); got != "bob" {
					t.Error(got)
				}
			})
		})
	}
}
