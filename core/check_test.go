package core_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/siokit/siokit/core"
)

// checked makes a server, and checks what wrap makes of it on "/socket.io/".
func checked(t *testing.T, cfg core.Config, wrap func(http.Handler) http.Handler, header http.Header) error {
	t.Helper()
	a := serve(t, cfg)
	return a.Check(t.Context(), wrap(a.Server), "", header)
}

// routed wraps a handler that answers only what serves lets through.
func routed(serves func(r *http.Request) bool, otherwise http.HandlerFunc) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if serves(r) {
				next.ServeHTTP(w, r)
				return
			}
			otherwise(w, r)
		})
	}
}

func answering(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

// each middleware gets the next writer through one that misbehaves.
func writing(wrap func(w http.ResponseWriter, r *http.Request) http.ResponseWriter) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(wrap(w, r), r) })
	}
}

// statusWriter is the status recorder of many tutorials: neither Hijack nor Unwrap.
type statusWriter struct{ http.ResponseWriter }

// eager compresses whatever is written, and says so at the end.
type eager struct {
	http.ResponseWriter
	z *gzip.Writer
}

func (w *eager) Unwrap() http.ResponseWriter { return w.ResponseWriter }
func (w *eager) WriteHeader(int)             {}
func (w *eager) Write(p []byte) (int, error) { return w.z.Write(p) }
func (w *eager) FlushError() error           { return nil }

func eagerGzip(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.Header.Get("Upgrade") != "" {
			next.ServeHTTP(w, r)
			return
		}
		var b strings.Builder
		e := &eager{w, gzip.NewWriter(&b)}
		next.ServeHTTP(e, r)
		_ = e.z.Close()
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Del("Content-Length")
		_, _ = io.WriteString(w, b.String())
	})
}

// doubler adds its CORS header to what the server has set.
type doubler struct{ http.ResponseWriter }

func (w doubler) Unwrap() http.ResponseWriter { return w.ResponseWriter }
func (w doubler) WriteHeader(status int) {
	w.Header().Add("Access-Control-Allow-Origin", "https://app.example")
	w.ResponseWriter.WriteHeader(status)
}

func (w doubler) Write(p []byte) (int, error) {
	if len(w.Header().Values("Access-Control-Allow-Origin")) == 1 {
		w.Header().Add("Access-Control-Allow-Origin", "https://app.example")
	}
	return w.ResponseWriter.Write(p)
}

