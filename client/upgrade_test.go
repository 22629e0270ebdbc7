package client_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/internal/delivery"
)

// talk is a client and a server that send each other stamped messages.
type talk struct {
	c           *client.Client
	server      *core.Socket
	here, there *delivery.Ledger
	sent        int // by each side
}

// newTalk serves on n and connects a client whose connections go through wrap.
func newTalk(t *testing.T, n *network, opts client.Options, wrap func(net.Conn) net.Conn) (k *talk, stop func()) {
	t.Helper()
	k = &talk{here: delivery.NewLedger(), there: delivery.NewLedger()}
	sockets := make(chan *core.Socket, 10)
	stop = memoryServer(t, n, func(srv *core.Server) {
		srv.OnConnect(func(c *core.Context) error { sockets <- c.Socket; return nil })
		core.On(srv, "take", func(_ *core.Context, m delivery.Message) error { k.there.Take(m); return nil })
	})
	opts.Logger, opts.DisableReconnection = slog.New(slog.DiscardHandler), true
	opts.HTTP = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := n.dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return wrap(conn), nil
	}}}
	var err error
	if k.c, err = client.New("http://memory", opts); err != nil {
		t.Fatal(err)
	}
	client.On(k.c, "delivered", func(_ context.Context, m delivery.Message) error { k.here.Take(m); return nil })
	connect(t, k.c)
	k.server = <-sockets
	return k, stop
}

// exchange sends n messages each way.
func (k *talk) exchange(t *testing.T, n int) {
	t.Helper()
	for range n {
		attachments := k.sent % 3
		if err := k.c.Emit("take", delivery.New("client", "", k.sent, attachments)); err != nil {
			t.Fatal(err)
		}
		if err := k.server.Emit("delivered", delivery.New("server", "", k.sent, attachments)); err != nil {
			t.Fatal(err)
		}
		k.sent++
	}
}

// want waits until all has arrived.
func (k *talk) want(t *testing.T) {
	t.Helper()
	k.there.Want(t, k.sent)
	k.here.Want(t, k.sent)
}

// probed is the client's end of a connection, whose functions run as an upgrade proceeds. An error breaks the
// connection.
type probed struct {
	net.Conn
	opening func() error // before the request for a WebSocket is written
	probing func()       // before the probe is written
	answer  func() error // before its answer is read
	after   func() error // before what follows is read
	polled  func()       // after something was read that is not a WebSocket's

	mu     sync.Mutex
	writes int // of a WebSocket, its request included; guarded by mu
	reads  int // since the probe; guarded by mu
}

func (c *probed) Write(p []byte) (int, error) {
	c.mu.Lock()
	if c.writes > 0 || bytes.Contains(p, []byte("\r\nUpgrade: websocket\r\n")) {
		c.writes++
	}
	writes := c.writes
	c.mu.Unlock()
	switch {
	case writes == 1 && c.opening != nil:
		if err := c.opening(); err != nil {
			return 0, err
		}
	case writes == 2 && c.probing != nil:
		c.probing()
	}
	return c.Conn.Write(p)
}

func (c *probed) Read(p []byte) (int, error) {
	c.mu.Lock()
	var hook func() error
	if c.writes > 1 {
		switch c.reads++; c.reads {
		case 1:
			hook = c.answer
		case 2:
			hook = c.after
		}
	}
	c.mu.Unlock()
	if hook != nil {
		if err := hook(); err != nil {
			_ = c.Conn.Close()
			return 0, err
		}
	}
	k, err := c.Conn.Read(p)
	c.mu.Lock()
	polling := c.writes == 0
	c.mu.Unlock()
	if polling && c.polled != nil {
		c.polled()
	}
	return k, err
}

// D-02: while the WebSocket is probed both sides go on over polling, without waiting for it; and what is said
// around the switch keeps its place.
func TestTalkDuringTheProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		probing, release := make(chan struct{}), make(chan struct{})
		k, stop := newTalk(t, n, client.Options{}, func(conn net.Conn) net.Conn {
			return &probed{Conn: conn, answer: func() error { close(probing); <-release; return nil }}
		})
		<-probing
		for range 10 {
			k.exchange(t, 20)
			k.want(t)
			if k.c.Transport() != "polling" {
				t.Fatalf("on %s while the probe is unanswered", k.c.Transport())
			}
		}
		start := time.Now()
		k.exchange(t, 20) // and these are under way
		close(release)
		k.exchange(t, 20)
		k.want(t)
		synctest.Wait()
		if k.c.Transport() != "websocket" {
			t.Errorf("on %s", k.c.Transport())
		}
		if took := time.Since(start); took > 100*time.Millisecond {
			t.Errorf("the switch took %s: the poll was not released", took)
		}
		k.exchange(t, 20)
		k.want(t)
		_ = k.c.Close()
		stop()
		n.close()
	})
}

