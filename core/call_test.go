package core_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siokit/siokit/core"
)

// ask registers an event whose handler calls the client back and sends the outcome to a channel.
func ask(a *app, event string, timeout time.Duration) (results chan error) {
	results = make(chan error, 10)
	core.On(a, event, func(c *core.Context, _ core.None) error {
		ctx := context.Context(c)
		if timeout > 0 {
			var cancel func()
			ctx, cancel = context.WithTimeout(c, timeout)
			defer cancel()
		}
		got, err := core.Call[string](ctx, "sure?", 1)
		if err == nil && got != "yes" {
			err = fmt.Errorf("answer %q", got)
		}
		results <- err
		return nil
	})
	return results
}

func TestCall(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{CallTimeout: 50 * time.Millisecond})
		results := ask(a, "default", 0)
		shorter := ask(a, "shorter", 20*time.Millisecond)
		longer := ask(a, "longer", time.Minute)
		p := a.dial(transport)
		sid := p.join("/", "")

		p.send(`2["longer"]`)
		p.want(`20["sure?",1]`)
		p.send(`30["yes"]`, `30["no"]`, `30["no"]`, `3999["no"]`) // repeated and unknown ids
		if err := receive(t, longer); err != nil {
			t.Error(err)
		}
		p.send(`2["longer"]`)
		p.want(`21["sure?",1]`)
		p.send(`31[5]`)
		var bad *core.ArgumentError
		if err := receive(t, longer); !errors.As(err, &bad) || bad.Event != "sure?" {
			t.Errorf("an answer of another type: %v", err)
		}
		p.send(`2["longer"]`)
		p.want(`22["sure?",1]`)
		p.send(`32[]`)
		if err := receive(t, longer); !errors.As(err, &bad) {
			t.Errorf("an answer without arguments: %v", err)
		}
		p.send(`2["default"]`)
		p.want(`23["sure?",1]`)
		if err := receive(t, results); err != core.ErrTimeout {
			t.Errorf("default timeout: %v", err)
		}
		p.send(`2["shorter"]`)
		p.want(`24["sure?",1]`)
		if err := receive(t, shorter); err != core.ErrTimeout {
			t.Errorf("deadline of the context: %v", err)
		}
		p.send(`34["too late"]`)
		p.wantAlive()
		s, _ := a.Socket(sid)
		if n := s.PendingAcks(); n != 0 {
			t.Errorf("%d calls are still remembered", n)
		}
		p.send(`2["longer"]`)
		p.want(`25["sure?",1]`)
		p.kill()
		if err := receive(t, longer); err != core.ErrDisconnected {
			t.Errorf("the client left: %v", err)
		}
		if n := s.PendingAcks(); n != 0 {
			t.Errorf("%d calls are remembered after the end", n)
		}
	})
}

func TestCallOutsideEvents(t *testing.T) {
	a := serve(t, core.Config{})
	results := make(chan error, 3)
	var socket *core.Socket
	a.OnConnect(func(c *core.Context) error {
		socket = c.Socket
		_, err := core.Call[core.None](c, "x")
		results <- err
		return nil
	})
	a.OnDisconnect(func(c *core.Context, _ core.Reason) {
		_, err := core.Call[core.None](context.WithoutCancel(c), "x")
		results <- err
	})
	p := a.dial("websocket")
	p.join("/", "")
	if err := receive(t, results); err != core.ErrNotConnected {
		t.Errorf("in OnConnect: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error)
	go func() {
		_, err := core.CallSocket[core.None](ctx, socket, "y")
		done <- err
	}()
	p.want(`20["y"]`)
	cancel(errors.New("why"))
	if err := receive(t, done); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := core.CallSocket[core.None](t.Context(), socket, "y", make(chan int)); err == nil {
		t.Error("a channel was sent")
	}
	if n := socket.PendingAcks(); n != 0 {
		t.Errorf("%d calls are remembered", n)
	}
	p.kill()
	if err := receive(t, results); err != core.ErrDisconnected {
		t.Errorf("in OnDisconnect: %v", err)
	}
	if _, err := core.Call[core.None](t.Context(), "x"); err != core.ErrNoSocket {
		t.Errorf("without a socket: %v", err)
	}
	if _, err := core.CallSocket[core.None](t.Context(), socket, "x"); err != core.ErrDisconnected {
		t.Errorf("after the end: %v", err)
	}
}

// D-08, V: each Call gets its own answer, and the rest ends at once when the client leaves. A-37:
// another user's answers change nothing.
func TestThousandCalls(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{OutboxPackets: 10_000})
		p, attacker := a.dial(transport), a.dial(transport)
		sid := p.join("/", "")
		attacker.join("/", "")
		s, _ := a.Socket(sid)
		const n = 1000
		answers := make([]chan error, n)
		for i := range answers {
			answers[i] = make(chan error, 2)
			go func() {
				got, err := core.CallSocket[int](context.Background(), s, "q", i)
				if err == nil && got != i {
					err = fmt.Errorf("call %d got %d", i, got)
				}
				answers[i] <- err
			}()
		}
		number := make([]int, n) // of the Call with that ack id
		order := rand.Perm(n)
		var guesses []any
		for range n {
			m, _ := p.next()
			var id, i int
			if _, err := fmt.Sscanf(strings.Replace(m.text, "[", " ", 1), `2%d "q",%d]`, &id, &i); err != nil {
				t.Fatal(m.text, err)
			}
			number[id] = i
			guesses = append(guesses, fmt.Sprintf(`3%d[-1]`, id))
		}
		attacker.send(guesses...)
		attacker.wantAlive()
		var replies []any
		for _, id := range order[:900] {
			replies = append(replies, fmt.Sprintf(`3%d[%d]`, id, number[id]))
			if id%10 == 0 {
				replies = append(replies, fmt.Sprintf(`3%d[-2]`, id))
			}
		}
		p.send(replies...)
		var wg sync.WaitGroup
		for _, id := range order[:900] {
			wg.Go(func() {
				if err := receive(t, answers[number[id]]); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if pending := s.PendingAcks(); pending != 100 {
			t.Errorf("%d calls wait, want 100", pending)
		}
		p.kill()
		for _, id := range order[900:] {
			if err := receive(t, answers[number[id]]); err != core.ErrDisconnected {
				t.Errorf("unanswered call: %v", err)
			}
		}
		for _, ch := range answers {
			silent(t, ch)
		}
		if pending := s.PendingAcks(); pending != 0 {
			t.Errorf("%d calls are remembered", pending)
		}
	})
}
