package authflow_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gorilla "github.com/gorilla/sessions"

	"github.com/siokit/siokit/auth"
	"github.com/siokit/siokit/core"
)

func farewell(message, reason string) string {
	return fmt.Sprintf(`2["session ended",{"message":%q,"data":{"reason":%q,"code":401}}]`, message, reason)
}

// A-11, users.md row 3: a socket that only receives learns within a second that, and why, its login has ended; a parked
// poll is released with that. Nothing is delivered to it afterwards.
func TestEndsOfALogin(t *testing.T) {
	eachStore(t, func(t *testing.T, store gorilla.Store) {
		for _, end := range []struct {
			name string
			do   func(s *site, cookie string)
			want string
		}{
			{"logout", func(s *site, cookie string) { s.visit(cookie, "/logout") }, farewell("you were logged out", "logged out")},
			{"login", func(s *site, cookie string) { s.visit(cookie, "/login?id=bob") }, farewell("your login changed, please reconnect", "reauthenticate")},
			{"revoke", func(s *site, _ string) { s.users.Revoke("ann") }, farewell("your login was ended, please log in", "revoked")},
			{"revoke session", func(s *site, cookie string) {
				_, id := s.visit(cookie, "/session")
				s.users.RevokeSession(id)
			}, farewell("your login was ended, please log in", "revoked")},
		} {
			t.Run(end.name, func(t *testing.T) {
				var handled atomic.Int64
				s := newSite(t, store, func(s *site) {
					core.On(s.srv, "late", func(*core.Context, core.None) error { handled.Add(1); return nil })
				})
				cookie := s.login("ann")
				other := s.open("websocket", s.login("carol"))
				other.join("/", "")
				var tabs []*tab
				for _, transport := range []string{"polling", "websocket"} {
					p := s.open(transport, cookie)
					p.join("/", "")
					s.parked(p)
					tabs = append(tabs, p)
				}
				began := time.Now()
				end.do(s, cookie)
				_ = s.srv.Emit("news") // after the end: for carol only
				for _, p := range tabs {
					p.want(end.want, "1")
					_ = p.write(`42["late"]`)
					if rest := p.ended(); len(rest) > 0 {
						t.Errorf("after the end came %q", rest)
					}
				}
				if took := time.Since(began); took > time.Second*slowness {
					t.Errorf("it took %v", took)
				}
				other.want(`2["news"]`)
				other.send(`420["whoami"]`)
				other.want(`30["carol"]`)
				if n := handled.Load(); n != 0 {
					t.Errorf("%d events of an ended login were handled", n)
				}
			})
		}
	})
}

