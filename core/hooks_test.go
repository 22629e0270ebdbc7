package core_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/siokit/siokit/core"
)

type sessionKey struct{}
type userKey struct{}

var errLoggedOut = errors.New("logged out")

// login is a fake of what packages sessions and auth do.
type login struct {
	saved   chan string // the events after which the session was saved
	cancel  chan context.CancelCauseFunc
	bindErr error
	saveErr error
	panics  string // the hook that panics
}

func newLogin() *login {
	return &login{saved: make(chan string, 100), cancel: make(chan context.CancelCauseFunc, 100)}
}

func (l *login) BindSession(r *http.Request) (context.Context, error) {
	if l.panics == "BindSession" {
		panic("secret")
	}
	return context.WithValue(r.Context(), sessionKey{}, "session of "+r.Header.Get("User")), l.bindErr
}

func (l *login) SaveSession(ctx context.Context) error {
	if l.panics == "SaveSession" {
		panic("secret")
	}
	c, _ := core.From(ctx)
	l.saved <- c.Event()
	return l.saveErr
}

func (l *login) authenticate(r *http.Request) (context.Context, string, error) {
	user := r.Header.Get("User")
	if user == "broken" {
		return nil, "", errors.New("the store is down")
	}
	if user == "panic" || l.panics == "Authenticate" {
		panic("secret")
	}
	if r.URL.Query().Has("sid") {
		return r.Context(), user, nil
	}
	if r.Context().Value(sessionKey{}) == nil {
		return nil, "", errors.New("Authenticate ran before Sessions")
	}
	ctx, cancel := context.WithCancelCause(context.WithValue(r.Context(), userKey{}, user))
	l.cancel <- cancel
	return ctx, user, nil
}

func (l *login) config() core.Config {
	return core.Config{Sessions: l, Authenticate: l.authenticate}
}

func as(user string) func(http.Header, *string) {
	return func(h http.Header, _ *string) { h.Set("User", user) }
}

func TestIdentityInHandlers(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		l := newLogin()
		a := serve(t, l.config())
		values := func(ctx context.Context) error {
			if ctx.Value(sessionKey{}) != "session of ann" || ctx.Value(userKey{}) != "ann" {
				return errors.New("the values of the handshake are missing")
			}
			return nil
		}
		a.Use(values)
		a.OnConnect(func(c *core.Context) error { return values(c) })
		core.On(a.Group(values), "e", func(c *core.Context, _ core.None) error { return values(c) })
		core.On(a, "failing", func(*core.Context, core.None) error { return errors.New("no") })
		core.On(a, "panicking", func(*core.Context, core.None) error { panic("no") })
		a.OnDisconnect(func(c *core.Context, _ core.Reason) {
			if err := values(c); err != nil {
				t.Error(err)
			}
		})
		p := a.dial(transport, as("ann"))
		p.join("/", "")
		if got := receive(t, l.saved); got != "connect" {
			t.Errorf("saved after %q", got)
		}
		for _, event := range []string{"e", "failing"} {
			p.send(`20["` + event + `"]`)
			m, _ := p.next()
			if !strings.HasPrefix(m.text, "30[") || strings.Contains(m.text, "error") != (event == "failing") {
				t.Errorf("%s: %s", event, m.text)
			}
			select { // before its ack
			case got := <-l.saved:
				if got != event {
					t.Errorf("saved after %q, want %q", got, event)
				}
			default:
				t.Errorf("the ack of %q left before the session was saved", event)
			}
		}
		p.send(`20["panicking"]`)
		if got := receive(t, l.saved); got != "panicking" {
			t.Errorf("saved after %q", got)
		}
		p.wantAlive()
		p.kill()
		for _, want := range []string{"alive", "disconnect"} {
			if got := receive(t, l.saved); got != want {
				t.Errorf("saved after %q, want %q", got, want)
			}
		}
	})
}

// whoever has the session id but not the login gets 403, and the session does not feel it.
func TestForeignPrincipal(t *testing.T) {
	l := newLogin()
	a := serve(t, l.config())
	core.On(a, "e", func(c *core.Context, _ core.None) error { t.Error("a stranger's event was handled"); return nil })
	p := a.dial("polling", as("ann"))
	p.join("/", "")
	before := a.Stats().Refused
	for i, user := range []string{"bob", "", "broken", "panic"} {
		stranger := &peer{t: t, transport: "polling", http: p.http, header: http.Header{"User": {user}}}
		upgrade := strings.Replace(p.url, "transport=polling", "transport=websocket", 1)
		for _, request := range []struct{ method, url, body string }{
			{"GET", p.url, ""}, {"POST", p.url, "41"}, {"POST", p.url, `42["e"]`}, {"POST", p.url, "1"}, {"GET", upgrade, ""},
		} {
			if request.url == upgrade {
				stranger.header.Set("Connection", "Upgrade")
				stranger.header.Set("Upgrade", "websocket")
				stranger.header.Set("Sec-WebSocket-Version", "13")
				stranger.header.Set("Sec-WebSocket-Key", "MDEyMzQ1Njc4OWFiY2RlZg==")
			}
			status, body, err := stranger.do(t.Context(), request.method, request.url, request.body)
			if status < 400 || (i < 2 && (status != 403 || body != `{"code":4,"message":"Forbidden"}`)) {
				t.Errorf("%q %s: %d %s %v", user, request.method, status, body, err)
			}
		}
		p.wantAlive()
	}
	if got := a.Stats().Refused - before; got != 20 {
		t.Errorf("%d refusals were counted, want 20", got)
	}
}

