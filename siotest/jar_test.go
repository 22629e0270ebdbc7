package siotest_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/siotest"
)

// strict is an application whose cookies are made for production.
func strict(t *testing.T) (http.Handler, *core.Server) {
	srv := newServer(t, core.Config{})
	srv.OnConnect(func(c *core.Context) error {
		name, err := c.Handshake().Cookie("__Host-name")
		if err != nil {
			return &core.ConnectError{Message: "please log in"}
		}
		core.SetData(c, name.Value)
		return nil
	})
	core.OnCall(srv, "whoami", func(c *core.Context, _ core.None) (string, error) {
		name, _ := core.Data[string](c)
		return name, nil
	})
	mux := http.NewServeMux()
	core.Mount(mux, "/socket.io/", srv)
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		name := r.FormValue("name")
		if r.Header.Get("Content-Type") == "application/json" {
			name = "json"
		}
		http.SetCookie(w, &http.Cookie{Name: "__Host-name", Value: name, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode})
		http.SetCookie(w, &http.Cookie{Name: "elsewhere", Value: "1", Path: "/", Domain: "chat.example"})
	})
	return mux, srv
}

// Who has logged in connects, whatever the login was done with.
func TestCookiesFromEverywhere(t *testing.T) {
	form := url.Values{"name": {"ann"}}
	for name, row := range map[string]struct {
		want  string
		login func(t *testing.T, ts *siotest.Server, app http.Handler) http.CookieJar
	}{
		"PostForm": {"ann", func(t *testing.T, ts *siotest.Server, _ http.Handler) http.CookieJar {
			jar := siotest.Jar()
			ts.PostForm(jar, "/login", form)
			return jar
		}},
		"PostJSON": {"json", func(t *testing.T, ts *siotest.Server, _ http.Handler) http.CookieJar {
			jar := siotest.Jar()
			ts.PostJSON(jar, "/login", map[string]string{"name": "ann"})
			return jar
		}},
		"a jar of the test's own": {"ann", func(t *testing.T, ts *siotest.Server, _ http.Handler) http.CookieJar {
			jar, err := cookiejar.New(nil)
			if err != nil {
				t.Fatal(err)
			}
			ts.PostForm(jar, "/login", form)
			return jar
		}},
		"a ResponseRecorder": {"ann", func(t *testing.T, _ *siotest.Server, app http.Handler) http.CookieJar {
			w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/login", strings.NewReader(form.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			app.ServeHTTP(w, r)
			return siotest.Jar(w.Result().Cookies()...)
		}},
		"a client and a server of net/http": {"ann", func(t *testing.T, _ *siotest.Server, app http.Handler) http.CookieJar {
			web := httptest.NewTLSServer(app)
			defer web.Close()
			jar, err := cookiejar.New(nil)
			if err != nil {
				t.Fatal(err)
			}
			c := *web.Client()
			c.Jar = jar
			resp, err := c.PostForm(web.URL+"/login", form)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			at, _ := url.Parse(web.URL)
			return siotest.Jar(jar.Cookies(at)...)
		}},
		"another HTTP client": {"ann", func(t *testing.T, ts *siotest.Server, _ http.Handler) http.CookieJar {
			c := http.Client{Jar: siotest.Jar(), Transport: ts.HTTP(nil).Transport}
			resp, err := c.PostForm(siotest.URL+"/login", form)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			return c.Jar
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app, srv := strict(t)
			ts := siotest.Serve(t, app, srv)
			jar := row.login(t, ts, app)
			for _, transport := range []string{"polling", "websocket"} {
				c := ts.Dial(siotest.Cookies(jar), siotest.Transports(transport))
				if got := siotest.Call[string](c, "whoami"); got != row.want {
					t.Errorf("%s: taken for %q", transport, got)
				}
			}
			ts.Refused(siotest.Cookies(siotest.Jar()))
		})
	}
}
