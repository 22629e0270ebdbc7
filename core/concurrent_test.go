package core_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/siokit/siokit/core"
)

func TestConcurrent(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{})
		began, gates := make(chan int, 10), [4]chan struct{}{}
		for i := range gates {
			gates[i] = make(chan struct{})
		}
		core.OnCall(a, "slow", func(_ *core.Context, n int) (int, error) {
			began <- n
			<-gates[n]
			return n, nil
		}, core.Concurrent(2))
		core.OnCall(a, "in order", func(_ *core.Context, n int) (int, error) { return n, nil })
		p := a.dial(transport)
		p.join("/", "")
		p.send(`20["slow",0]`, `21["slow",1]`, `22["in order",2]`)
		p.want(`32[2]`) // overtakes both
		if x, y := receive(t, began), receive(t, began); x+y != 1 {
			t.Errorf("%d and %d began", x, y)
		}
		p.send(`23["slow",2]`, `24["in order",4]`, `25["slow",3]`)
		silent(t, p.in)
		close(gates[1])
		p.want(`31[1]`) // acks leave as the handlers end
		if got := receive(t, began); got != 2 {
			t.Errorf("%d began", got)
		}
		p.want(`34[4]`) // had to wait with the third
		silent(t, began)
		close(gates[2])
		p.want(`33[2]`)
		if got := receive(t, began); got != 3 {
			t.Errorf("%d began", got)
		}
		close(gates[0])
		p.want(`30[0]`)
		close(gates[3])
		p.want(`35[3]`)
		p.wantAlive()
	})
}

// Concurrent(1) keeps the order within the event only; EachEvent makes it the default.
func TestConcurrentOfANamespace(t *testing.T) {
	a := serve(t, core.Config{})
	gate := make(chan struct{})
	core.On(a, "wait", func(*core.Context, core.None) error { <-gate; return nil })
	core.On(a, "open", func(*core.Context, core.None) error { close(gate); return nil })
	a.EachEvent(core.Concurrent(1))
	p := a.dial("websocket")
	p.join("/", "")
	p.send(`20["wait"]`, `21["open"]`)
	m, _ := p.next()
	n, _ := p.next()
	if got := m.text + n.text; got != "30[]31[]" && got != "31[]30[]" {
		t.Errorf("acks %s", got)
	}
}

func TestDisconnectAfterConcurrentHandlers(t *testing.T) {
	for name, leave := range map[string]func(p *peer, s *core.Socket){
		"client":  func(p *peer, _ *core.Socket) { p.send("1") },
		"network": func(p *peer, _ *core.Socket) { p.kill() },
		"server":  func(_ *peer, s *core.Socket) { s.Disconnect() },
	} {
		t.Run(name, func(t *testing.T) {
			a := serve(t, core.Config{})
			order, gate := make(chan string, 10), make(chan struct{})
			socket := make(chan *core.Context, 10)
			core.On(a, "slow", func(c *core.Context, n int) error {
				socket <- c
				<-gate
				order <- fmt.Sprint("handler ", n, " ", c.Err() != nil)
				return nil
			}, core.Concurrent(1))
			a.OnDisconnect(func(*core.Context, core.Reason) { order <- "disconnect" })
			p := a.dial("websocket")
			p.join("/", "")
			p.send(`2["slow",1]`, `2["slow",2]`)
			s := receive(t, socket)
			eventually(t, "the second waits", func() bool { return s.QueuedEvents() == 0 })
			leave(p, s.Socket)
			receive(t, s.Done())
			silent(t, order)
			close(gate)
			want := []string{"handler 1 true", "handler 2 true", "disconnect"}
			if name == "server" { // what waits is dropped
				want = []string{"handler 1 true", "disconnect"}
			}
			for _, w := range want {
				if got := receive(t, order); got != w {
					t.Errorf("%q, want %q", got, w)
				}
			}
		})
	}
}

func TestShutdownWaitsForConcurrentHandlers(t *testing.T) {
	a := serve(t, core.Config{})
	began, gate := make(chan struct{}), make(chan struct{})
	core.OnCall(a, "slow", func(*core.Context, core.None) (string, error) {
		close(began)
		<-gate
		return "done", nil
	}, core.Concurrent(4))
	p := a.dial("websocket")
	p.join("/", "")
	p.wantAlive()
	p.send(`20["slow"]`)
	receive(t, began)
	down := make(chan error, 1)
	go func() { down <- a.Shutdown(context.Background()) }()
	eventually(t, "new handshakes are refused", func() bool {
		_, status, err := a.tryDial("polling")
		return err != nil && status == 503
	})
	silent(t, down)
	close(gate)
	p.want(`30["done"]`)
	if err := receive(t, down); err != nil {
		t.Error(err)
	}
}

// Beyond what may run and what may wait, the server stops reading.
func TestBackPressureOfConcurrentHandlers(t *testing.T) {
	a := serve(t, core.Config{QueueEvents: 4})
	gate, began := make(chan struct{}), make(chan *core.Context, 1000)
	core.On(a, "n", func(c *core.Context, _ core.None) error { began <- c; <-gate; return nil }, core.Concurrent(3))
	p := a.dial("websocket")
	p.join("/", "")
	const sent = 100
	for range sent {
		p.send(`2["n"]`)
	}
	c := receive(t, began)
	receive(t, began)
	receive(t, began)
	eventually(t, "the queue is full", func() bool { return c.QueuedEvents() == 4 })
	silent(t, began)
	if n := c.QueuedEvents(); n > 4 {
		t.Errorf("%d events wait", n)
	}
	close(gate)
	for range sent - 3 {
		receive(t, began)
	}
	p.wantAlive()
}

// A handler that ends its goroutine, as t.FailNow does, gives its place free.
func TestGoexitInConcurrentHandler(t *testing.T) {
	a := serve(t, core.Config{})
	core.On(a, "exit", func(*core.Context, core.None) error { runtime.Goexit(); return nil }, core.Concurrent(1))
	core.On(a, "panic", func(*core.Context, core.None) error { panic("boom") }, core.Concurrent(1))
	p := a.dial("websocket")
	p.join("/", "")
	for range 3 {
		p.send(`20["exit"]`, `21["panic"]`)
		p.wantAlive()
	}
}