func TestRevokedLogin(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		l := newLogin()
		a := serve(t, l.config())
		a.Of("/x")
		ends, entered := make(chan error, 2), make(chan *core.Context, 1)
		refused := make(chan error, 1)
		core.On(a, "slow", func(c *core.Context, _ core.None) error {
			entered <- c
			<-c.Done()
			refused <- c.Emit("after the end")
			return nil
		})
		core.On(a, "queued", func(*core.Context, core.None) error { t.Error("an event of a revoked login was handled"); return nil })
		ended := func(c *core.Context, r core.Reason) {
			if r != core.ServerNamespaceDisconnect {
				t.Errorf("reason %q", r)
			}
			ends <- context.Cause(c)
		}
		a.OnDisconnect(ended)
		a.Of("/x").OnDisconnect(ended)
		p := a.dial(transport, as("ann"))
		revoke := receive(t, l.cancel)
		s, _ := a.Socket(p.join("/", ""))
		p.join("/x", "")
		p.send(`20["slow"]`, `21["queued"]`)
		receive(t, entered)
		eventually(t, "the second event waits", func() bool { return s.QueuedEvents() == 1 })
		revoke(errLoggedOut)
		if err := s.Emit("at once"); err != core.ErrDisconnected {
			t.Errorf("Emit after the logout: %v", err)
		}
		_ = a.To(s.ID()).Emit("at once")
		got := strings.Join(p.wantClosed(), " ")
		if got != "1 1/x," && got != "1/x, 1" {
			t.Errorf("the client was sent %q", got)
		}
		if err := receive(t, refused); err != core.ErrDisconnected {
			t.Errorf("Emit in a running handler: %v", err)
		}
		for range 2 {
			cause := receive(t, ends)
			var gone *core.DisconnectError
			if !errors.Is(cause, errLoggedOut) || !errors.As(cause, &gone) {
				t.Errorf("cause %v", cause)
			}
		}
	})
}

// A login that ends while the handshake or the middleware runs is never accepted.
func TestRevokedBeforeConnected(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		l := newLogin()
		a := serve(t, l.config())
		a.Use(func(context.Context) error { (<-l.cancel)(errLoggedOut); return nil })
		a.OnConnect(func(c *core.Context) error {
			<-c.Done() // it may have begun, but is not accepted
			return nil
		})
		p := a.dial(transport, as("ann"))
		p.send("0")
		for _, got := range p.wantClosed() {
			if strings.HasPrefix(got, "0") {
				t.Errorf("accepted: %s", got)
			}
		}
		eventually(t, "nothing is left", func() bool { return a.Clients() == 0 && len(a.Sockets()) == 0 })
	})
}

func TestHooksThatFail(t *testing.T) {
	abort := func(*http.Request) error { panic(http.ErrAbortHandler) }
	for _, row := range []struct {
		name   string
		change func(l *login, cfg *core.Config)
		user   string
		want   int
	}{
		{"session store", func(l *login, _ *core.Config) { l.bindErr = errors.New("secret") }, "ann", 503},
		{"authenticate", func(*login, *core.Config) {}, "broken", 503},
		{"allow", func(_ *login, cfg *core.Config) {
			cfg.AllowRequest = func(*http.Request) error { return errors.New("secret") }
		}, "ann", 403},
		{"panic in Sessions", func(l *login, _ *core.Config) { l.panics = "BindSession" }, "ann", 500},
		{"panic in Authenticate", func(l *login, _ *core.Config) { l.panics = "Authenticate" }, "ann", 500},
		{"panic in AllowRequest", func(_ *login, cfg *core.Config) {
			cfg.AllowRequest = func(*http.Request) error { panic("secret") }
		}, "ann", 500},
		{"abort", func(_ *login, cfg *core.Config) { cfg.AllowRequest = abort }, "ann", 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := newLogin()
			cfg := l.config()
			row.change(l, &cfg)
			a := serve(t, cfg)
			for _, transport := range []string{"polling", "websocket"} {
				_, status, err := a.tryDial(transport, as(row.user))
				if status != row.want || err == nil || strings.Contains(err.Error(), "secret") {
					t.Errorf("%s: %d %v", transport, status, err)
				}
			}
			if n := a.Clients() + a.Stats().Connections; n != 0 {
				t.Errorf("%d connections are left", n)
			}
			if want := int64(0); strings.HasPrefix(row.name, "panic") {
				if want = 2; a.Panics() != want {
					t.Errorf("%d panics were counted", a.Panics())
				}
			}
		})
	}
}

