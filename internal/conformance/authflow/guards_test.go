package authflow_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gorilla "github.com/gorilla/sessions"

	"github.com/siokit/siokit/auth"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/internal/conformance/exampletest"
)

func cookieStore() gorilla.Store {
	return gorilla.NewCookieStore([]byte("0123456789abcdef0123456789abcdef"))
}

// each namespace decides for itself, by its own CONNECT's payload, and by the exact name.
func TestNamespacesDecideForThemselves(t *testing.T) {
	s := newSite(t, cookieStore(), func(s *site) {
		admin := s.srv.Of("/admin")
		admin.Use(s.tokens.Connect)
		core.OnCall(admin, "whoami", whoami)
		core.OnCall(admin, "payload", func(c *core.Context, _ core.None) (string, error) {
			var p map[string]string
			err := c.Auth(&p)
			return fmt.Sprint(p), err
		})
		open := s.srv.Of("/open")
		open.Use(s.tokens.ConnectOptional)
		core.OnCall(open, "whoami", whoami)
		core.OnCall(open, "payload", func(c *core.Context, _ core.None) (string, error) {
			var p map[string]string
			err := c.Auth(&p)
			return fmt.Sprint(p), err
		})
	})
	p := s.open("websocket", s.login("ann"))
	p.send(`40/admin,`) // before "/", and the cookie's login is no token
	p.want(`4/admin,` + pleaseLogIn)
	p.join("/", `{"token":"token of root"}`) // nobody looks at it here
	for _, connect := range []string{
		`40/admin,`, `40/admin,{"token":"root"}`, `40/admin,{"TOKEN":"token of root"}`, `40/admin,{"token":["token of root"]}`,
	} {
		p.send(connect)
		p.want(`4/admin,` + pleaseLogIn)
	}
	for _, name := range []string{"//admin", "/Admin", "/admin/", "/admin%2f", "/admin\u200b", "/ADMIN", "/adm"} {
		p.send("40" + name + `,{"token":"token of root"}`)
		p.want("4" + name + `,{"message":"Invalid namespace"}`)
	}
	p.send(`40/admin?token=token of root,`)
	if got, err := p.next(); err != nil || strings.Contains(got, `"sid"`) {
		t.Fatalf("a query in the namespace's name: %q %v", got, err)
	}
	p.join("/admin", `{"token":"token of root"}`)
	p.join("/open", "")
	for namespace, want := range map[string]string{"": "ann", "/admin,": "root", "/open,": "ann"} {
		p.send("42" + namespace + `0["whoami"]`)
		p.want("3" + namespace + `0["` + want + `"]`)
	}
	p.send(`42/admin,1["payload"]`)
	p.want(`3/admin,1["map[token:token of root]"]`)
	p.send(`42/open,1["payload"]`)
	p.want(`3/open,1["map[]"]`)
	s.users.Revoke("root") // the token's namespace ends, the others live
	p.want(`2/admin,["session ended",{"message":"your login was ended, please log in","data":{"reason":"revoked","code":401}}]`, "1/admin,")
	p.send(`42/open,2["whoami"]`)
	p.want(`3/open,2["ann"]`)
}

// a CONNECT without, with another user's, and with the right CSRF token of its page.
func TestCSRF(t *testing.T) {
	s := newSite(t, cookieStore(), func(s *site) { s.srv.Use(s.users.RequireCSRF) })
	reload := `4{"message":"please reload the page","data":{"code":403}}`
	for _, transport := range []string{"polling", "websocket"} {
		ann := s.login("ann")
		_, token := s.visit(ann, "/csrf")
		_, others := s.visit(s.login("bob"), "/csrf")
		p := s.open(transport, ann)
		for _, payload := range []string{``, `{}`, `{"csrf":"` + others + `"}`, `{"CSRF":"` + token + `"}`, `{"token":"` + token + `"}`} {
			p.send(`40` + payload)
			p.want(reload)
		}
		p.join("/", `{"csrf":"`+token+`"}`)
		p.send(`420["whoami"]`)
		p.want(`30["ann"]`)
		s.parked(p)
		next, _ := s.visit(ann, "/login?id=ann")
		p.want(farewell("your login changed, please reconnect", "reauthenticate"), "1")
		again := s.open(transport, next)
		again.send(`40{"csrf":"` + token + `"}`)
		again.want(reload)
		_, fresh := s.visit(next, "/csrf")
		again.join("/", `{"csrf":"`+fresh+`"}`)
	}
}

// whoever tries tokens is thrown out after twenty, and each is answered alike.
func TestGuessingTokens(t *testing.T) {
	s := newSite(t, cookieStore(), func(s *site) { s.srv.Use(s.tokens.Connect) })
	for _, transport := range []string{"polling", "websocket"} {
		p := s.open(transport, "")
		for i := range 19 {
			p.send(fmt.Sprintf(`40{"token":"guess %d"}`, i))
			p.want("4" + pleaseLogIn)
		}
		p.send(`40{"token":"guess 20"}`)
		for _, got := range p.ended() { // the last answer may be lost with the connection
			if got != "4"+pleaseLogIn {
				t.Errorf("%s: answered %q", transport, got)
			}
		}
	}
}

