package client_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/engineio"
)

// handshakes passes requests on and notes on which transport sessions begin.
type handshakes struct {
	handler http.Handler

	mu   sync.Mutex
	no   string   // the transport that is refused; guarded by mu
	seen []string // guarded by mu
}

func (h *handshakes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	h.mu.Lock()
	refused := h.no == q.Get("transport")
	if q.Get("sid") == "" {
		h.seen = append(h.seen, q.Get("transport"))
	}
	h.mu.Unlock()
	if refused {
		http.Error(w, "no", http.StatusBadRequest)
		return
	}
	h.handler.ServeHTTP(w, r)
}

func (h *handshakes) refuse(transport string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.no = transport
}

func (h *handshakes) take() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer func() { h.seen = nil }()
	return h.seen
}

func TestRememberUpgrade(t *testing.T) {
	for name, row := range map[string]struct {
		opts  client.Options
		again []string // handshakes after a cut
		block []string // and while WebSockets are blocked
	}{
		"off":   {client.Options{}, []string{"polling"}, []string{"polling"}},
		"on":    {client.Options{RememberUpgrade: true}, []string{"websocket"}, []string{"websocket", "polling"}},
		"alone": {client.Options{RememberUpgrade: true, Transports: wsOnly}, []string{"websocket"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &network{}
				stop := memoryServer(t, n, nil)
				h := &handshakes{handler: n.handler}
				n.listen(h)
				c := memoryClient(t, n, row.opts)
				want := func(what string, want ...string) {
					t.Helper()
					if got := h.take(); !slices.Equal(got, want) {
						t.Errorf("%s: handshakes on %q, want %q", what, got, want)
					}
				}
				connect(t, c)
				time.Sleep(time.Second)
				if c.Transport() != "websocket" {
					t.Fatalf("on %s", c.Transport())
				}
				h.take()
				n.cut()
				time.Sleep(5 * time.Second)
				want("again", row.again...)
				n.listen(nil) // an outage, of several attempts, does not make it forget
				n.cut()
				time.Sleep(4 * time.Second)
				n.listen(h)
				time.Sleep(20 * time.Second)
				h.take()
				if c.Transport() != "websocket" {
					t.Errorf("after an outage on %q", c.Transport())
				}
				if row.block != nil {
					h.refuse("websocket")
					n.cut()
					time.Sleep(20 * time.Second)
					want("without WebSockets", row.block...)
					if !c.Connected() || c.Transport() != "polling" {
						t.Errorf("on %q", c.Transport())
					}
				}
				_ = c.Close()
				stop()
				n.close()
			})
		})
	}
}

// A client that was on polling last does not begin on WebSocket, and one whose server was down begins on
// either in turn.
func TestRememberUpgradeTakesTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		stop := memoryServer(t, n, nil)
		h := &handshakes{handler: n.handler}
		n.listen(h)
		c := memoryClient(t, n, client.Options{RememberUpgrade: true, Jitter: -1})
		connect(t, c)
		time.Sleep(time.Second)
		h.take()
		busy := &handshakes{handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "busy", http.StatusServiceUnavailable) })}
		n.listen(busy)
		n.cut()
		time.Sleep(13 * time.Second) // after 1 s, 3 s, 7 s, 12 s
		if got, want := busy.take(), []string{"websocket", "polling", "websocket", "polling"}; !slices.Equal(got, want) {
			t.Errorf("handshakes on %q, want %q", got, want)
		}
		_ = c.Close()
		stop()
		n.close()
	})
}

func TestTryAllTransports(t *testing.T) {
	for _, row := range []struct {
		opts client.Options
		want []string
		on   string
	}{
		{client.Options{}, []string{"polling"}, ""},
		{client.Options{TryAllTransports: true}, []string{"polling", "websocket"}, "websocket"},
		{client.Options{TryAllTransports: true, Transports: []string{"polling"}}, []string{"polling"}, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := &network{}
			stop := memoryServer(t, n, nil)
			h := &handshakes{handler: n.handler, no: "polling"}
			n.listen(h)
			c := memoryClient(t, n, row.opts)
			err := c.Connect(t.Context())
			if got := h.take(); c.Transport() != row.on || (err == nil) != (row.on != "") || !slices.Equal(got, row.want) {
				t.Errorf("%+v: on %q after handshakes on %q: %v", row.opts, c.Transport(), got, err)
			}
			_ = c.Close()
			stop()
			n.close()
		})
	}
}

func TestDisableUpgrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		stop := memoryServer(t, n, nil)
		c := memoryClient(t, n, client.Options{DisableUpgrade: true})
		connect(t, c)
		time.Sleep(time.Minute)
		if c.Transport() != "polling" {
			t.Errorf("on %s", c.Transport())
		}
		_ = c.Close()
		stop()
		n.close()
	})
}

// With RetryConnect a server that is not up yet is waited for, as long as ctx says.
func TestRetryConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		c := memoryClient(t, n, client.Options{RetryConnect: true, Jitter: -1})
		failures := 0
		c.OnReconnectError(func(context.Context, error) { failures++ })
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		start := time.Now()
		if err := c.Connect(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 5*time.Second || failures != 3 { // after 0 s, 1 s, 3 s
			t.Errorf("after %s and %d failures: %v", time.Since(start), failures, err)
		}
		stop := make(chan func(), 1)
		start = time.Now()
		time.AfterFunc(2*time.Second, func() { stop <- memoryServer(t, n, nil) })
		if err := c.Connect(t.Context()); err != nil || time.Since(start) != 3*time.Second || failures != 5 {
			t.Errorf("after %s and %d failures: %v", time.Since(start), failures, err)
		}
		_ = c.Close()
		(<-stop)()
		n.close()
	})
}

// The address is asked for before each attempt, as the credentials are.
func TestAddressFunc(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		queries := make(chan string, 10)
		stop := memoryServer(t, n, func(srv *core.Server) {
			srv.Of("/chat").OnConnect(func(c *core.Context) error {
				queries <- c.Handshake().Query().Get("token")
				return nil
			})
		})
		addresses := []string{"http://first?token=a", "down", "ftp://wrong", "ws://second/elsewhere?token=b"}
		c, err := client.New("http://unused/chat", client.Options{
			HTTP: n.http(), Transports: wsOnly, Logger: slog.New(slog.DiscardHandler),
			AddressFunc: func(context.Context) (string, error) {
				next := addresses[0]
				if addresses = addresses[1:]; next == "down" {
					return "", errors.New("no address to be had")
				}
				return next, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		c.Of("")
		failures := make(chan error, 10)
		c.OnReconnectError(func(_ context.Context, err error) { failures <- err })
		connect(t, c)
		n.cut()
		if got := []string{<-queries, <-queries}; !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("queries %q", got)
		}
		for _, want := range []string{"no address to be had", `scheme "ftp"`} {
			if err := <-failures; !strings.Contains(err.Error(), want) {
				t.Errorf("failure %v, want %s", err, want)
			}
		}
		_ = c.Close()
		stop()
		n.close()
	})
}

// counting counts what is read and written.
type counting struct {
	net.Conn
	read, written *atomic.Int64
}

func (c counting) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.read.Add(int64(n))
	return n, err
}

func (c counting) Write(p []byte) (int, error) {
	c.written.Add(int64(len(p)))
	return c.Conn.Write(p)
}

func TestPerMessageDeflate(t *testing.T) {
	const size = 200_000
	url := serve(t, core.Config{PerMessageDeflate: &engineio.Deflate{}}, func(srv *core.Server) {
		core.OnCall(srv, "echo", func(_ *core.Context, in string) (string, error) { return in, nil })
	})
	for name, row := range map[string]struct {
		deflate            *engineio.Deflate
		to                 func(s *client.Socket) client.Target
		sentSmall, gotLess bool
	}{
		"on":           {&engineio.Deflate{}, func(s *client.Socket) client.Target { return s }, true, true},
		"threshold":    {&engineio.Deflate{Threshold: 2 * size}, func(s *client.Socket) client.Target { return s }, false, true},
		"Compress off": {&engineio.Deflate{}, func(s *client.Socket) client.Target { return s.Compress(false) }, false, true},
		"Compress on":  {&engineio.Deflate{}, func(s *client.Socket) client.Target { return s.Compress(false).Compress(true) }, true, true},
		"off":          {nil, func(s *client.Socket) client.Target { return s }, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			var read, written atomic.Int64
			h := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
				return counting{conn, &read, &written}, err
			}}}
			c := newClient(t, url, client.Options{Transports: wsOnly, HTTP: h, PerMessageDeflate: row.deflate})
			connect(t, c)
			text := strings.Repeat("siokit ", size/7)
			got, err := client.Call[string](within(t), row.to(c.Of("/")), "echo", text)
			if err != nil || got != text {
				t.Fatalf("%d bytes, %v", len(got), err)
			}
			if small := written.Load() < size/10; small != row.sentSmall {
				t.Errorf("%d bytes went", written.Load())
			}
			if small := read.Load() < size/10; small != row.gotLess {
				t.Errorf("%d bytes came", read.Load())
			}
		})
	}
}
