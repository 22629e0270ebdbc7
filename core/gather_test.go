package core_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siokit/siokit/core"
)

// outcome is what a Gather said of one client.
type outcome struct {
	answer string
	err    error
}

// gather collects a Gather by socket id, on a goroutine.
func gather(ctx context.Context, to core.Broadcast, event string, args ...any) <-chan map[string]outcome {
	done := make(chan map[string]outcome, 1)
	go func() {
		all := make(map[string]outcome)
		for r, err := range core.Gather[string](ctx, to, event, args...) {
			if _, twice := all[r.ID]; twice {
				err = errors.New("a second entry")
			}
			all[r.ID] = outcome{r.Answer, err}
		}
		done <- all
	}()
	return done
}

// Everybody answers; each has an ack id of its own, and nobody else's.
func TestGather(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{})
		peers, s := members(t, a, transport, 4)
		_ = core.EmitFunc(s[1], "before", nil, func(int, error) {}) // takes id 0 of this client
		peers[1].want(`20["before"]`)
		done := gather(t.Context(), a.To("all", "r0").Except("r3"), "vote", "now")
		peers[0].want(`20["vote","now"]`)
		peers[1].want(`21["vote","now"]`)
		peers[2].want(`20["vote","now"]`)
		peers[3].send(`30["not asked"]`, `31["not asked"]`)
		peers[3].wantAlive() // and was not asked
		peers[2].send(`31["not mine"]`, `39007199254740991["unknown"]`)
		peers[2].send(`30["c"]`, `30["C"]`, `31["twice"]`) // the first one counts
		peers[1].send(`31["b"]`)
		peers[0].send(`30["a"]`)
		got := receive(t, done)
		want := map[string]outcome{s[0].ID(): {"a", nil}, s[1].ID(): {"b", nil}, s[2].ID(): {"c", nil}}
		if !maps.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		for i, n := range []int{0, 1, 0, 0} {
			if got := s[i].PendingAcks(); got != n {
				t.Errorf("client %d: %d acks pending, want %d", i, got, n)
			}
		}
	})
}

// In the order of arrival, and while others are still missing.
func TestGatherYieldsOnArrival(t *testing.T) {
	a := serve(t, core.Config{})
	peers, s := members(t, a, "websocket", 3)
	arrived := make(chan string)
	go func() {
		defer close(arrived)
		for r, err := range core.Gather[string](t.Context(), a.Timeout(patience), "vote") {
			if err != nil {
				t.Error(err)
			}
			arrived <- r.ID + r.Answer
		}
	}()
	for _, p := range peers {
		p.want(`20["vote"]`)
	}
	for _, i := range []int{2, 0, 1} {
		peers[i].send(fmt.Sprintf(`30["%d"]`, i))
		if got := receive(t, arrived); got != s[i].ID()+fmt.Sprint(i) {
			t.Errorf("got %q", got)
		}
	}
	if got, open := <-arrived; open {
		t.Errorf("after the last: %q", got)
	}
}

// answerTime is a timeout in which the clients that answer do so on a busy machine too.
const answerTime = 10 * time.Second

// Who did not answer is named, with the reason, and at once where it is known.
func TestGatherWithoutAnswer(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		for name, c := range map[string]struct {
			end  func(ctx context.Context) (context.Context, context.CancelFunc)
			to   func(b core.Broadcast) core.Broadcast
			want error
		}{
			"Timeout": {want: core.ErrTimeout, to: func(b core.Broadcast) core.Broadcast { return b.Timeout(answerTime) }},
			"deadline": {want: core.ErrTimeout, end: func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, answerTime)
			}},
			"cancelled":   {want: context.Canceled, end: context.WithCancel},
			"CallTimeout": {want: core.ErrTimeout},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel() // it waits
				cfg := core.Config{CallTimeout: answerTime}
				if name != "CallTimeout" {
					cfg.CallTimeout = patience // so that it is not what ends the others
				}
				a := serve(t, cfg)
				peers, s := members(t, a, transport, 5)
				ctx, cancel := t.Context(), context.CancelFunc(func() {})
				to := a.To("all")
				if c.end != nil {
					ctx, cancel = c.end(ctx)
				}
				if c.to != nil {
					to = c.to(to)
				}
				done := gather(ctx, to, "vote")
				for _, p := range peers {
					p.want(`20["vote"]`)
				}
				peers[0].send(`30["yes"]`)
				peers[1].send(`30[{"not":"a string"}]`)
				peers[2].send(`30[]`)
				peers[3].kill()
				eventually(t, "one has left", func() bool { return !s[3].Connected() })
				for _, p := range peers[:3] {
					p.wantAlive() // its answer has been taken
				}
				if name == "cancelled" {
					cancel()
				}
				got := receive(t, done)
				cancel()
				if len(got) != 5 || got[s[0].ID()] != (outcome{"yes", nil}) || got[s[3].ID()].err != core.ErrDisconnected || got[s[4].ID()] != (outcome{"", c.want}) {
					t.Errorf("got %v", got)
				}
				for _, i := range []int{1, 2} {
					var bad *core.ArgumentError
					if o := got[s[i].ID()]; !errors.As(o.err, &bad) || bad.Event != "vote" || o.answer != "" {
						t.Errorf("client %d: %v", i, o)
					}
				}
				for _, s := range s {
					if n := s.PendingAcks(); n != 0 {
						t.Errorf("%d acks pending", n)
					}
				}
				peers[4].send(`30["too late"]`)
				peers[4].wantAlive()
			})
		}
	})
}