// why a login is refused shows neither in the answer nor in the time that it takes.
func TestRefusalsDoNotTellWhoExists(t *testing.T) {
	s := newSite(t, cookieStore(), func(s *site) {
		s.srv.Use(s.tokens.Connect)
		s.srv.Of("/cookie").Use(auth.Require)
	})
	s.tokens.RevokeToken("ann", "1")
	reasons := map[string]string{
		"no such account": "token of ghost", "a bad signature": "token on ghosts", "a revoked token": "token 1 of ann",
	}
	var p *tab
	left := 0 // refusals that the connection may still cause
	ask := func(connect, want string) time.Duration {
		if left--; left < 0 {
			p, left = s.open("websocket", ""), 18
		}
		began := time.Now()
		p.send(connect)
		p.want(want)
		return time.Since(began)
	}
	token := func(reason string) func() time.Duration {
		connect := `40{"token":"` + reasons[reason] + `"}`
		return func() time.Duration { return ask(connect, "4"+pleaseLogIn) }
	}
	for reason := range reasons {
		if d := exampletest.Gap(1000, token(reason), token("a bad signature")); d >= time.Millisecond {
			t.Errorf("%s: the answer differs by %v from that for a bad signature", reason, d)
		}
	}
	for _, cookie := range []string{"", s.login("ghost"), "app=junk"} {
		p := s.open("websocket", cookie)
		p.send(`40/cookie,`)
		p.want(`4/cookie,` + pleaseLogIn)
	}
}

// an event for a namespace that has not accepted the client is never handled.
func TestEventsBeforeAcceptance(t *testing.T) {
	var handled atomic.Int64
	entered, proceed := make(chan struct{}), make(chan struct{})
	s := newSite(t, cookieStore(), func(s *site) {
		for _, name := range []string{"/slow", "/closed"} {
			core.On(s.srv.Of(name), "e", func(*core.Context, core.None) error { handled.Add(1); return nil })
		}
		s.srv.Of("/slow").Use(func(ctx context.Context) error {
			close(entered)
			<-proceed
			return auth.Require(ctx)
		})
		s.srv.Of("/closed").Use(auth.Require)
	})
	refused := s.open("websocket", "")
	refused.send(`40/closed,`)
	refused.want(`4/closed,` + pleaseLogIn)
	refused.send(`42/closed,["e"]`)
	refused.ended()

	waiting := s.open("websocket", s.login("ann"))
	waiting.send(`40/slow,`)
	<-entered
	waiting.send(`42/slow,["e"]`)
	waiting.ended()
	close(proceed)
	if n := handled.Load(); n != 0 {
		t.Errorf("%d events were handled", n)
	}
}

// a role that was taken away counts for the next guarded event, although User may still have the old one.
func TestRolesAreFresh(t *testing.T) {
	s := newSite(t, cookieStore(), func(s *site) {
		admin := auth.RequireFunc(func(u *user) bool { return u.Role == "admin" }, "for administrators only")
		core.OnCall(s.srv.Group(admin), "delete", func(*core.Context, core.None) (string, error) { return "done", nil })
		s.srv.Of("/admin").Use(admin)
	})
	setRole := func(role string) { s.role.Store(&role) }
	setRole("admin")
	p := s.open("websocket", s.login("ann"))
	p.join("/", "")
	p.send(`420["delete"]`)
	p.want(`30["done"]`)
	setRole("reader")
	p.send(`421["delete"]`)
	p.want(`31[{"error":{"message":"for administrators only","data":{"code":403}}}]`)
	p.send(`40/admin,`)
	p.want(`4/admin,{"message":"for administrators only","data":{"code":403}}`)
	setRole("admin")
	p.join("/admin", "")
	guest := s.open("websocket", "")
	guest.join("/", "")
	guest.send(`420["delete"]`)
	guest.want(`30[{"error":{"message":"please log in","data":{"code":401}}}]`)
}

// neither the text of an error nor that of a panic reaches a client.
func TestErrorsStayInside(t *testing.T) {
	s := newSite(t, cookieStore(), func(s *site) {
		s.srv.Of("/token").Use(s.tokens.Connect)
		s.srv.Of("/cookie").Use(auth.Require)
		core.OnCall(s.srv.Group(auth.Require), "guarded", whoami)
	})
	p := s.open("websocket", s.login("ann"))
	p.join("/", "")
	for name, f := range map[string]func() error{
		"outage": func() error { return fmt.Errorf("dial /var/run/secret.sock: %w", auth.ErrUnavailable) },
		"error":  func() error { return errors.New("SELECT secret FROM users") },
		"panic":  func() error { panic("secret") },
	} {
		s.broken.Store(&f)
		p.send(`40/token,{"token":"token of ann"}`)
		want := `{"message":"internal error"}`
		if name == "error" {
			want = pleaseLogIn
		}
		p.want("4/token," + want)
		p.send(`40/cookie,`)
		p.want(`4/cookie,{"message":"internal error"}`)
		if name == "panic" {
			continue // the ack of a handler that panics stays open
		}
		p.send(`420["guarded"]`)
		p.want(`30[{"error":{"message":"internal error"}}]`)
	}
	s.broken.Store(nil)
	p.join("/token", `{"token":"token of ann"}`)
}