// a thousand sockets of one user, most of them parked polls, within a second.
func TestAThousandSockets(t *testing.T) {
	gone := make(chan core.Reason, 1000)
	s := newSite(t, gorilla.NewCookieStore([]byte("0123456789abcdef0123456789abcdef")), func(s *site) {
		s.srv.OnDisconnect(func(_ *core.Context, r core.Reason) { gone <- r })
	})
	cookie := s.login("ann")
	tabs := make([]*tab, 1000)
	var wg sync.WaitGroup
	for part := range 8 {
		wg.Go(func() {
			for i := part; i < len(tabs); i += 8 {
				transport := "polling"
				if i < 100 {
					transport = "websocket"
				}
				tabs[i] = s.open(transport, cookie)
				tabs[i].join("/", "")
				s.parked(tabs[i])
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	began := time.Now()
	if n := s.users.Revoke("ann"); n != len(tabs) {
		t.Errorf("%d connections were cut", n)
	}
	cut := time.Since(began)
	_ = s.srv.Emit("news") // reaches none of them
	for _, p := range tabs {
		p.want(farewell("your login was ended, please log in", "revoked"), "1")
	}
	told := time.Since(began)
	for _, p := range tabs {
		if rest := p.ended(); len(rest) > 0 {
			t.Errorf("after the end came %q", rest)
		}
		if r := <-gone; r != core.ServerNamespaceDisconnect {
			t.Errorf("reason %q", r)
		}
	}
	t.Logf("cut after %v, all told after %v", cut, told)
	if told > time.Second*slowness {
		t.Errorf("it took %v until all had been told", told)
	}
	if n := len(s.srv.Sockets()); n != 0 {
		t.Errorf("%d sockets are left", n)
	}
}

// whichever comes first, no socket of an ended login is left.
func TestLogoutRacesWithHandshakes(t *testing.T) {
	s := newSite(t, gorilla.NewCookieStore([]byte("0123456789abcdef0123456789abcdef")), nil)
	for round := range 100 {
		cookie := s.login("ann")
		var wg sync.WaitGroup
		tabs := make([]*tab, 2)
		for i := range tabs {
			wg.Go(func() {
				transport := []string{"polling", "websocket"}[i]
				p, err := s.tryOpen(transport, cookie)
				if err != nil {
					return
				}
				tabs[i] = p
				_ = p.write("40")
			})
		}
		wg.Go(func() {
			if round%2 == 0 {
				s.visit(cookie, "/logout")
			} else {
				s.users.Revoke("ann")
			}
		})
		wg.Wait()
		for _, socket := range s.srv.Sockets() {
			if u, ok := auth.User[*user](contextOf(t, socket)); ok {
				t.Fatalf("round %d: a socket is %s's", round, u.ID)
			}
		}
		for _, p := range tabs {
			if p != nil {
				// It was nobody's from the beginning, or it has ended: never ann's.
				_ = p.write(`420["whoami"]`)
				for {
					packet, err := p.next()
					if err != nil || packet == `30["nobody"]` {
						break
					}
					if strings.Contains(packet, "ann") {
						t.Fatalf("round %d: received %s", round, packet)
					}
				}
				p.closing()
			}
		}
	}
}

// contextOf is a socket's context, as a handler would get it.
func contextOf(t *testing.T, s *core.Socket) context.Context {
	t.Helper()
	return &core.Context{Socket: s}
}

// A login that ends while the middleware runs is never accepted, and what waits for a handler is dropped.
func TestEndsInTheMiddle(t *testing.T) {
	entered, proceed := make(chan struct{}, 10), make(chan struct{})
	var handled, connected atomic.Int64
	s := newSite(t, gorilla.NewCookieStore([]byte("0123456789abcdef0123456789abcdef")), func(s *site) {
		s.srv.Of("/slow").Use(s.tokens.Connect, func(context.Context) error {
			entered <- struct{}{}
			<-proceed
			return nil
		})
		s.srv.Of("/slow").OnConnect(func(*core.Context) error { connected.Add(1); return nil })
		core.On(s.srv, "block", func(*core.Context, core.None) error {
			entered <- struct{}{}
			<-proceed
			return nil
		})
		core.On(s.srv, "late", func(*core.Context, core.None) error { handled.Add(1); return nil })
	})
	joining, busy := s.open("websocket", ""), s.open("websocket", s.login("ann"))
	joining.send(`40/slow,{"token":"token of ann"}`)
	busy.join("/", "")
	busy.send(`42["block"]`)
	<-entered
	<-entered
	for range 5 {
		busy.send(`42["late"]`)
	}
	if n := s.users.Revoke("ann"); n != 2 {
		t.Errorf("Revoke cut %d", n)
	}
	joining.want(`4/slow,{"message":"your login was ended, please log in","data":{"reason":"revoked","code":401}}`)
	close(proceed)
	busy.want(farewell("your login was ended, please log in", "revoked"), "1")
	busy.ended()
	joining.send(`40/slow,{"token":"token of bob"}`)
	if got, err := joining.next(); err != nil || !strings.HasPrefix(got, `0/slow,{"sid":`) {
		t.Errorf("another token on the same connection: %q %v", got, err)
	}
	if h, c := handled.Load(), connected.Load(); h != 0 || c != 1 {
		t.Errorf("%d events of an ended login were handled, %d sockets joined", h, c)
	}
}
