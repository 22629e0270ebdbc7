package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/engineio"
)

// script is a server of bare packets: a test says what it answers.
type script struct {
	url     string
	packets chan string         // from clients, when take is nil
	conns   chan *engineio.Conn // of clients, in order
	held    chan struct{}       // handshakes wait until it is closed; nil: they do not
	asked   chan struct{}       // a handshake has begun
	take    func(c *engineio.Conn, packet string)
}

func serveScript(t *testing.T, s *script) *script {
	t.Helper()
	s.packets, s.conns, s.asked = make(chan string, 1000), make(chan *engineio.Conn, 1000), make(chan struct{}, 1000)
	srv, err := engineio.NewServer(engineio.Config{Accept: func(c *engineio.Conn, _ *http.Request) (engineio.Receiver, error) {
		s.conns <- c
		return &scripted{s, c}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("sid") == "" {
			s.asked <- struct{}{}
			if s.held != nil {
				<-s.held
			}
		}
		srv.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { _ = srv.Shutdown(context.Background()); ts.Close() })
	s.url = ts.URL
	return s
}

type scripted struct {
	*script
	conn *engineio.Conn
}

func (s *scripted) Closed(engineio.Reason, error) {}

func (s *scripted) Receive(data []byte, _ bool) {
	if s.take != nil {
		s.take(s.conn, string(data))
	} else {
		s.packets <- string(data)
	}
}

// say sends a packet to a client.
func say(c *engineio.Conn, packet string) {
	_ = c.Send(engineio.NewMessage(append(make([]byte, engineio.Headroom), packet...))) // or it has ended
}

// accept answers every CONNECT.
func accept(c *engineio.Conn, packet string) {
	if rest, ok := strings.CutPrefix(packet, "0"); ok {
		ns, _, _ := strings.Cut(rest, "{")
		say(c, "0"+ns+`{"sid":"x"}`)
	}
}

// soon waits for what somebody else does.
func soon(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not yet: " + what)
		}
	}
}

// ends waits for the result of something that has to end by itself.
func ends(f func() error) <-chan error {
	result := make(chan error, 1)
	go func() { result <- f() }()
	return result
}

// A namespace that is asked for while the connection is being made is joined on it.
func TestSocketConnectWhileTheClientConnects(t *testing.T) {
	everyTransport(t, func(t *testing.T, opts client.Options) {
		s := serveScript(t, &script{held: make(chan struct{}), take: accept})
		c := newClient(t, s.url, opts)
		first := ends(func() error { return c.Connect(within(t)) })
		next(t, s.asked)
		b := c.Of("/b")
		second := ends(func() error { return b.Connect(within(t)) })
		soon(t, "the namespace is asked for", b.Active)
		close(s.held)
		for _, result := range []<-chan error{first, second} {
			if err := next(t, result); err != nil {
				t.Error(err)
			}
		}
		if !c.Connected() || !b.Connected() {
			t.Errorf("connected: %t and %t", c.Connected(), b.Connected())
		}
	})
}

// Connect waits for no namespace that has been left meanwhile: neither before it was asked for, nor before it was
// answered.
func TestSocketDisconnectWhileTheClientConnects(t *testing.T) {
	for _, when := range []string{"before it is asked for", "before it is answered"} {
		t.Run(when, func(t *testing.T) {
			everyTransport(t, func(t *testing.T, opts client.Options) {
				asked := make(chan struct{}, 1)
				s := serveScript(t, &script{held: make(chan struct{}), take: func(c *engineio.Conn, packet string) {
					if strings.HasPrefix(packet, "0/b") {
						asked <- struct{}{}
					} else {
						accept(c, packet)
					}
				}})
				c := newClient(t, s.url, opts)
				b := c.Of("/b")
				c.Of("/")
				connected := ends(func() error { return c.Connect(within(t)) })
				next(t, s.asked)
				if when == "before it is asked for" {
					b.Disconnect()
					close(s.held)
				} else {
					close(s.held)
					next(t, asked)
					b.Disconnect()
				}
				if err := next(t, connected); err != nil {
					t.Errorf("Connect: %v", err)
				}
			})
		})
	}
}

