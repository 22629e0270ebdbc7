package core_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siokit/siokit/core"
)

var (
	pidPattern    = regexp.MustCompile(`"pid":"([A-Za-z0-9_-]{20})"`)
	offsetPattern = regexp.MustCompile(`,"([0-9a-z-]{10})"\]$`)
)

// returning is a peer with a session that it can come back to.
type returning struct {
	*peer
	sid, pid string
	offset   string // of the last event received
}

// arrive connects to the namespace with the auth payload that official clients send.
func (a *app) arrive(transport, namespace, pid, offset string, edit ...func(http.Header, *string)) *returning {
	a.t.Helper()
	p := &returning{peer: a.dial(transport, edit...), offset: offset}
	prefix := ""
	if namespace != "/" {
		prefix = namespace + ","
	}
	auth := ""
	if pid != "" {
		ask := map[string]string{"pid": pid}
		if offset != "" {
			ask["offset"] = offset
		}
		b, err := json.Marshal(ask)
		check(a.t, err)
		auth = string(b)
	}
	p.send("0" + prefix + auth)
	m, ok := p.next()
	sid, secret := socketID.FindStringSubmatch(m.text), pidPattern.FindStringSubmatch(m.text)
	if !ok || !strings.HasPrefix(m.text, "0") || sid == nil || secret == nil {
		a.t.Fatalf("CONNECT was answered with %q (open: %t)", m.text, ok)
	}
	p.sid, p.pid = sid[1], secret[1]
	if p.sid == p.pid {
		a.t.Fatal("the secret is the public id")
	}
	return p
}

// event reads an event, returns it without its offset, and remembers that.
func (p *returning) event() string {
	p.t.Helper()
	m, ok := p.next()
	o := offsetPattern.FindStringSubmatch(m.text)
	if !ok || o == nil {
		p.t.Fatalf("received %q (open: %t), want an event with an offset", m.text, ok)
	}
	if o[1] <= p.offset {
		p.t.Fatalf("offset %q after %q", o[1], p.offset)
	}
	p.offset = o[1]
	return strings.TrimSuffix(m.text, o[0]) + "]"
}

func (p *returning) wantEvents(want ...string) {
	p.t.Helper()
	for _, w := range want {
		if got := p.event(); got != w {
			p.t.Fatalf("received %q, want %q", got, w)
		}
	}
}

func recovering(t testing.TB, cfg core.Config) (a *app, gone chan core.Reason) {
	if cfg.Recovery == nil {
		cfg.Recovery = &core.Recovery{}
	}
	a = serve(t, cfg)
	gone = make(chan core.Reason, 1000)
	a.OnDisconnect(func(_ *core.Context, reason core.Reason) { gone <- reason })
	core.On(a, "join", func(c *core.Context, room string) error { return c.Join(room) })
	return a, gone
}

