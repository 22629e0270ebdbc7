package core_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/siokit/siokit/core"
)

// asked emits with a callback; its outcome comes on the channel.
func asked(t *testing.T, to core.One, args ...any) <-chan outcome {
	t.Helper()
	got := make(chan outcome, 2) // a second call would show
	if err := core.EmitFunc(to, "q", args, func(answer string, err error) { got <- outcome{answer, err} }); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestEmitFunc(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{CallTimeout: 50 * time.Millisecond})
		peers, sockets := members(t, a, transport, 2)
		p, s := peers[0], sockets[0]
		long := s.Timeout(patience)

		got := asked(t, long, "now", 1)
		p.want(`20["q","now",1]`)
		peers[1].send(`30["not mine"]`)
		peers[1].wantAlive()
		p.send(`30["yes"]`, `30["no"]`, `31["no"]`)
		if o := receive(t, got); o != (outcome{"yes", nil}) {
			t.Errorf("got %v", o)
		}
		p.wantAlive() // the answers to nothing have been dropped
		got = asked(t, long.Compress(false), []byte("b"))
		p.want(`51-1["q",{"_placeholder":true,"num":0}]`)
		p.wantBinary("b")
		p.send(`31[5]`)
		var bad *core.ArgumentError
		if o := receive(t, got); !errors.As(o.err, &bad) || bad.Event != "q" || o.answer != "" {
			t.Errorf("another type: %v", o)
		}
		for _, to := range []core.One{s, s.Timeout(20 * time.Millisecond)} { // CallTimeout, Timeout
			if o := receive(t, asked(t, to)); o.err != core.ErrTimeout {
				t.Errorf("got %v", o)
			}
		}
		p.want(`22["q"]`, `23["q"]`)
		p.send(`32["late"]`)
		p.wantAlive()
		if err := core.EmitFunc(s, "q", []any{make(chan int)}, func(int, error) { t.Error("called") }); err == nil {
			t.Error("a channel was sent")
		}
		if err := core.EmitFunc[int](s, "q", nil, nil); err == nil {
			t.Error("no function")
		}
		if n := s.PendingAcks(); n != 0 {
			t.Errorf("%d acks pending", n)
		}
		got = asked(t, long)
		p.want(`25["q"]`)
		p.kill()
		if o := receive(t, got); o.err != core.ErrDisconnected {
			t.Errorf("the client left: %v", o)
		}
		if err := core.EmitFunc(s, "q", nil, func(int, error) { t.Error("called") }); err != core.ErrDisconnected {
			t.Errorf("after the end: %v", err)
		}
		silent(t, got)
		if _, err := core.CallSocket[int](t.Context(), long, "q"); err != core.ErrDisconnected {
			t.Errorf("CallSocket after the end: %v", err)
		}
	})
}

// Timeout replaces CallTimeout, and a later deadline does not hold it up.
func TestCallSocketTimeout(t *testing.T) {
	a := serve(t, core.Config{})
	peers, s := members(t, a, "websocket", 1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	for _, ctx := range []context.Context{t.Context(), ctx} {
		if _, err := core.CallSocket[int](ctx, s[0].Timeout(20*time.Millisecond), "q"); err != core.ErrTimeout {
			t.Error(err)
		}
	}
	peers[0].want(`20["q"]`, `21["q"]`)
	peers[0].wantAlive()
}

// In OnConnect the event waits for the client; a refused client is a disconnected one.
func TestEmitFuncInOnConnect(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{})
		got := make(chan outcome, 2)
		refuse := false // changes between connections only
		a.OnConnect(func(c *core.Context) error {
			_ = c.Emit("first")
			err := core.EmitFunc(c, "q", nil, func(answer string, err error) { got <- outcome{answer, err} })
			if refuse {
				err = errors.New("no")
			}
			return err
		})
		p := a.dial(transport)
		p.join("/", "")
		p.want(`2["first"]`, `20["q"]`)
		p.send(`30["hello"]`)
		if o := receive(t, got); o != (outcome{"hello", nil}) {
			t.Errorf("got %v", o)
		}
		p.send("1") // leave, so that the handler is not running
		refuse = true
		p.send("0")
		p.want(`4{"message":"internal error"}`)
		if o := receive(t, got); o.err != core.ErrDisconnected {
			t.Errorf("refused: %v", o)
		}
	})
}

