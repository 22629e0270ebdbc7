package core_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siokit/siokit/core"
)

func TestRefusals(t *testing.T) {
	cases := map[string]struct {
		fail func() error
		want string
	}{
		"connect error": {func() error { return &core.ConnectError{Message: "log in", Data: map[string]int{"code": 401}} }, `{"message":"log in","data":{"code":401}}`},
		"error":         {func() error { return fmt.Errorf("secret %w", &core.Error{Message: "m", Data: 1}) }, `{"message":"m","data":1}`},
		"plain":         {func() error { return errors.New("secret") }, `{"message":"internal error"}`},
		"panic":         {func() error { panic("secret") }, `{"message":"internal error"}`},
		"bad data":      {func() error { return &core.ConnectError{Message: "m", Data: make(chan int)} }, `{"message":"m"}`},
	}
	eachTransport(t, func(t *testing.T, transport string) {
		for name, row := range cases {
			for _, place := range []string{"middleware", "OnConnect"} {
				t.Run(name+" in "+place, func(t *testing.T) {
					a := serve(t, core.Config{ConnectTimeout: time.Hour})
					ended := make(chan *core.Context, 2)
					ns := a.Of("/x")
					refuse := func(ctx context.Context) error {
						c, _ := core.From(ctx)
						_ = c.Join("room")
						_ = c.Emit("early")
						ended <- c
						return row.fail()
					}
					if place == "middleware" {
						ns.Use(refuse)
						ns.OnConnect(func(*core.Context) error { t.Error("OnConnect ran after a refusal"); return nil })
					} else {
						ns.OnConnect(func(c *core.Context) error { return refuse(c) })
					}
					ns.OnDisconnect(func(*core.Context, core.Reason) { t.Error("OnDisconnect ran for a refused client") })
					core.On(ns, "e", func(*core.Context, core.None) error { t.Error("a refused client sent an event"); return nil })
					p := a.dial(transport)
					p.join("/", "")
					p.send("0/x,")
					p.want("4/x," + row.want)
					c := receive(t, ended)
					receive(t, c.Done())
					var gone *core.DisconnectError
					if !errors.As(context.Cause(c), &gone) {
						t.Errorf("cause %v", context.Cause(c))
					}
					if err := c.Emit("late"); err != core.ErrDisconnected {
						t.Errorf("Emit: %v", err)
					}
					if n := len(ns.Sockets()) + ns.RoomCount() + ns.To("room", c.ID()).Count(); n != 0 {
						t.Errorf("%d traces of the refused socket are left", n)
					}
					p.wantAlive()
					p.send("0/x,") // it may try again
					p.want("4/x," + row.want)
					p.wantAlive()
					p.send(`2/x,["e"]`)
					p.wantClosed()
				})
			}
		}
	})
}

// D-13: CONNECT comes first, then what was emitted meanwhile, in order.
func TestEmitsBeforeConnected(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{})
		gone := make(chan *core.Context, 1)
		a.OnConnect(func(c *core.Context) error {
			if c.Connected() {
				t.Error("Connected is true in OnConnect")
			}
			for i := range 100 {
				if err := c.Emit("own", i); err != nil {
					return err
				}
				if err := a.To(c.ID()).Emit("room", i); err != nil {
					return err
				}
			}
			return nil
		})
		a.OnDisconnect(func(c *core.Context, _ core.Reason) {
			if err := c.Emit("late"); err != core.ErrDisconnected {
				t.Errorf("Emit in OnDisconnect: %v", err)
			}
			if err := c.Broadcast().Emit("left", c.ID()); err != nil {
				t.Error(err)
			}
			gone <- c
		})
		p := a.dial(transport)
		p.join("/", "")
		for i := range 100 {
			p.want(fmt.Sprintf(`2["own",%d]`, i), fmt.Sprintf(`2["room",%d]`, i))
		}
		p.wantAlive()
		p.send("1")
		c := receive(t, gone)
		if c.Connected() || c.Emit("later") != core.ErrDisconnected {
			t.Error("the socket is still connected")
		}
		_ = a.Emit("nobody hears this")
		p.join("/", "")
		p.want(`2["own",0]`)
	})
}

