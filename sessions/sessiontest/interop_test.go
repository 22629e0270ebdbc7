package sessiontest_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	ginsessions "github.com/gin-contrib/sessions"
	gincookie "github.com/gin-contrib/sessions/cookie"
	"github.com/gin-gonic/gin"
	gorilla "github.com/gorilla/sessions"
	echosession "github.com/labstack/echo-contrib/session"
	"github.com/labstack/echo/v4"

	"github.com/siokit/siokit/sessions"
)

// An existing application keeps its own session code: /set and /get use that, and know nothing of siokit.

func ginApp(store gorilla.Store) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.Use(ginsessions.Sessions("app", store.(ginsessions.Store)))
	r.GET("/set", func(c *gin.Context) {
		s := ginsessions.Default(c)
		s.Set(c.Query("key"), c.Query("value"))
		if err := s.Save(); err != nil {
			c.String(http.StatusInternalServerError, err.Error())
		}
	})
	r.GET("/get", func(c *gin.Context) {
		value, _ := ginsessions.Default(c).Get(c.Query("key")).(string)
		c.String(http.StatusOK, value)
	})
	return r
}

func gorillaApp(store gorilla.Store) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/set", func(w http.ResponseWriter, r *http.Request) {
		s, err := store.Get(r, "app")
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		s.Values[r.FormValue("key")] = r.FormValue("value")
		if err := s.Save(r, w); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("/get", func(w http.ResponseWriter, r *http.Request) {
		s, err := store.Get(r, "app")
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		value, _ := s.Values[r.FormValue("key")].(string)
		_, _ = io.WriteString(w, value)
	})
	return mux
}

func echoApp(store gorilla.Store) http.Handler {
	e := echo.New()
	e.Use(echosession.Middleware(store))
	e.GET("/set", func(c echo.Context) error {
		s, err := echosession.Get("app", c)
		if err != nil {
			return err
		}
		s.Values[c.QueryParam("key")] = c.QueryParam("value")
		return s.Save(c.Request(), c.Response())
	})
	e.GET("/get", func(c echo.Context) error {
		s, err := echosession.Get("app", c)
		if err != nil {
			return err
		}
		value, _ := s.Values[c.QueryParam("key")].(string)
		return c.String(http.StatusOK, value)
	})
	return e
}

type page struct {
	t   *testing.T
	url string
	c   *http.Client
}

// visit serves app over TLS, because CookieStore's own cookies are Secure, to a browser with an empty jar.
func visit(t *testing.T, app http.Handler) *page {
	t.Helper()
	srv := httptest.NewTLSServer(app)
	t.Cleanup(srv.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := srv.Client()
	c.Jar = jar
	return &page{t, srv.URL, c}
}

func (p *page) get(path string) string {
	p.t.Helper()
	resp, err := p.c.Get(p.url + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		p.t.Fatalf("%s: %d %s %v", path, resp.StatusCode, body, err)
	}
	return string(body)
}

func (p *page) connect(m *sessions.Manager) context.Context {
	p.t.Helper()
	u, err := url.Parse(p.url)
	if err != nil {
		p.t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, p.url+"/socket.io/?EIO=4&transport=websocket", nil)
	for _, c := range p.c.Jar.Cookies(u) {
		r.AddCookie(c)
	}
	ctx, err := m.BindSession(r)
	if err != nil {
		p.t.Fatal(err)
	}
	return ctx
}

func manager(t *testing.T, store gorilla.Store, mode sessions.Mode) *sessions.Manager {
	t.Helper()
	m, err := sessions.New(store, "app", sessions.Options{Mode: mode, Logger: slog.New(slog.DiscardHandler), StoreTimeout: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestExistingSessionCode(t *testing.T) {
	apps := map[string]func(gorilla.Store) http.Handler{
		"gin-contrib": ginApp, "gorilla": gorillaApp, "echo-contrib": echoApp,
	}
	for name, app := range apps {
		t.Run("Shared/"+name, func(t *testing.T) {
			store := ginRedisStore(t) // satisfies gin-contrib and gorilla
			m := manager(t, store, sessions.Shared)
			p := visit(t, app(store))
			p.get("/set?key=user&value=ada")
			connection := p.connect(m)

			event := &eventContext{Context: connection}
			if got := sessions.From(event).Get("user"); got != "ada" {
				t.Errorf("the socket sees user = %v", got)
			}
			if err := sessions.From(event).Set("room", "lobby"); err != nil {
				t.Fatal(err)
			}
			if err := m.SaveSession(event); err != nil {
				t.Fatal(err)
			}
			if got := p.get("/get?key=room"); got != "lobby" {
				t.Errorf("the application sees room = %q", got)
			}
			p.get("/set?key=room&value=kitchen")
			event = &eventContext{Context: connection}
			if got := sessions.From(event).Get("room"); got != "kitchen" {
				t.Errorf("the next event sees room = %v", got)
			}
			if got := p.get("/get?key=user"); got != "ada" {
				t.Errorf("the application lost user: %q", got)
			}
		})
		t.Run("Fork/"+name, func(t *testing.T) {
			store := gincookie.NewStore(testKey)
			m := manager(t, store, sessions.Fork)
			p := visit(t, app(store))
			p.get("/set?key=user&value=ada")
			connection := p.connect(m)
			if got := sessions.From(connection).Get("user"); got != "ada" {
				t.Errorf("the socket sees user = %v", got)
			}
			if err := sessions.From(connection).Set("user", "grace"); err != nil {
				t.Fatal(err)
			}
			if got := p.get("/get?key=user"); got != "ada" {
				t.Errorf("the application sees the socket's copy: %q", got)
			}
		})
	}
}