// no session id, cookie or token is in anything that siokit logs, whatever goes wrong.
func TestNoSecretsInLogs(t *testing.T) {
	s := newSite(t, cookieStore(), func(s *site) {
		s.srv.Of("/token").Use(s.tokens.Connect)
		s.srv.Of("/cookie").Use(auth.Require)
		s.srv.Of("/csrf").Use(s.users.RequireCSRF)
		core.On(s.srv, "fail", func(*core.Context, core.None) error { return errors.New("a handler fails") })
		core.On(s.srv, "panic", func(*core.Context, core.None) error { panic("a handler panics") })
	})
	secrets := map[string]string{}
	for i := range 50 {
		cookie := s.login(fmt.Sprint("user", i))
		secrets[cookie] = "a cookie"
		_, id := s.visit(cookie, "/session")
		secrets[id] = "a session id"
		for _, transport := range []string{"polling", "websocket"} {
			p := s.open(transport, cookie)
			secrets[p.sid] = "an engine id"
			p.join("/", "")
			p.send(`42["fail"]`)
			p.send(`42["panic"]`)
			p.send(`42["no handler"]`)
			for _, token := range []string{fmt.Sprint("forged ", transport, i), fmt.Sprint("token of ", transport, i)} {
				secrets[token] = "a token"
				p.send(`40/token,{"token":"` + token + `"}`)
				if _, err := p.next(); err != nil {
					t.Fatal(err)
				}
			}
			p.send(`40/nowhere,{"token":"elsewhere ` + fmt.Sprint(i) + `"}`)
			secrets["elsewhere "+fmt.Sprint(i)] = "a token"
			p.want(`4/nowhere,{"message":"Invalid namespace"}`)
			_ = p.write(`4nonsense`) // a parse error ends it
			p.ended()
			// The same session id from somebody else, and one that is over.
			s.visit("", "/socket.io/?EIO=4&transport="+transport+"&sid="+p.sid)
		}
		// Tokens in the header, and of pages.
		for _, token := range []string{fmt.Sprint("token of header", i), fmt.Sprint("forged in header", i)} {
			secrets[token] = "a token"
			byToken, err := s.tryOpenAs("polling", credentials{token: token}.header())
			if err != nil {
				t.Fatal(err)
			}
			secrets[byToken.sid] = "an engine id"
			byToken.send(`40/token,`)
			if _, err := byToken.next(); err != nil {
				t.Fatal(err)
			}
			s.do("GET", "polling&sid="+byToken.sid, "", credentials{token: "stolen " + token})
		}
		_, csrf := s.visit(cookie, "/csrf")
		secrets[csrf] = "a CSRF token"
		page := s.open("polling", cookie)
		page.send(`40/csrf,{"csrf":"` + csrf + `x"}`)
		page.want(`4/csrf,{"message":"please reload the page","data":{"code":403}}`)
		// A session id that lives, with another cookie.
		alive := s.open("polling", cookie)
		secrets[alive.sid] = "an engine id"
		s.visit("", "/socket.io/?EIO=4&transport=polling&sid="+alive.sid+"&token=in+the+URL")
		s.visit("app=tampered"+cookie, "/session")
		secrets["tampered"+cookie] = "a cookie"
	}
	outage := func() error { return fmt.Errorf("cannot fetch keys: %w", auth.ErrUnavailable) }
	s.broken.Store(&outage)
	p := s.open("websocket", s.login("ann"))
	p.send(`40/cookie,`)
	p.want(`4/cookie,{"message":"internal error"}`)
	s.users.Revoke("ann")
	p.ended()
	s.broken.Store(nil)

	text := s.log.String()
	for secret, what := range secrets {
		_, value, named := strings.Cut(secret, "app=")
		if !named {
			value = secret
		}
		if strings.Contains(text, value) {
			t.Errorf("the log holds %s: %s", what, value)
		}
	}
	if strings.Contains(text, "in+the+URL") || strings.Contains(text, "in the URL") {
		t.Error("the log holds a parameter of the URL")
	}
	for _, said := range []string{"a handler fails", "a handler panics", "a token was refused", "request refused", "unknown namespace"} {
		if !strings.Contains(text, said) {
			t.Errorf("the log does not hold %q, so this test provoked less than it thinks", said)
		}
	}
}