// S-12, S-13, A-31: while the middleware runs, the client can do nothing but wait or leave.
func TestDuringMiddleware(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		for name, packet := range map[string]string{"connect": "0/x,", "event": `2/x,["e"]`, "disconnect": "1/x,", "ack": "3/x,0[]"} {
			t.Run(name, func(t *testing.T) {
				a := serve(t, core.Config{})
				entered, release, ran := make(chan *core.Context, 2), make(chan struct{}), make(chan string, 5)
				ns := a.Of("/x")
				ns.Use(func(ctx context.Context) error {
					c, _ := core.From(ctx)
					entered <- c
					<-release
					return nil
				})
				ns.OnConnect(func(*core.Context) error { ran <- "connect"; return nil })
				ns.OnDisconnect(func(*core.Context, core.Reason) { ran <- "disconnect" })
				core.On(ns, "e", func(*core.Context, core.None) error { ran <- "event"; return nil })
				p := a.dial(transport)
				p.send("0/x,")
				c := receive(t, entered)
				p.send(packet)
				p.wantClosed()
				receive(t, c.Done())
				close(release)
				eventually(t, "the client is gone", func() bool { return a.Clients() == 0 && len(ns.Sockets()) == 0 })
				if err := a.Shutdown(t.Context()); err != nil { // waits for the dispatcher
					t.Error(err)
				}
				silent(t, ran)
				silent(t, entered)
			})
		}
	})
}

// D-15: the events that arrived are handled before disconnect.
func TestEventsBeforeDisconnect(t *testing.T) {
	for name, bye := range map[string]func(p *peer){
		"disconnect packet": func(p *peer) { p.send("1") },
		"engine close":      func(p *peer) { _ = p.raw("1") },
		"fin":               func(p *peer) { p.kill() },
	} {
		t.Run(name, func(t *testing.T) {
			a := serve(t, core.Config{})
			first, release, reasons := make(chan struct{}, 200), make(chan struct{}), make(chan core.Reason, 1)
			handled := 0
			core.On(a, "n", func(*core.Context, int) error {
				first <- struct{}{}
				<-release
				handled++
				return nil
			})
			a.OnDisconnect(func(_ *core.Context, r core.Reason) { reasons <- r })
			p := a.dial("websocket")
			s, _ := a.Socket(p.join("/", ""))
			for i := range 100 {
				p.send(fmt.Sprintf(`2["n",%d]`, i))
			}
			receive(t, first)
			eventually(t, "all have arrived", func() bool { return s.QueuedEvents() == 99 })
			bye(p)
			eventually(t, "the server noticed", func() bool { return !s.Connected() })
			silent(t, reasons)
			close(release)
			receive(t, reasons)
			if handled != 100 {
				t.Errorf("%d handlers ran before disconnect", handled)
			}
		})
	}
}