// D-03: an upgrade that fails costs nothing, and the next session may try again.
func TestFailedUpgradesLoseNothing(t *testing.T) {
	for name, fail := range map[string]func() (wrap func(net.Conn) net.Conn){
		"a proxy blocks WebSockets": func() func(net.Conn) net.Conn {
			return func(conn net.Conn) net.Conn {
				return &probed{Conn: conn, opening: func() error { return errors.New("blocked") }}
			}
		},
		"the probe is never answered": func() func(net.Conn) net.Conn {
			return func(conn net.Conn) net.Conn {
				p := &probed{Conn: conn}
				p.answer = func() error { time.Sleep(time.Minute); return io.ErrUnexpectedEOF }
				return p
			}
		},
		"cut instead of the answer": func() func(net.Conn) net.Conn {
			return func(conn net.Conn) net.Conn {
				return &probed{Conn: conn, answer: func() error { return io.ErrUnexpectedEOF }}
			}
		},
		"cut after the answer": func() func(net.Conn) net.Conn {
			probing, cut := make(chan struct{}), make(chan struct{})
			return func(conn net.Conn) net.Conn {
				return &probed{
					Conn:    conn,
					probing: func() { close(probing) },
					// By then a poll is on its way, and so the client cannot move at once.
					answer: func() error { time.Sleep(250 * time.Millisecond); return nil },
					after:  func() error { close(cut); return io.ErrUnexpectedEOF },
					polled: func() { // once the poll has been answered the client moves: that must come too late
						select {
						case <-probing:
						default:
							return
						}
						select {
						case <-cut:
						default:
							<-cut
							time.Sleep(time.Second)
						}
					},
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &network{}
				var mu sync.Mutex
				wrap := fail()
				k, stop := newTalk(t, n, client.Options{}, func(conn net.Conn) net.Conn {
					mu.Lock()
					defer mu.Unlock()
					return wrap(conn)
				})
				for range 30 { // 15 s; a probe may take 10
					k.exchange(t, 10)
					time.Sleep(500 * time.Millisecond)
				}
				k.want(t)
				if k.c.Transport() != "polling" || !k.c.Connected() {
					t.Errorf("on %q", k.c.Transport())
				}
				id := k.c.ID()
				mu.Lock()
				wrap = func(conn net.Conn) net.Conn { return conn }
				mu.Unlock()
				time.Sleep(time.Minute)
				if k.c.ID() != id {
					t.Error("the session has ended")
				}
				_ = k.c.Close()
				again := make(chan struct{}, 1)
				k.c.Of("/").OnConnect(func(context.Context) { again <- struct{}{} })
				connect(t, k.c)
				<-again
				time.Sleep(time.Second)
				if k.c.Transport() != "websocket" {
					t.Errorf("the next session is on %q", k.c.Transport())
				}
				_ = k.c.Close()
				stop()
				n.close()
			})
		})
	}
}

// slow is a connection on which everything that is written takes a while to leave.
type slow struct {
	net.Conn
	delay time.Duration
}

func (c slow) Write(p []byte) (int, error) {
	time.Sleep(c.delay)
	return c.Conn.Write(p)
}

// An upgrade waits for the body that is being sent, and not for what queues behind it: over a slow network
// that took longer than the server waits.
func TestUpgradeWithABacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		k, stop := newTalk(t, n, client.Options{}, func(conn net.Conn) net.Conn { return slow{conn, 400 * time.Millisecond} })
		k.exchange(t, 2000)
		time.Sleep(5 * time.Second)
		if k.c.Transport() != "websocket" {
			t.Errorf("still on %s", k.c.Transport())
		}
		k.want(t)
		_ = k.c.Close()
		stop()
		n.close()
	})
}