func TestCheckNamesTheCulprit(t *testing.T) {
	is := func(methods ...string) func(*http.Request) bool {
		return func(r *http.Request) bool { return strings.Contains(strings.Join(methods, " "), r.Method) }
	}
	path := func(p string) func(*http.Request) bool { return func(r *http.Request) bool { return r.URL.Path == p } }
	never := func(*http.Request) bool { return false }
	origins := core.Config{Origins: []string{"https://app.example"}}
	for _, c := range []struct {
		name string
		cfg  core.Config
		wrap func(http.Handler) http.Handler
		want []string // one for each line, in order
	}{
		{"no route", core.Config{}, routed(never, http.NotFound), []string{"polling handshake: no route: GET /socket.io/ is answered with 404"}},
		{"websocket only, no route", core.Config{Transports: []string{"websocket"}}, routed(never, http.NotFound), []string{"WebSocket handshake: no route"}},
		{"no slash", core.Config{}, routed(path("/socket.io"), http.NotFound), []string{`only "/socket.io" is routed and clients ask for "/socket.io/"`}},
		{"redirect", core.Config{}, routed(path("/socket.io"), func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/socket.io?"+r.URL.RawQuery, http.StatusMovedPermanently)
		}), []string{"/socket.io/ redirects to /socket.io?EIO=4&transport=polling (301)"}},
		{"stripped prefix", core.Config{}, func(next http.Handler) http.Handler { return http.StripPrefix("/socket.io", next) },
			[]string{`arrives with the path "/", but the server answers on paths that end in "/socket.io/"`}},
		{"broken in front", core.Config{}, routed(never, answering(http.StatusBadGateway)), []string{"polling handshake: something in front answers 502"}},
		{"another page", core.Config{}, routed(never, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }),
			[]string{`the answer is no handshake of Socket.IO but "<html>"`}},
		{"GET only", core.Config{}, routed(is("GET"), answering(http.StatusMethodNotAllowed)), []string{"POST: GET /socket.io/ is routed and POST is not (405)"}},
		{"CSRF", core.Config{}, routed(is("GET"), answering(http.StatusForbidden)), []string{"POST: something in front answers 403, although it let the handshake pass: if it protects from CSRF"}},
		{"eaten body", core.Config{}, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				next.ServeHTTP(w, r)
			})
		}, []string{"POST: its body did not arrive as it was sent"}},
		{"preflight", origins, routed(is("GET", "POST"), answering(http.StatusUnauthorized)), []string{"preflight: OPTIONS is answered with 401 in front of the server"}},
		{"no writer to hijack", core.Config{}, writing(func(w http.ResponseWriter, _ *http.Request) http.ResponseWriter { return statusWriter{w} }),
			[]string{"upgrade, WebSocket handshake: Bad request: engineio: cannot take over the connection: feature not supported; the ResponseWriter chain is core_test.statusWriter: the last one"}},
		{"timeout", core.Config{}, func(next http.Handler) http.Handler { return http.TimeoutHandler(next, time.Minute, "") },
			[]string{"upgrade, WebSocket handshake: Bad request: engineio: cannot take over the connection: feature not supported; the ResponseWriter chain is *http.timeoutWriter: the last one has neither Hijack nor Unwrap. Mount the socket route before that middleware. The timeoutWriter is that of http.TimeoutHandler"}},
		{"compressed twice", core.Config{}, eagerGzip, []string{"poll: answers are compressed twice"}},
		{"CORS twice", origins, writing(func(w http.ResponseWriter, r *http.Request) http.ResponseWriter {
			if r.Header.Get("Upgrade") != "" {
				return w
			}
			return doubler{w}
		}), []string{`polling handshake, preflight, POST, poll: Access-Control-Allow-Origin is doubled, ["https://app.example" "https://app.example"]`}},
		{"CORS removed", origins, writing(func(w http.ResponseWriter, r *http.Request) http.ResponseWriter {
			if r.Header.Get("Upgrade") != "" || r.Method == http.MethodOptions {
				return w
			}
			return remover{w}
		}), []string{"polling handshake, POST, poll: something in front removes Access-Control-Allow-Origin"}},
		{"writes after the hijack", core.Config{}, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				next.ServeHTTP(w, r)
				if r.Header.Get("Upgrade") != "" {
					w.WriteHeader(http.StatusOK)
				}
			})
		}, []string{"afterwards: http: response.WriteHeader on hijacked connection from github.com/siokit/siokit/core_test"}},
		{"writes on the wire", core.Config{}, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if nc, rw, err := hijackFor(w, r); err == nil {
					_, _ = rw.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
					_ = rw.Flush()
					_ = nc.Close()
					return
				}
				next.ServeHTTP(w, r)
			})
		}, []string{"upgrade, WebSocket handshake: something in front answers 200, although it let the handshake pass"}},
		{"panic", core.Config{}, routed(is("GET"), func(http.ResponseWriter, *http.Request) { panic("ouch") }),
			[]string{"POST: the connection breaks: ", "panic serving"}},
		{"detached context", core.Config{}, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				next.ServeHTTP(w, r.WithContext(context.Background()))
			})
		}, []string{"replaces the request's context"}},
		{"two", core.Config{}, func(next http.Handler) http.Handler {
			return routed(is("GET"), http.NotFound)(writing(func(w http.ResponseWriter, _ *http.Request) http.ResponseWriter { return statusWriter{w} })(next))
		}, []string{"POST: GET /socket.io/ is routed and POST is not (404)", "core_test.statusWriter: the last one"}},
		{"foreign page", core.Config{Transports: []string{"polling"}}, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r.Host = "internal.example"
				next.ServeHTTP(w, r)
			})
		}, []string{"polling handshake: Forbidden: the page's origin"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			log, logger := newLog()
			c.cfg.Logger = logger
			a := serve(t, c.cfg)
			err := a.Check(t.Context(), c.wrap(a.Server), "", nil)
			if err == nil {
				t.Fatal("Check found nothing")
			}
			if errors.Is(err, core.ErrCheckBlocked) {
				t.Error("the error wraps ErrCheckBlocked")
			}
			lines := strings.Split(err.Error(), "\n")
			for i, want := range c.want {
				if i >= len(lines) || !strings.Contains(lines[i], want) {
					t.Fatalf("line %d lacks %q of:\n%v", i+1, want, err)
				}
			}
			if len(lines) != len(c.want) {
				t.Errorf("got %d lines, want %d:\n%v", len(lines), len(c.want), err)
			}
			if text := log.take(); c.name != "detached context" && text != "" {
				t.Errorf("logged: %s", text)
			}
			if n := a.Stats().Connections; n != 0 {
				t.Errorf("%d connections left", n)
			}
		})
	}
}

type remover struct{ http.ResponseWriter }

func (w remover) Unwrap() http.ResponseWriter { return w.ResponseWriter }
func (w remover) Write(p []byte) (int, error) {
	w.Header().Del("Access-Control-Allow-Origin")
	return w.ResponseWriter.Write(p)
}