// users.md, test 28: whichever of these ways a client dies, OnDisconnect runs once, with the right reason.
func TestReasons(t *testing.T) {
	for _, row := range []struct {
		want core.Reason
		only string // transport, if it matters
		die  func(p *peer, s *core.Socket, a *app)
	}{
		{core.TransportClose, "", func(p *peer, _ *core.Socket, _ *app) { _ = p.raw("1") }},
		{core.TransportClose, "websocket", func(p *peer, _ *core.Socket, _ *app) { p.kill() }},
		{core.TransportClose, "websocket", func(p *peer, _ *core.Socket, _ *app) { p.abort() }},
		{core.TransportError, "", func(p *peer, _ *core.Socket, _ *app) { _ = p.raw("2") }},
		{core.TransportError, "polling", func(p *peer, _ *core.Socket, _ *app) {
			_, _, _ = p.do(context.Background(), http.MethodGet, p.url, "")
			_, _, _ = p.do(context.Background(), http.MethodGet, p.url, "")
		}},
		{core.PingTimeout, "", func(p *peer, _ *core.Socket, _ *app) { close(p.mute) }},
		{core.ParseError, "", func(p *peer, _ *core.Socket, _ *app) { p.send("2{}") }},
		{core.ParseError, "", func(p *peer, _ *core.Socket, _ *app) { _ = p.raw("x") }},
		{core.ClientNamespaceDisconnect, "", func(p *peer, _ *core.Socket, _ *app) { p.send("1") }},
		{core.ServerNamespaceDisconnect, "", func(_ *peer, s *core.Socket, _ *app) { s.Disconnect() }},
		{core.ServerNamespaceDisconnect, "", func(_ *peer, s *core.Socket, _ *app) { s.DisconnectAll() }},
		{core.ServerNamespaceDisconnect, "", func(_ *peer, s *core.Socket, a *app) { a.To(s.ID()).Disconnect() }},
		{core.ForcedClose, "", func(p *peer, _ *core.Socket, _ *app) {
			for range 20 {
				p.send("0/none,")
			}
		}},
		{core.ServerShutdown, "", func(_ *peer, _ *core.Socket, a *app) { go a.Shutdown(context.Background()) }},
		{core.SlowConsumer, "", func(_ *peer, s *core.Socket, _ *app) {
			for s.Emit("flood", strings.Repeat("x", 60_000)) == nil {
			}
		}},
	} {
		for _, transport := range []string{"websocket", "polling", "upgraded"} {
			if row.only != "" && row.only != transport && (row.only != "websocket" || transport != "upgraded") {
				continue
			}
			t.Run(string(row.want)+" "+transport, func(t *testing.T) {
				cfg := core.Config{OutboxBytes: 100_000}
				if row.want == core.PingTimeout { // the others must not end like this on a busy machine
					t.Parallel()
					cfg.PingInterval, cfg.PingTimeout = 2*time.Second, time.Second // nor this one before it has joined
				}
				a := serve(t, cfg)
				type end struct {
					reason core.Reason
					cause  error
				}
				ends := make(chan end, 2)
				a.OnDisconnect(func(c *core.Context, r core.Reason) { ends <- end{r, context.Cause(c)} })
				p, s := a.dialJoined(transport)
				row.die(p, s, a)
				got := receive(t, ends)
				var gone *core.DisconnectError
				if got.reason != row.want || !errors.As(got.cause, &gone) || gone.Reason != row.want {
					t.Errorf("reason %q, cause %v, want %q", got.reason, got.cause, row.want)
				}
				p.kill()
				eventually(t, "the server forgot it", func() bool { return len(a.Sockets()) == 0 })
				silent(t, ends)
			})
		}
	}
}

func TestDisconnectFromServer(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{})
		a.Of("/x")
		p := a.dial(transport)
		root := p.join("/", "")
		x := p.join("/x", "")
		if root == x {
			t.Error("two namespaces share a socket id")
		}
		s, _ := a.Of("/x").Socket(x)
		_ = s.Emit("last")
		s.Disconnect()
		s.Disconnect()
		p.want(`2/x,["last"]`, "1/x,")
		p.send(`2/x,["in flight"]`, "3/x,0[]", "1/x,") // not the client's mistake
		p.send(`51-/x,["in flight",{"_placeholder":true,"num":0}]`, []byte("b"))
		p.wantAlive()
		if again := p.join("/x", ""); again == x {
			t.Error("the socket id was used again")
		}
		r, _ := a.Socket(root)
		_ = r.Emit("last")
		r.DisconnectAll()
		p.want(`2["last"]`)
		if got := p.wantClosed(); len(got) != 2 {
			t.Errorf("the end: %q", got)
		}
		eventually(t, "nobody is left", func() bool { return a.Clients() == 0 })
	})
}

// A client that is sent away while OnConnect runs must not wait for an answer for ever.
func TestDisconnectInOnConnect(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{})
		ns := a.Of("/x")
		ns.OnConnect(func(c *core.Context) error { c.Disconnect(); return nil })
		p := a.dial(transport)
		p.join("/", "")
		p.send("0/x,")
		p.want(`4/x,{"message":"disconnected by the server"}`)
		p.wantAlive()
		if n := len(ns.Sockets()); n != 0 {
			t.Errorf("%d sockets are left", n)
		}
	})
}

func TestConnectTimeout(t *testing.T) { // S-41, S-42
	t.Parallel()
	behaviours := map[string]func(p *peer){
		"never connects":  func(*peer) {},
		"is only refused": func(p *peer) { p.send("0/none,"); p.want(`4/none,{"message":"Invalid namespace"}`) },
		"leaves":          func(p *peer) { p.join("/", ""); p.send("1") },
		"leaves and is out": func(p *peer) {
			p.join("/", "")
			p.send("1", "0/none,")
			p.want(`4/none,{"message":"Invalid namespace"}`)
		},
		"is sent away": func(p *peer) {
			p.join("/", "")
			p.send(`2["away"]`)
			p.want("1")
		},
	}
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{ConnectTimeout: 4 * time.Second}) // on a busy machine all have to join in it
		core.On(a, "away", func(c *core.Context, _ core.None) error { c.Disconnect(); return nil })
		stays := a.dial(transport)
		stays.join("/", "")
		peers := make(map[string]*peer)
		for name, behave := range behaviours {
			peers[name] = a.dial(transport)
			behave(peers[name])
		}
		for name, p := range peers {
			t.Run(name, func(t *testing.T) {
				p.t = t
				p.wantClosed()
			})
		}
		stays.wantAlive()
	})
}