// A client ends with its last namespace, also when that is left while there is no connection.
func TestTheLastDisconnectEndsAClientThatReconnects(t *testing.T) {
	for _, when := range []string{"dialling", "waiting"} {
		t.Run(when, func(t *testing.T) {
			held := make(chan struct{})
			close(held)
			s := serveScript(t, &script{held: held, take: accept})
			opts := client.Options{Transports: []string{"websocket"}, ReconnectDelay: time.Millisecond}
			if when == "waiting" {
				opts.ReconnectDelay, opts.ReconnectDelayMax = time.Hour, time.Hour
			}
			c := newClient(t, s.url, opts)
			connect(t, c)
			next(t, s.asked)
			s.held = make(chan struct{})
			next(t, s.conns).Fail(engineio.TransportError, nil)
			soon(t, "the connection has ended", func() bool { return c.Transport() == "" })
			if when == "dialling" {
				next(t, s.asked)
			}
			c.Of("/").Disconnect()
			close(s.held)
			ended := ends(c.Wait)
			select {
			case err := <-ended:
				if err != nil {
					t.Errorf("Wait: %v", err)
				}
			case <-time.After(patience):
				t.Error("the last namespace was left, and the client goes on")
			}
		})
	}
}

// Socket.Connect ends when somebody else leaves the namespace.
func TestSocketDisconnectEndsSocketConnect(t *testing.T) {
	s := serveScript(t, &script{held: make(chan struct{}), take: accept})
	c := newClient(t, s.url, client.Options{})
	first := ends(func() error { return c.Connect(within(t)) })
	next(t, s.asked)
	b := c.Of("/b")
	second := ends(func() error { return b.Connect(within(t)) })
	soon(t, "the namespace is asked for", b.Active)
	b.Disconnect()
	select {
	case err := <-second:
		if err != client.ErrDisconnected {
			t.Errorf("Socket.Connect: %v", err)
		}
	case <-time.After(patience):
		t.Error("Socket.Connect waits for a namespace that was left")
	}
	close(s.held)
	if err := next(t, first); err != nil {
		t.Error(err)
	}
}

// Connect does not report success when somebody else has closed the client.
func TestConnectAndCloseAtOnce(t *testing.T) {
	s := serveScript(t, &script{held: make(chan struct{}), take: accept})
	c := newClient(t, s.url, client.Options{})
	connected := ends(func() error { return c.Connect(within(t)) })
	next(t, s.asked)
	closed := ends(c.Close)
	soon(t, "Close has begun", func() bool { return !c.Of("/").Active() })
	close(s.held)
	if err := next(t, connected); err != client.ErrNotConnected {
		t.Errorf("Connect of a client that was closed meanwhile: %v", err)
	}
	if err := next(t, closed); err != nil {
		t.Error(err)
	}
}

// A handler may Call in another namespace than its own, although the server has sent more than its queue takes.
func TestCallsOfAnotherNamespacePassAFullQueue(t *testing.T) {
	const n = 20
	url := serve(t, core.Config{}, func(srv *core.Server) {
		srv.OnConnect(func(c *core.Context) error {
			for i := range n {
				if err := c.Emit("n", i); err != nil {
					return err
				}
			}
			return nil
		})
		core.OnCall(srv.Of("/b"), "twice", func(_ *core.Context, i int) (int, error) { return 2 * i, nil })
	})
	c := newClient(t, url, client.Options{QueueEvents: 2})
	answers := make(chan error, n)
	b := c.Of("/b")
	client.On(c, "n", func(ctx context.Context, i int) error {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		got, err := client.Call[int](ctx, b, "twice", i)
		if err == nil && got != 2*i {
			err = fmt.Errorf("got %d", got)
		}
		answers <- err
		return nil
	})
	go func() { _ = c.Connect(within(t)) }()
	for i := range n {
		if err := next(t, answers); err != nil {
			t.Fatalf("the Call of event %d: %v", i, err)
		}
	}
}

// Close drops what no handler has seen, also while there is no connection.
func TestCloseDropsWhatIsQueuedWithoutAConnection(t *testing.T) {
	s := serveScript(t, &script{take: accept})
	c := newClient(t, s.url, client.Options{Transports: []string{"websocket"}, ReconnectDelay: time.Hour, ReconnectDelayMax: time.Hour})
	var handled atomic.Int32
	began := make(chan struct{}, 10)
	client.On(c, "n", func(ctx context.Context, _ int) error {
		handled.Add(1)
		began <- struct{}{}
		<-ctx.Done()
		return nil
	})
	connect(t, c)
	conn := next(t, s.conns)
	for i := range 5 {
		say(conn, fmt.Sprintf(`2["n",%d]`, i))
	}
	next(t, began)
	conn.Close(engineio.ForcedClose)
	soon(t, "the connection has ended", func() bool { return c.Transport() == "" })
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if got := handled.Load(); got != 1 {
		t.Errorf("%d events were handled, 4 of them after Close", got)
	}
}