func TestSaveSessionFails(t *testing.T) {
	for _, how := range []string{"error", "panic"} {
		t.Run(how, func(t *testing.T) {
			l := newLogin()
			a := serve(t, l.config())
			errs := make(chan error, 10)
			a.OnError(func(_ *core.Context, err error) { errs <- err })
			core.OnCall(a, "e", func(*core.Context, core.None) (string, error) { return "answer", nil })
			core.On(a, "failing", func(*core.Context, core.None) error { return &core.Error{Message: "mine"} })
			p := a.dial("websocket", as("ann"))
			s, _ := a.Socket(p.join("/", ""))
			p.wantAlive()
			s.Emit("sync")
			p.want(`2["sync"]`)
			if l.saveErr = errors.New("secret"); how == "panic" {
				l.panics = "SaveSession"
			}
			p.send(`20["e"]`)
			if how == "error" {
				p.want(`30[{"error":{"message":"internal error"}}]`)
			}
			receive(t, errs)
			p.send(`20["failing"]`)
			p.want(`30[{"error":{"message":"mine"}}]`)
			if got := []error{receive(t, errs), receive(t, errs)}; got[0].Error() != "core: mine" {
				t.Errorf("the hook got %v", got)
			}
			p.send("1", "0")
			p.want(connected)
			receive(t, errs) // of OnDisconnect
			receive(t, errs) // of OnConnect, which had accepted
		})
	}
}

// F-13: a panic ends one event and nothing else, wherever it happens.
type explosive struct{}

func (explosive) MarshalJSON() ([]byte, error) { panic("secret") }
func (*explosive) UnmarshalJSON([]byte) error  { panic("secret") }

type explosiveError struct{}

func (explosiveError) Error() string              { return "explosive" }
func (explosiveError) ClientError() (string, any) { panic("secret") }

func TestPanics(t *testing.T) {
	var nothing *point
	var table map[string]int
	values := map[string]func(){
		"string":  func() { panic("secret") },
		"error":   func() { panic(errors.New("secret")) },
		"nil":     func() { panic(nil) },
		"runtime": func() { table["x"] = nothing.X },
	}
	for name, boom := range values {
		t.Run(name, func(t *testing.T) {
			a := serve(t, core.Config{})
			var hooked atomic.Int64
			a.OnError(func(_ *core.Context, err error) {
				var p *core.PanicError
				if !errors.As(err, &p) || len(p.Stack) == 0 {
					t.Errorf("the hook got %v", err)
				}
				hooked.Add(1)
				boom()
			})
			core.On(a, "event", func(*core.Context, core.None) error { boom(); return nil })
			core.On(a.Group(func(context.Context) error { boom(); return nil }), "guard", func(*core.Context, core.None) error { return nil })
			core.On(a, "decode", func(*core.Context, explosive) error { return nil })
			core.OnCall(a, "encode", func(*core.Context, core.None) (any, error) { return []any{explosive{}}, nil })
			core.On(a, "encode error", func(*core.Context, core.None) error { return &core.Error{Message: "m", Data: explosive{}} })
			core.On(a, "emit", func(c *core.Context, _ core.None) error { return a.Emit("x", explosive{}) })
			core.On(a, "answer", func(c *core.Context, _ core.None) error {
				_, err := core.Call[explosive](c, "q")
				return err
			})
			a.OnDisconnect(func(*core.Context, core.Reason) { boom() })
			a.Of("/use").Use(func(context.Context) error { boom(); return nil })
			a.Of("/connect").OnConnect(func(*core.Context) error { boom(); return nil })
			a.Of("/data").Use(func(context.Context) error { return &core.ConnectError{Message: "m", Data: explosive{}} })
			a.Of("/error").Use(func(context.Context) error { return explosiveError{} })
			p := a.dial("websocket")
			p.join("/", "")
			panics := int64(0)
			for _, event := range []string{"event", "guard", "encode", "emit"} {
				p.send(`20["` + event + `"]`)
				p.wantAlive() // and no ack
				panics++
			}
			p.send(`20["decode",1]`)
			p.wantAlive()
			p.send(`20["answer"]`)
			p.want(`20["q"]`)
			p.send(`30[1]`)
			p.wantAlive()
			panics += 2
			for ns, want := range map[string]string{"/use": "internal error", "/connect": "internal error", "/data": "m", "/error": "internal error"} {
				p.send("0" + ns + ",")
				p.want("4" + ns + `,{"message":"` + want + `"}`)
				p.wantAlive()
				panics++
			}
			p.send("1", "0")
			p.want(connected)
			p.wantAlive()
			panics++
			// Those of "/" reach its error hook, the one of OnDisconnect after the new CONNECT.
			eventually(t, "every panic is counted", func() bool { return a.Panics() == panics && hooked.Load() == 7 })
		})
	}
}

var _ json.Marshaler = explosive{}