func TestRecovery(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a, gone := recovering(t, core.Config{})
		type name string
		recovered := make(chan bool, 10)
		a.OnConnect(func(c *core.Context) error {
			recovered <- c.Recovered()
			if !c.Recovered() {
				core.SetData(c, name("ann"))
			}
			if got, _ := core.Data[name](c); got != "ann" {
				t.Errorf("data is %q", got)
			}
			return nil
		})
		p := a.arrive(transport, "/", "", "")
		p.send(`20["join","r"]`)
		p.want(`30[]`)
		check(t, a.Emit("all", 1))
		check(t, a.To("r").Emit("room", []byte{7}))
		p.wantEvents(`2["all",1]`)
		if got := p.event(); got != `51-["room",{"_placeholder":true,"num":0}]` {
			t.Fatal(got)
		}
		p.wantBinary("\x07")

		p.kill()
		receive(t, gone)
		other := a.arrive(transport, "/", "", "")
		check(t, a.Emit("all", 2))
		check(t, a.To("r").Emit("room", []byte{8}))
		check(t, a.To("elsewhere").Emit("room", 3))
		check(t, a.Except("r").Emit("all", 3))
		check(t, a.To(p.sid).Emit("private", nil))
		check(t, a.To(other.sid).Emit("private", "not yours"))
		s, _ := a.Socket(other.sid)
		check(t, s.Broadcast().Emit("from other"))
		check(t, s.Emit("to other"))

		q := a.arrive(transport, "/", p.pid, p.offset)
		if q.sid != p.sid || q.pid != p.pid {
			t.Fatalf("a new session: %s %s, was %s %s", q.sid, q.pid, p.sid, p.pid)
		}
		q.wantEvents(`2["all",2]`, `51-["room",{"_placeholder":true,"num":0}]`)
		q.wantBinary("\x08")
		q.wantEvents(`2["private",null]`, `2["from other"]`)
		q.wantAlive()
		check(t, a.To("r").Emit("room", 4))
		q.wantEvents(`2["room",4]`)
		if got := []bool{<-recovered, <-recovered, <-recovered}; !slices.Equal(got, []bool{false, false, true}) {
			t.Errorf("Recovered was %v", got)
		}

		// And once more, with a client that has received nothing since.
		q.kill()
		receive(t, gone)
		check(t, a.Emit("all", 5))
		a.arrive(transport, "/", q.pid, q.offset).wantEvents(`2["all",5]`)
	})
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// The reference cannot recover a client that has received nothing; design.md says that we can.
func TestRecoveryWithoutOffset(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a, gone := recovering(t, core.Config{})
		a.Use(func(ctx context.Context) error {
			c, _ := core.From(ctx)
			return c.Emit("early", 1)
		})
		check(t, a.Emit("before its time"))
		p := a.arrive(transport, "/", "", "")
		p.kill()
		receive(t, gone)
		check(t, a.Emit("all", 1))
		q := a.arrive(transport, "/", p.pid, "")
		if q.sid != p.sid {
			t.Fatal("a new session")
		}
		q.wantEvents(`2["early",1]`, `2["all",1]`, `2["early",1]`)
		q.wantAlive()
	})
}

// What a session may not be taken up with; each time the client gets a new session, and no hint.
func TestRecoveryRefusesOthers(t *testing.T) {
	user := func(name string) func(http.Header, *string) {
		return func(h http.Header, _ *string) { h.Set("X-User", name) }
	}
	cfg := core.Config{Authenticate: func(r *http.Request) (context.Context, string, error) {
		return r.Context(), r.Header.Get("X-User"), nil
	}}
	type session struct{ sid, pid, offset string }
	cases := map[string]func(a *app, s session) *returning{
		"another user": func(a *app, s session) *returning {
			return a.arrive("websocket", "/", s.pid, s.offset, user("bob"))
		},
		"nobody":            func(a *app, s session) *returning { return a.arrive("websocket", "/", s.pid, s.offset) },
		"another namespace": func(a *app, s session) *returning { return a.arrive("websocket", "/b", s.pid, s.offset, user("ann")) },
		"an unknown id": func(a *app, s session) *returning {
			return a.arrive("websocket", "/", strings.Repeat("x", 20), s.offset, user("ann"))
		},
		"its socket id": func(a *app, s session) *returning { return a.arrive("websocket", "/", s.sid, s.offset, user("ann")) },
	}
	for _, bad := range []string{"$", "+", "0", "1-1", "' OR 1=1", "\x00", "---------0", "zzzzzzzzzz", "---------Z", strings.Repeat("9", 10_000)} {
		cases[fmt.Sprintf("offset %.20q", bad)] = func(a *app, s session) *returning {
			return a.arrive("websocket", "/", s.pid, bad, user("ann"))
		}
	}
	for name, come := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, gone := recovering(t, cfg)
			a.Of("/b")
			check(t, a.Emit("before"))
			p := a.arrive("websocket", "/", "", "", user("ann"))
			check(t, a.Emit("secret", 1))
			p.wantEvents(`2["secret",1]`)
			p.kill()
			receive(t, gone)
			check(t, a.Emit("secret", 2))
			q := come(a, session{p.sid, p.pid, p.offset})
			if q.sid == p.sid || q.pid == p.pid {
				t.Fatalf("recovered with %s", name)
			}
			q.send(`0/c,`) // nothing was replayed
			q.want(`4/c,{"message":"Invalid namespace"}`)
		})
	}
}