// An event that was read and not taken, because the queue was full when the connection broke, counts as missed:
// connection state recovery must bring it again.
func TestRecoveryKnowsWhatWasNotTaken(t *testing.T) {
	auth := make(chan string, 10)
	s := serveScript(t, &script{take: func(c *engineio.Conn, packet string) {
		if rest, ok := strings.CutPrefix(packet, "0"); ok {
			auth <- rest
			say(c, `0{"sid":"x","pid":"p"}`)
		}
	}})
	c := newClient(t, s.url, client.Options{Transports: []string{"websocket"}, ReconnectDelay: time.Millisecond, QueueEvents: 1})
	var seen record
	release := make(chan struct{})
	client.On(c, "n", func(_ context.Context, i int) error {
		seen.add(fmt.Sprintf("o%d", i))
		<-release
		return nil
	})
	arrived := make(chan struct{}, 10)
	c.Of("/").OnArrival(func(string, client.Args) { arrived <- struct{}{} })
	connect(t, c)
	next(t, auth)
	conn := next(t, s.conns)
	for i := range 5 {
		say(conn, fmt.Sprintf(`2["n",%d,"o%d"]`, i, i))
	}
	for range 3 { // one is handled, one is queued, one waits for room
		next(t, arrived)
	}
	conn.Fail(engineio.TransportError, nil)
	soon(t, "the connection has ended", func() bool {
		_ = c.Emit("is anybody there?")
		return c.Transport() == "" || len(auth) > 0
	})
	close(release)
	var again struct{ Offset string }
	if err := json.Unmarshal([]byte(next(t, auth)), &again); err != nil {
		t.Fatal(err)
	}
	// What was queued when the connection broke is handled behind the first, beside the new connection.
	soon(t, "the last event that was taken is handled", func() bool { return slices.Contains(seen.all(), again.Offset) })
	_ = c.Close()
	if all := seen.all(); len(all) == 0 || all[len(all)-1] != again.Offset {
		t.Errorf("handled were %q, and the client says that it has had everything until %q", all, again.Offset)
	}
}