// What cannot be sent is one entry without an ID; asking nobody is none.
func TestGatherNothing(t *testing.T) {
	a := serve(t, core.Config{})
	peers, s := members(t, a, "websocket", 1)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx   context.Context
		to    core.Broadcast
		event string
		arg   any
		want  string
	}{
		"nobody":       {t.Context(), a.To(""), "e", 1, ""},
		"empty room":   {t.Context(), a.To("empty"), "e", 1, ""},
		"no rooms":     {t.Context(), a.Timeout(1).To(), "e", 1, ""},
		"all excepted": {t.Context(), s[0].Broadcast().Local(), "e", 1, ""},
		"bad argument": {t.Context(), a.Local(), "e", func() {}, "argument 1"},
		"reserved":     {t.Context(), a.Local(), "disconnect", 1, "reserved"},
		"ended":        {ended, a.Local(), "e", 1, "canceled"},
	} {
		got := receive(t, gather(c.ctx, c.to, c.event, c.arg))
		if c.want == "" && len(got) == 0 {
			continue
		}
		if err := got[""].err; len(got) != 1 || err == nil || c.want == "" || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
	peers[0].wantAlive()
	if n := s[0].PendingAcks(); n != 0 {
		t.Errorf("%d acks pending", n)
	}
}

// Leaving the loop gives up, and a second loop asks again.
func TestGatherBreak(t *testing.T) {
	a := serve(t, core.Config{})
	peers, s := members(t, a, "websocket", 3)
	votes := core.Gather[string](t.Context(), a.Local(), "vote")
	for round := range 2 {
		first := make(chan string, 1)
		go func() {
			for r, err := range votes {
				first <- fmt.Sprint(r.Answer, err)
				break
			}
		}()
		for _, p := range peers {
			p.want(fmt.Sprintf(`2%d["vote"]`, round))
		}
		peers[1].send(fmt.Sprintf(`3%d["me"]`, round))
		if got := receive(t, first); got != "me<nil>" {
			t.Error(got)
		}
		eventually(t, "the others are given up", func() bool {
			return s[0].PendingAcks()+s[1].PendingAcks()+s[2].PendingAcks() == 0
		})
	}
}

// A handler may gather from everybody, its own client included, and binary goes both ways.
func TestGatherInHandler(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{})
		type reading struct {
			Data []byte `json:"data"`
		}
		core.OnCall(a, "collect", func(c *core.Context, _ core.None) (sum int, err error) {
			blob := []byte{1, 2}
			for r, err := range core.Gather[core.Args2[reading, int]](c, a.Local(), "read", blob) {
				if err != nil {
					return 0, err
				}
				blob[0] = 99 // it has been sent long ago
				sum += len(r.Answer.A.Data) * r.Answer.B
			}
			return sum, nil
		})
		peers, _ := members(t, a, transport, 2)
		peers[0].send(`25["collect"]`)
		for _, p := range peers {
			p.want(`51-0["read",{"_placeholder":true,"num":0}]`)
			p.wantBinary("\x01\x02")
		}
		peers[0].send(`61-0[{"data":{"_placeholder":true,"num":0}},10]`, []byte("abc"))
		peers[1].send(`61-0[{"data":{"_placeholder":true,"num":0}},100]`, []byte("ab"))
		peers[0].want(`35[230]`)
		peers[1].send(`61-7[{"data":{"_placeholder":true,"num":0}},100]`, []byte("ab")) // of nothing
		peers[1].wantAlive()
	})
}

// A client that OnConnect has not accepted yet is asked as soon as it is connected.
func TestGatherFromConnecting(t *testing.T) {
	a := serve(t, core.Config{})
	entered, release := make(chan *core.Socket, 2), make(chan error)
	a.OnConnect(func(c *core.Context) error { entered <- c.Socket; return <-release })
	for _, refusal := range []error{nil, errors.New("no")} {
		p := a.dial("websocket")
		p.send("0")
		s := receive(t, entered)
		done := gather(t.Context(), a.To(s.ID()), "vote")
		eventually(t, "it is asked", func() bool { return s.PendingAcks() == 1 })
		release <- refusal
		want := outcome{"yes", nil}
		if refusal == nil {
			p.want(connected, `20["vote"]`)
			p.send(`30["yes"]`)
		} else {
			want = outcome{"", core.ErrDisconnected}
		}
		if got := receive(t, done); got[s.ID()] != want {
			t.Errorf("got %v", got)
		}
	}
}

// counted counts how often it is encoded.
type counted struct{ n *atomic.Int64 }

func (c counted) MarshalJSON() ([]byte, error) {
	c.n.Add(1)
	return []byte(`"` + strings.Repeat("x", 1000) + `"`), nil
}

// A thousand clients, one encoding.
func TestGatherEncodesOnce(t *testing.T) {
	a := serve(t, core.Config{})
	clients := 1000
	if testing.Short() {
		clients = 50
	}
	peers := make([]*peer, clients)
	for i := range peers {
		peers[i] = a.dial("websocket")
		peers[i].join("/", "")
	}
	var answering sync.WaitGroup
	for i, p := range peers {
		answering.Go(func() {
			m, _ := p.next()
			id := strings.TrimPrefix(m.text[:strings.IndexByte(m.text, '[')], "2")
			p.send(fmt.Sprintf("3%s[%d]", id, i))
		})
	}
	var encoded atomic.Int64
	answers := make(map[int]bool)
	for r, err := range core.Gather[int](t.Context(), a.Local(), "vote", counted{&encoded}) {
		if err != nil {
			t.Error(err)
		}
		answers[r.Answer] = true
	}
	answering.Wait()
	if len(answers) != clients || encoded.Load() != 1 {
		t.Errorf("%d answers of %d, %d encodings", len(answers), clients, encoded.Load())
	}
}
