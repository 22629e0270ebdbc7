package client_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/siokit/siokit/client"
)

// cutter dials for an http.Transport and can cut everything it has dialled.
type cutter struct {
	mu     sync.Mutex
	closed bool       // dialling fails; guarded by mu
	conns  []net.Conn // guarded by mu
}

func (k *cutter) options(opts client.Options) client.Options {
	opts.HTTP = &http.Client{Transport: &http.Transport{DialContext: k.dial}}
	opts.ReconnectDelay = 10 * time.Millisecond
	return opts
}

func (k *cutter) dial(ctx context.Context, network, address string) (net.Conn, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return nil, errors.New("the link is cut")
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err == nil {
		k.conns = append(k.conns, conn)
	}
	return conn, err
}

// cut breaks all connections; open says whether new ones may be made.
func (k *cutter) cut(open bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = !open
	for _, c := range k.conns {
		_ = c.Close()
	}
	k.conns = nil
}

func (k *cutter) mend() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = false
}

// recovery cuts a client off while others speak, and wants all of it, once.
func recovery(t *testing.T, url string, opts client.Options) {
	k := &cutter{}
	t.Cleanup(func() { k.cut(false) })
	said := make(chan string, 100)
	connects := make(chan bool, 10)
	gone := make(chan string, 10)
	watcher := open(t, url, client.Options{}, func(c *client.Client) {
		client.On(c, "gone", func(_ context.Context, in client.Args2[string, string]) error { gone <- in.A; return nil })
	})
	call[client.None](t, watcher, "join", "watchers")
	c := open(t, url, k.options(opts), func(c *client.Client) {
		client.On(c, "said", func(_ context.Context, in string) error { said <- in; return nil })
		c.Of("/").OnConnect(func(ctx context.Context) {
			s, _ := client.From(ctx)
			connects <- s.Recovered()
		})
	})
	for len(opts.Transports) == 0 && c.Transport() != "websocket" {
		<-time.After(time.Millisecond)
	}
	same(t, "recovered", next(t, connects), false)
	id := c.ID()
	call[client.None](t, c, "join", "news")
	say := func(text string) {
		call[client.None](t, watcher, "say to others", map[string]any{"rooms": []string{"news"}, "except": []string{}, "text": text})
	}
	say("first")
	same(t, "said", next(t, said), "first")
	k.cut(false)
	same(t, "gone", next(t, gone), id)
	say("second")
	say("third")
	k.mend()
	same(t, "recovered", next(t, connects), true)
	same(t, "id", c.ID(), id)
	same(t, "said", next(t, said), "second")
	same(t, "said", next(t, said), "third")
	say("fourth")
	same(t, "said", next(t, said), "fourth")
}

// restart stops the server and starts it again.
func restart(t *testing.T, a addresses, opts client.Options) {
	opts.ReconnectDelay = 10 * time.Millisecond
	attempts := make(chan int, 10_000)
	lost := make(chan client.Reason, 10)
	back := make(chan struct{}, 10)
	numbers := make(chan int, 10)
	c := open(t, a.restart, opts, func(c *client.Client) {
		client.On(c, "number", func(_ context.Context, n int) error { numbers <- n; return nil })
		c.OnReconnectAttempt(func(_ context.Context, n int) { attempts <- n })
		c.Of("/").OnDisconnect(func(_ context.Context, r client.Reason) { lost <- r })
		c.Of("/").OnConnect(func(context.Context) { back <- struct{}{} })
	})
	next(t, back)
	before := c.ID()
	control(t, a, "/stop")
	if r := next(t, lost); r != client.TransportClose && r != client.TransportError {
		t.Errorf("reason %q", r)
	}
	same(t, "attempt", next(t, attempts), 1)
	if err := c.Emit("count", 2); err != nil {
		t.Fatal(err)
	}
	answer := make(chan error, 1)
	go func() {
		_, err := client.Call[int](patience(t), c, "echo1", 1)
		answer <- err
	}()
	control(t, a, "/start")
	next(t, back)
	if err := next(t, answer); err != nil {
		t.Errorf("a Call that waited for the connection: %v", err)
	}
	if c.ID() == before || c.ID() == "" {
		t.Errorf("id %q, before %q", c.ID(), before)
	}
	same(t, "emitted while offline", []int{next(t, numbers), next(t, numbers)}, []int{0, 1})
}

func control(t *testing.T, a addresses, path string) {
	t.Helper()
	h := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := h.Post(a.control+path, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", path, resp.Status)
	}
}