// A client that is ending takes no namespace and no event any more.
func TestSocketConnectWhileTheClientEnds(t *testing.T) {
	s := serveScript(t, &script{take: accept})
	c := newClient(t, s.url, client.Options{Retries: 1})
	release, began := make(chan struct{}), make(chan struct{})
	c.Of("/").OnDisconnect(func(context.Context, client.Reason) { close(began); <-release })
	connect(t, c)
	say(next(t, s.conns), "1") // ends the only namespace, and so the client
	next(t, began)
	soon(t, "the client is ending", c.Ending)
	time.Sleep(20 * time.Millisecond) // until only the handler is waited for: nothing shows that, and the answer is the same
	joined := ends(func() error { return c.Of("/").Connect(within(t)) })
	select {
	case err := <-joined:
		if err != client.ErrNotConnected {
			t.Errorf("Socket.Connect: %v", err)
		}
	case <-time.After(patience):
		t.Error("Socket.Connect waits for a client that has ended")
		_ = c.Emit("n")
	}
	close(release)
	ended := ends(c.Wait)
	select {
	case err := <-ended:
		if reason, ok := errors.AsType[*client.DisconnectError](err); !ok || reason.Reason != client.ServerDisconnect {
			t.Errorf("Wait: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("the client never ends")
	}
}

// A server that greets, says something and leaves is no reason to wait.
func TestDialSimpleOfAServerThatLeaves(t *testing.T) {
	s := serveScript(t, &script{take: func(c *engineio.Conn, packet string) {
		accept(c, packet)
		say(c, `2["hello"]`)
		c.Close(engineio.ForcedClose)
	}})
	for range 300 {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		simple, err := client.DialSimple(ctx, s.url, client.Options{Transports: []string{"websocket"}, DisableReconnection: true})
		if err == nil {
			if e, err := simple.Receive(ctx); err != nil || e.Name != "hello" {
				t.Errorf("got %v, %v", e, err)
			}
			_ = simple.Close()
		}
		hung := ctx.Err() != nil
		cancel()
		if hung {
			t.Fatal("DialSimple waits for somebody to take the event, who waits for DialSimple")
		}
	}
}

// Who leaves the last namespace and wants it back at once gets it, or hears that the client has ended.
func TestSocketConnectRightAfterDisconnect(t *testing.T) {
	everyTransport(t, func(t *testing.T, opts client.Options) {
		opts.ReconnectDelay = time.Millisecond
		s := serveScript(t, &script{take: accept})
		c := newClient(t, s.url, opts)
		connect(t, c)
		for i := range 30 {
			c.Of("/").Disconnect()
			err := c.Of("/").Connect(within(t))
			if err == client.ErrNotConnected {
				_ = c.Wait()
				err = c.Connect(within(t))
			}
			if err != nil {
				t.Fatalf("run %d: %v", i, err)
			}
		}
	})
}

// The server is told when a namespace was left before it had answered.
func TestSocketDisconnectBeforeTheAnswer(t *testing.T) {
	everyTransport(t, func(t *testing.T, opts client.Options) {
		asked, left := make(chan *engineio.Conn, 1), make(chan struct{}, 1)
		s := serveScript(t, &script{take: func(c *engineio.Conn, packet string) {
			switch {
			case strings.HasPrefix(packet, "0/b"):
				asked <- c
			case strings.HasPrefix(packet, "1/b"):
				left <- struct{}{}
			default:
				accept(c, packet)
			}
		}})
		c := newClient(t, s.url, opts)
		connect(t, c)
		b := c.Of("/b")
		joined := ends(func() error { return b.Connect(within(t)) })
		conn := next(t, asked)
		b.Disconnect()
		if err := next(t, joined); err != client.ErrDisconnected {
			t.Errorf("Socket.Connect: %v", err)
		}
		say(conn, `0/b,{"sid":"y"}`)
		select {
		case <-left:
		case <-time.After(patience):
			t.Error("the server keeps a client in the namespace that has left it")
		}
	})
}

// A handler that panics with the *Error that its own Call got is not silent.
func TestAPanicWithAnErrorIsReported(t *testing.T) {
	reported := make(chan error, 1)
	s := serveScript(t, &script{take: accept})
	c := newClient(t, s.url, client.Options{OnError: func(_ context.Context, err error) { reported <- err }})
	client.On(c, "n", func(context.Context, client.None) error { panic(&client.Error{Message: "no"}) })
	connect(t, c)
	say(next(t, s.conns), `2["n"]`)
	select {
	case err := <-reported:
		if _, ok := errors.AsType[*client.PanicError](err); !ok {
			t.Errorf("reported: %v", err)
		}
	case <-time.After(patience):
		t.Error("nobody hears of the panic")
	}
}

// A hook that ends its goroutine, as t.FailNow does, ends the client and no more than that.
func TestAHookThatEndsItsGoroutine(t *testing.T) {
	s := serveScript(t, &script{take: accept})
	c := newClient(t, s.url, client.Options{ReconnectDelay: time.Millisecond})
	hooked := make(chan struct{})
	c.OnReconnect(func(context.Context, int) { close(hooked); runtime.Goexit() })
	connect(t, c)
	next(t, s.conns).Close(engineio.ForcedClose)
	next(t, hooked)
	closed := ends(c.Close)
	select {
	case <-closed:
	case <-time.After(patience):
		t.Error("Close waits for ever")
		for len(s.conns) > 0 {
			(<-s.conns).Close(engineio.ForcedClose)
		}
	}
}

// MaxMessage is the limit of attachments too, one by one.
func TestALargeAttachmentArrives(t *testing.T) {
	everyTransport(t, func(t *testing.T, opts client.Options) {
		large := make([]byte, 12_000_000)
		url := serve(t, roomy(), func(srv *core.Server) {
			core.On(srv, "get", func(c *core.Context, _ core.None) error { return c.Emit("file", large) })
		})
		c := newClient(t, url, opts)
		var once sync.Once
		got := make(chan string, 10)
		client.On(c, "file", func(_ context.Context, data []byte) error {
			once.Do(func() { got <- fmt.Sprint(len(data)) })
			return nil
		})
		c.Of("/").OnDisconnect(func(_ context.Context, reason client.Reason) { once.Do(func() { got <- string(reason) }) })
		connect(t, c)
		if err := c.Emit("get"); err != nil {
			t.Fatal(err)
		}
		if first := next(t, got); first != "12000000" {
			t.Errorf("got %s", first)
		}
	})
}
