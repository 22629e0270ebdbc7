package authflow_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	gorilla "github.com/gorilla/sessions"

	"github.com/siokit/siokit/auth"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/sessions"
)

// credentials are what a request brings.
type credentials struct{ cookie, token string }

func (c credentials) header() http.Header {
	h := http.Header{}
	if c.cookie != "" {
		h.Set("Cookie", c.cookie)
	}
	if c.token != "" {
		h.Set("Authorization", "Bearer "+c.token)
	}
	return h
}

// do sends one request to the endpoint and returns the status.
func (s *site) do(method, query, body string, c credentials) int {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, s.ts.URL+"/socket.io/?EIO=4&transport="+query, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header = c.header()
	if strings.HasPrefix(query, "websocket") {
		for name, value := range map[string]string{
			"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
		} {
			r.Header.Set(name, value)
		}
	}
	resp, err := s.ts.Client().Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// hijack tries to continue p's connection in every way, and fails the test if one of them works or hurts p.
func (s *site) hijack(p *tab, who string, c credentials) {
	s.t.Helper()
	s.parked(p)
	for _, try := range []struct{ method, query, body string }{
		{"GET", "polling", ""}, {"POST", "polling", "41"}, {"POST", "polling", `42["stolen"]`}, {"POST", "polling", "1"}, {"GET", "websocket", ""},
	} {
		if status := s.do(try.method, try.query+"&sid="+p.sid, try.body, c); status != http.StatusForbidden {
			s.t.Errorf("%s: %s %s %q: %d", who, try.method, try.query, try.body, status)
		}
	}
	p.send(`420["whoami"]`)
	if got, err := p.next(); err != nil || !strings.HasPrefix(got, "30[") {
		s.t.Errorf("%s: the connection suffered: %q %v", who, got, err)
	}
}

// a connection that was opened with a token in the Authorization header is continued by that user only.
func TestSidWithAToken(t *testing.T) {
	s := newSite(t, cookieStore(), func(s *site) {
		s.srv.Use(s.tokens.ConnectOptional)
		core.On(s.srv, "stolen", func(*core.Context, core.None) error { t.Error("a thief's event was handled"); return nil })
	})
	ann, bob := s.login("ann"), s.login("bob")
	good := credentials{token: "token of ann"}
	p, err := s.tryOpenAs("polling", good.header())
	if err != nil {
		t.Fatal(err)
	}
	p.join("/", "")
	p.send(`420["whoami"]`)
	p.want(`30["ann"]`)
	for who, c := range map[string]credentials{
		"nobody": {}, "another token": {token: "token of bob"}, "a bad token": {token: "bad"}, "a cookie": {cookie: bob},
		"a cookie and a token": {cookie: bob, token: "token of ann"}, "a long token": {token: "token of " + strings.Repeat("a", 9<<10)},
	} {
		s.hijack(p, who, c)
	}
	for who, c := range map[string]credentials{
		"the same token": good, "the user's login": {cookie: ann}, "both": {cookie: ann, token: "token of ann"},
	} {
		if status := s.do("POST", "polling&sid="+p.sid, `420["whoami"]`, c); status != http.StatusOK {
			t.Errorf("%s: %d", who, status)
		}
		p.want(`30["ann"]`)
	}

	// Revoke ends the socket. The connection goes on with the token that opened it, until the client has been told.
	s.users.Revoke("ann")
	p.want(farewell("your login was ended, please log in", "revoked"), "1")
	p.send(`40`)
	if got, err := p.next(); err != nil || !strings.HasPrefix(got, "4{") && !strings.HasPrefix(got, "0{") {
		t.Errorf("CONNECT after Revoke: %q %v", got, err)
	}

	// A connection with a login and another user's token takes both.
	both, err := s.tryOpenAs("polling", credentials{cookie: bob, token: "token of carol"}.header())
	if err != nil {
		t.Fatal(err)
	}
	both.join("/", "")
	for who, c := range map[string]credentials{
		"the cookie": {cookie: bob}, "the token": {token: "token of carol"}, "swapped": {cookie: s.login("carol"), token: "token of bob"},
	} {
		s.hijack(both, who, c)
	}

	// In the CONNECT's payload it comes once: the sid alone continues the connection.
	payload := s.open("polling", "")
	payload.join("/", `{"token":"token of ann"}`)
	if status := s.do("POST", "polling&sid="+payload.sid, `420["whoami"]`, credentials{}); status != http.StatusOK {
		t.Errorf("without anything: %d", status)
	}
	payload.want(`30["ann"]`)
}

// A token that cannot be verified is no reason to let its sender in as nobody, nor to end a connection.
func TestSidWithATokenInAnOutage(t *testing.T) {
	s := newSite(t, cookieStore(), func(s *site) { s.srv.Use(s.tokens.Connect) })
	good := credentials{token: "token of ann"}
	p, err := s.tryOpenAs("polling", good.header())
	if err != nil {
		t.Fatal(err)
	}
	p.join("/", "")
	outage := func() error { return fmt.Errorf("no keys: %w", auth.ErrUnavailable) }
	s.broken.Store(&outage)
	if status := s.do("GET", "polling", "", good); status != http.StatusServiceUnavailable {
		t.Errorf("a handshake: %d", status)
	}
	if status := s.do("POST", "polling&sid="+p.sid, `420["whoami"]`, credentials{token: "token of ann, a newer one"}); status != http.StatusServiceUnavailable {
		t.Errorf("a request with a token that was not seen before: %d", status)
	}
	expired := func() error { return errors.New("it has expired") }
	s.broken.Store(&expired) // the token of the handshake goes on naming its user: Refresh may have replaced it
	if status := s.do("POST", "polling&sid="+p.sid, `42["nothing"]`, good); status != http.StatusOK {
		t.Errorf("the token of the handshake: %d", status)
	}
	s.broken.Store(nil)
	p.send(`420["whoami"]`)
	p.want(`30["ann"]`)
}

// A-21 without a login: sessions bind connections by themselves, where core has no Authenticate.
func TestSidWithASession(t *testing.T) {
	eachStore(t, func(t *testing.T, store gorilla.Store) {
		quiet := slog.New(slog.DiscardHandler)
		sess, err := sessions.New(store, "app", sessions.Options{Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		srv, err := core.New(core.Config{Sessions: sess, Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		core.OnCall(srv, "whoami", func(c *core.Context, _ core.None) (string, error) {
			name, _ := sessions.Get[string](c, "name")
			return name, nil
		})
		core.On(srv, "stolen", func(*core.Context, core.None) error { t.Error("a thief's event was handled"); return nil })
		mux := http.NewServeMux()
		mux.Handle("/socket.io/", srv)
		mux.HandleFunc("/name", func(_ http.ResponseWriter, r *http.Request) {
			if err := sessions.From(r.Context()).Set("name", r.URL.Query().Get("is")); err != nil {
				t.Error(err)
			}
		})
		mux.HandleFunc("/renew", func(_ http.ResponseWriter, r *http.Request) {
			if _, err := sess.Renew(r.Context(), nil); err != nil {
				t.Error(err)
			}
		})
		s := &site{t: t, srv: srv}
		s.ts = httptest.NewServer(sess.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.countPoll(r)
			mux.ServeHTTP(w, r)
		})))
		s.endLater()

		ann, _ := s.visit("", "/name?is=ann")
		bob, _ := s.visit("", "/name?is=bob")
		p := s.open("polling", ann)
		p.join("/", "")
		s.hijack(p, "another session", credentials{cookie: bob})
		s.hijack(p, "no session", credentials{})
		s.hijack(p, "a tampered cookie", credentials{cookie: ann + "x"})
		changed, _ := s.visit(ann, "/name?is=anna") // another value of the same session's cookie, in a cookie store
		if status := s.do("POST", "polling&sid="+p.sid, `420["whoami"]`, credentials{cookie: changed}); status != http.StatusOK {
			t.Errorf("the same session: %d", status)
		}
		p.want(`30["ann"]`)
		renewed, _ := s.visit(changed, "/renew")
		s.hijack(p, "the renewed session", credentials{cookie: renewed})

		// Whoever has no session has nothing to protect, and may get one meanwhile.
		guest := s.open("polling", "")
		guest.join("/", "")
		if status := s.do("POST", "polling&sid="+guest.sid, `420["whoami"]`, credentials{cookie: bob}); status != http.StatusOK {
			t.Errorf("a session that began later: %d", status)
		}
		guest.want(`30[""]`)
	})
}