// D-21: sequentially and 50 times in parallel, exactly one takes a session up.
func TestRecoveryOnce(t *testing.T) {
	a, gone := recovering(t, core.Config{})
	p := a.arrive("websocket", "/", "", "")
	p.kill()
	receive(t, gone)
	var wg sync.WaitGroup
	came := make(chan string, 51)
	for i := range 50 {
		wg.Go(func() {
			came <- a.arrive([]string{"websocket", "polling"}[i%2], "/", p.pid, "").sid
		})
	}
	wg.Wait()
	came <- a.arrive("websocket", "/", p.pid, "").sid
	close(came)
	n := 0
	for sid := range came {
		if sid == p.sid {
			n++
		}
	}
	if n != 1 {
		t.Fatalf("%d sockets took up one session", n)
	}
}

// A client that leaves, or is sent away, has no session to come back to.
func TestRecoveryOnlyWhenCutOff(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		for name, leave := range map[string]func(a *app, p *returning){
			"client": func(_ *app, p *returning) { p.send("1") },
			"server": func(a *app, p *returning) { s, _ := a.Socket(p.sid); s.Disconnect() },
			"all":    func(a *app, p *returning) { s, _ := a.Socket(p.sid); s.DisconnectAll() },
			"garbage": func(_ *app, p *returning) {
				p.send("9nonsense")
			},
		} {
			a, gone := recovering(t, core.Config{})
			p := a.arrive(transport, "/", "", "")
			leave(a, p)
			receive(t, gone)
			if q := a.arrive(transport, "/", p.pid, ""); q.sid == p.sid {
				t.Errorf("%s: recovered", name)
			}
		}
	})
}

// Guards always run, and see the socket as it was; what they refuse is not taken up later either.
func TestRecoveryAuthenticates(t *testing.T) {
	a, gone := recovering(t, core.Config{})
	var banned bool
	a.Use(func(ctx context.Context) error {
		if banned {
			return &core.ConnectError{Message: "banned"}
		}
		return nil
	})
	p := a.arrive("websocket", "/", "", "")
	p.kill()
	receive(t, gone)
	banned = true
	q := a.dial("websocket")
	q.send(fmt.Sprintf(`0{"pid":%q}`, p.pid))
	q.want(`4{"message":"banned"}`)
	banned = false
	if r := a.arrive("websocket", "/", p.pid, ""); r.sid == p.sid {
		t.Fatal("recovered after a refusal")
	}
}

// A token's user is known only when the guards have run: a session is not taken up by another's.
func TestRecoveryOfATokensUser(t *testing.T) {
	a, gone := recovering(t, core.Config{})
	owner := "ann"
	a.Use(func(ctx context.Context) error {
		c, _ := core.From(ctx)
		c.SetValue("github.com/siokit/siokit/core.owner", owner)
		return nil
	})
	p := a.arrive("websocket", "/", "", "")
	check(t, a.To(p.sid).Emit("for ann"))
	p.wantEvents(`2["for ann"]`)
	p.kill()
	receive(t, gone)
	check(t, a.To(p.sid).Emit("for ann"))
	owner = "bob"
	q := a.arrive("websocket", "/", p.pid, p.offset)
	if q.sid == p.sid {
		t.Fatal("bob has Ann's session")
	}
	q.wantAlive()
	if _, there := a.Socket(p.sid); there {
		t.Error("Ann's socket is registered")
	}
}

// What is not kept: acks and events with acks carry no offset.
func TestRecoveryLeavesAcksAlone(t *testing.T) {
	a, _ := recovering(t, core.Config{})
	p := a.arrive("polling", "/", "", "")
	s, _ := a.Socket(p.sid)
	answer := make(chan error, 1)
	go func() {
		_, err := core.CallSocket[core.None](context.Background(), s, "sure?", 1)
		answer <- err
	}()
	p.want(`20["sure?",1]`)
	p.send(`30[]`)
	check(t, receive(t, answer))
	p.wantAlive()
}