func TestAttachmentTimeout(t *testing.T) { // V-42 b
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{AttachmentTimeout: 100 * time.Millisecond})
		reasons := make(chan core.Reason, 1)
		a.OnDisconnect(func(_ *core.Context, r core.Reason) { reasons <- r })
		core.On(a, "b", func(*core.Context, core.Args) error { return nil })
		p := a.dial(transport)
		p.join("/", "")
		p.send(`51-["b"]`, []byte("in time"))
		p.send(`52-["b"]`, []byte("the second is missing"))
		p.wantClosed()
		if got := receive(t, reasons); got != core.ParseError {
			t.Errorf("reason %q", got)
		}
	})
}

type traceKey struct{}

func TestContextOfHandlers(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{})
		inner := a.ts.Config.Handler
		a.ts.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			trace := "of a later request"
			if !r.URL.Query().Has("sid") {
				trace = r.Header.Get("Trace")
			}
			inner.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), traceKey{}, trace)))
		})
		contexts := make(chan *core.Context, 2)
		core.On(a, "e", func(c *core.Context, _ core.None) error {
			derived, cancel := context.WithTimeout(context.WithValue(c, traceKey{}, "own"), time.Hour)
			defer cancel()
			if got, ok := core.From(derived); !ok || got != c {
				t.Error("From does not find the Context")
			}
			if _, ok := c.Deadline(); ok || c.Event() != "e" || c.Err() != nil {
				t.Error("a fresh Context")
			}
			contexts <- c
			return nil
		})
		p := a.dial(transport, func(h http.Header, query *string) {
			h.Set("Trace", "t1")
			h.Set("Cookie", "a=b")
			*query = "&q=1&q=2"
		})
		p.join("/", "")
		p.send(`2["e"]`, `2["e"]`)
		c, c2 := receive(t, contexts), receive(t, contexts)
		if c == c2 {
			t.Error("two events share a Context")
		}
		hs := c.Handshake()
		cookie, err := hs.Cookie("a")
		if c.Value(traceKey{}) != "t1" || hs.Query()["q"][1] != "2" || hs.Query().Has("sid") || hs.RemoteIP != "127.0.0.1" || err != nil || cookie.Value != "b" || hs.Secure || hs.URL.Path != "/socket.io/" || hs.Host == "" || hs.Time.IsZero() {
			t.Errorf("handshake %+v, value %v", hs, c.Value(traceKey{}))
		}
		if c.Transport() != transport || c.Namespace().Name() != "/" {
			t.Errorf("%s %s", c.Transport(), c.Namespace().Name())
		}
		p.kill()
		receive(t, c.Done())
		var gone *core.DisconnectError
		if !errors.As(context.Cause(c), &gone) || gone.Reason != core.TransportClose || c.Err() != context.Canceled {
			t.Errorf("cause %v", context.Cause(c))
		}
		if _, ok := core.From(t.Context()); ok {
			t.Error("From finds a Context where there is none")
		}
	})
}

// Joining and dying at once leaves nothing behind.
func TestConnectRacesWithTheEnd(t *testing.T) {
	a := serve(t, core.Config{})
	var open atomic.Int64
	a.OnConnect(func(*core.Context) error { open.Add(1); return nil })
	a.OnDisconnect(func(*core.Context, core.Reason) { open.Add(-1) })
	for range 150 {
		p := a.dial("polling")
		var wg sync.WaitGroup
		wg.Go(func() { p.send("0") })
		wg.Go(func() { _, _, _ = p.do(context.Background(), http.MethodPost, p.url, "1") }) // at once: one fails
		wg.Wait()
		p.kill()
	}
	eventually(t, "every socket has ended", func() bool { return a.Clients() == 0 && len(a.Sockets()) == 0 && open.Load() == 0 })
}