func TestEmitFuncPanics(t *testing.T) {
	a := serve(t, core.Config{})
	reported := make(chan error, 3)
	a.OnError(func(c *core.Context, err error) {
		if c.Event() != "q" {
			t.Errorf("event %q", c.Event())
		}
		reported <- err
	})
	p := a.dial("websocket")
	s, _ := a.Socket(p.join("/", ""))
	wantPanic := func(err error) {
		t.Helper()
		var panicked *core.PanicError
		if !errors.As(err, &panicked) {
			t.Errorf("got %v", err)
		}
	}
	_ = core.EmitFunc(s, "q", nil, func(int, error) { panic("on purpose") })
	p.want(`20["q"]`)
	p.send(`30[1]`)
	wantPanic(receive(t, reported))

	told := make(chan error, 1)
	_ = core.EmitFunc(s, "q", nil, func(_ explosive, err error) { told <- err })
	p.want(`21["q"]`)
	p.send(`31[1]`)
	wantPanic(receive(t, told))
	wantPanic(receive(t, reported))

	_ = core.EmitFunc(s, "q", nil, func(int, error) { told <- nil; runtime.Goexit() })
	p.want(`22["q"]`)
	p.send(`32[1]`)
	_ = receive(t, told)
	p.wantAlive()
	if n := a.Panics(); n != 2 {
		t.Errorf("%d panics", n)
	}
}

// Callbacks do not queue behind handlers, and Shutdown waits for them.
func TestEmitFuncBesideHandlers(t *testing.T) {
	a := serve(t, core.Config{})
	core.On(a, "wait", func(c *core.Context, _ core.None) error {
		got := make(chan bool, 1)
		if err := core.EmitFunc(c, "q", nil, func(yes bool, err error) { got <- yes && err == nil }); err != nil {
			return err
		}
		if !receive(t, got) {
			t.Error("no answer")
		}
		return nil
	})
	p := a.dial("websocket")
	s, _ := a.Socket(p.join("/", ""))
	p.send(`24["wait"]`)
	p.want(`20["q"]`)
	p.send(`30[true]`)
	p.want(`34[]`)

	ended := false // written by the callback, read after Shutdown: the race detector judges
	_ = core.EmitFunc(s, "q", nil, func(_ int, err error) {
		if err != core.ErrDisconnected {
			t.Errorf("at Shutdown: %v", err)
		}
		time.Sleep(50 * time.Millisecond)
		ended = true
	})
	p.want(`21["q"]`)
	if err := a.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if !ended {
		t.Error("Shutdown did not wait for a callback")
	}
}

// A guard may ask a client that comes back; it is asked after it has got what it missed.
func TestEmitFuncInGuardOfARecovered(t *testing.T) {
	a, gone := recovering(t, core.Config{})
	var guard func(c *core.Context) error // changes between connections only
	a.Use(func(ctx context.Context) error {
		if guard == nil {
			return nil
		}
		c, _ := core.From(ctx)
		return guard(c)
	})
	p := a.arrive("websocket", "/", "", "")
	p.kill()
	receive(t, gone)
	check(t, a.Emit("missed"))
	got := make(chan outcome, 1)
	guard = func(c *core.Context) error {
		return errors.Join(c.Emit("guard"), core.EmitFunc(c, "q", nil, func(answer string, err error) { got <- outcome{answer, err} }))
	}
	q := a.arrive("websocket", "/", p.pid, "")
	q.wantEvents(`2["missed"]`, `2["guard"]`)
	q.want(`20["q"]`)
	q.send(`30["here"]`)
	if o := receive(t, got); o != (outcome{"here", nil}) {
		t.Errorf("got %v", o)
	}
}

// D-27: of the options, Volatile keeps an event from being kept for a client that comes back, and
// nothing else does.
func TestOptionsWithRecovery(t *testing.T) {
	a, gone := recovering(t, core.Config{})
	var seen []string
	a.OnEmit(func(event string, _ []any, to core.Broadcast) { seen = append(seen, event) })
	p := a.arrive("websocket", "/", "", "")
	eventually(t, "a volatile event arrives, without an offset", func() bool {
		check(t, a.Volatile().Emit("v"))
		return len(p.in) > 0
	})
	p.want(`2["v"]`)
	p.kill()
	receive(t, gone)
	seen = nil
	check(t, a.Compress(false).Local().Timeout(1).Emit("kept", 1))
	check(t, a.Volatile().To(p.sid).Emit("dropped"))
	check(t, a.Send("kept", 2))
	for r, err := range core.Gather[int](t.Context(), a.To(p.sid), "asked") {
		t.Error(r, err)
	}
	q := a.arrive("websocket", "/", p.pid, "")
	q.wantEvents(`2["kept",1]`, `2["message","kept",2]`)
	q.wantAlive()
	if got := strings.Join(seen, " "); got != "kept dropped message asked" {
		t.Errorf("OnEmit saw %s", got)
	}
}