// D-25: bounds hold, and what is beyond them is a new session, never a part of the events.
func TestRecoveryBounds(t *testing.T) {
	for name, cfg := range map[string]core.Recovery{
		"packets":  {MaxPackets: 5},
		"bytes":    {MaxBytes: 300},
		"sessions": {MaxSessions: 1},
		"window":   {Window: time.Nanosecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, gone := recovering(t, core.Config{Recovery: &cfg})
			p := a.arrive("websocket", "/", "", "")
			p.kill()
			receive(t, gone)
			a.arrive("websocket", "/", "", "").kill()
			receive(t, gone)
			for i := range 6 {
				check(t, a.Emit("n", i, strings.Repeat("x", 60)))
			}
			q := a.arrive("websocket", "/", p.pid, "")
			if q.sid == p.sid {
				t.Fatal("recovered")
			}
			q.wantAlive()
		})
	}
	t.Run("outbox", func(t *testing.T) {
		t.Parallel()
		a, gone := recovering(t, core.Config{})
		p := a.arrive("websocket", "/", "", "")
		p.kill()
		receive(t, gone)
		for range 12 {
			check(t, a.Emit("n", strings.Repeat("x", 100_000)))
		}
		q := a.arrive("websocket", "/", p.pid, "")
		if q.sid == p.sid {
			t.Fatal("recovered")
		}
		q.wantAlive()
	})
}

// Events that were for others may be forgotten: the client has missed nothing.
func TestRecoveryForgetsWhatWasNotMissed(t *testing.T) {
	a, gone := recovering(t, core.Config{Recovery: &core.Recovery{MaxPackets: 3}})
	p := a.arrive("websocket", "/", "", "")
	check(t, a.Emit("mine", 1))
	p.wantEvents(`2["mine",1]`)
	for i := range 10 {
		check(t, a.To("elsewhere").Emit("n", i))
	}
	p.kill()
	receive(t, gone)
	check(t, a.Emit("mine", 2))
	q := a.arrive("websocket", "/", p.pid, p.offset)
	if q.sid != p.sid {
		t.Fatal("a new session although nothing was lost")
	}
	q.wantEvents(`2["mine",2]`)
}

func TestRecoveryConfig(t *testing.T) {
	for _, cfg := range []core.Recovery{{Window: -1}, {MaxSessions: -1}, {MaxPackets: -1}, {MaxBytes: -1}} {
		if _, err := core.New(core.Config{Recovery: &cfg}); err == nil || !strings.Contains(err.Error(), "core: Recovery.") {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

func TestEmitAfterDisconnectIsNotKept(t *testing.T) {
	a, gone := recovering(t, core.Config{})
	p := a.arrive("websocket", "/", "", "")
	s, _ := a.Socket(p.sid)
	p.kill()
	receive(t, gone)
	if err := s.Emit("late"); !errors.Is(err, core.ErrDisconnected) {
		t.Fatal(err)
	}
	q := a.arrive("websocket", "/", p.pid, "")
	if q.sid != p.sid {
		t.Fatal("a new session")
	}
	q.wantAlive() // what Emit said was not sent does not come
}

// D-20: cut at random moments while three kinds of events are sent; nothing is lost, doubled or out
// of order.
func TestRecoveryUnderFire(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		cuts := 100
		if testing.Short() {
			cuts = 10
		}
		a, gone := recovering(t, core.Config{})
		a.OnConnect(func(c *core.Context) error { return c.Join("r") })
		p := a.arrive(transport, "/", "", "")
		sid := p.sid
		stop, sent := make(chan struct{}), make(chan int)
		var read atomic.Int64
		go func() {
			for i := 0; ; {
				select {
				case <-stop:
					sent <- i
					return
				default:
				}
				if int64(i)-read.Load() < 1000 { // a client that the machine stops must not miss more than is kept
					switch i % 3 {
					case 0:
						_ = a.Emit("n", i)
					case 1:
						_ = a.To("r").Emit("n", i)
					case 2:
						_ = a.To(sid).Emit("n", i)
					}
					i++
				}
				time.Sleep(50 * time.Microsecond) // the rate, not a wait
			}
		}()
		next := 0
		for range cuts {
			for range rand.IntN(40) {
				p.wantEvents(fmt.Sprintf(`2["n",%d]`, next))
				next++
				read.Store(int64(next))
			}
			p.kill()
			receive(t, gone)
			q := a.arrive(transport, "/", p.pid, p.offset)
			if q.sid != sid {
				t.Fatalf("not recovered after %d events", next)
			}
			p = q
		}
		close(stop)
		for total := <-sent; next < total; next++ {
			p.wantEvents(fmt.Sprintf(`2["n",%d]`, next))
		}
		p.wantAlive()
	})
}