// hijackFor takes over the connection of a WebSocket request.
func hijackFor(w http.ResponseWriter, r *http.Request) (io.Closer, *bufio.ReadWriter, error) {
	if r.Header.Get("Upgrade") == "" {
		return nil, nil, errors.ErrUnsupported
	}
	return http.NewResponseController(w).Hijack()
}

func TestCheckFindsNothing(t *testing.T) {
	pass := func(next http.Handler) http.Handler { return next }
	ada := newLogin()
	for name, cfg := range map[string]core.Config{
		"defaults":        {},
		"origins":         {Origins: []string{"https://*.app.example"}},
		"any origin":      {Origins: []string{"*"}},
		"polling":         {Transports: []string{"polling"}},
		"websocket":       {Transports: []string{"websocket"}},
		"no upgrades":     {DisableUpgrades: true},
		"no compression":  {CompressFrom: -1},
		"rarely":          {CompressFrom: 1 << 30},
		"another path":    {Path: "/live/"},
		"login":           {Sessions: ada, Authenticate: ada.authenticate},
		"frequent pings":  {PingInterval: 100 * time.Millisecond, PingTimeout: time.Minute},
		"one event queue": {OutboxPackets: 8},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := checked(t, cfg, pass, nil); err != nil {
				t.Error(err)
			}
		})
	}
}

// A check leaves the application alone: its connections are none of its sockets, and end.
func TestCheckJoinsNothing(t *testing.T) {
	a := serve(t, core.Config{})
	connects := make(chan string, 16)
	a.OnConnect(func(c *core.Context) error {
		connects <- c.ID()
		return nil
	})
	p := a.dial("websocket")
	p.join("/", "")
	receive(t, connects)
	for range 3 {
		if err := a.Check(t.Context(), a.Server, "/socket.io", nil); err != nil {
			t.Fatal(err)
		}
	}
	silent(t, connects)
	if s := a.Stats(); s.Connections != 1 || s.Upgrades != 3 || s.Refused != 0 {
		t.Errorf("%+v, want the one connection and three upgrades", s)
	}
	p.wantAlive()
}

func TestCheckBlocked(t *testing.T) {
	guarded := routed(func(r *http.Request) bool { return r.Header.Get("Cookie") == "login=ada" }, answering(http.StatusUnauthorized))
	toLogin := routed(func(r *http.Request) bool { return r.Header.Get("Cookie") == "login=ada" }, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/login", http.StatusSeeOther)
	})
	allow := core.Config{AllowRequest: func(r *http.Request) error {
		if r.Header.Get("Cookie") != "login=ada" {
			return errors.New("no cookie")
		}
		return nil
	}}
	pass := func(next http.Handler) http.Handler { return next }
	ada := http.Header{"Cookie": {"login=ada"}, "Connection": {"close"}, "Sec-Websocket-Key": {"x"}}
	for _, c := range []struct {
		name, want string
		cfg        core.Config
		wrap       func(http.Handler) http.Handler
	}{
		{"middleware", "answers 401", core.Config{}, guarded},
		{"login page", "303 to /login", core.Config{}, toLogin},
		{"AllowRequest", "403, AllowRequest: no cookie", allow, pass},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if err := checked(t, c.cfg, c.wrap, nil); !errors.Is(err, core.ErrCheckBlocked) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want ErrCheckBlocked with %q", err, c.want)
			}
			if err := checked(t, c.cfg, c.wrap, ada); err != nil {
				t.Errorf("with a login: %v", err)
			}
		})
	}
}

// What hangs in front ends with the context.
func TestCheckEndsWithItsContext(t *testing.T) {
	a := serve(t, core.Config{})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	hangs := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	if err := a.Check(ctx, hangs, "", nil); err == nil || !strings.Contains(err.Error(), "no answer in time") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
	if err := a.Check(t.Context(), a.Server, "socket.io", nil); err == nil || !strings.Contains(err.Error(), `core: Check needs the path`) {
		t.Errorf("got %v", err)
	}
}

// A virtual host and a query reach the application.
func TestCheckHostAndQuery(t *testing.T) {
	a := serve(t, core.Config{})
	mux := http.NewServeMux()
	core.Mount(mux, "app.example/socket.io/", a.Server)
	keyed := routed(func(r *http.Request) bool { return r.URL.Query().Get("key") == "7" }, http.NotFound)(mux)
	if err := a.Check(t.Context(), keyed, "/socket.io/?key=7", http.Header{"Host": {"app.example"}}); err != nil {
		t.Error(err)
	}
	if err := a.Check(t.Context(), keyed, "/socket.io/?key=7", nil); err == nil || !strings.Contains(err.Error(), "no route") {
		t.Errorf("without the host: %v", err)
	}
}
