package engineio_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siokit/siokit/engineio"
)

// collector keeps what one side receives.
type collector struct {
	got    chan string
	closed chan engineio.Reason
}

func newCollector(size int) *collector {
	return &collector{make(chan string, size), make(chan engineio.Reason, 1)}
}

func (c *collector) Receive(data []byte, isBinary bool) {
	c.got <- fmt.Sprintf("%t %s", isBinary, data)
}
func (c *collector) Closed(reason engineio.Reason, _ error) {
	c.closed <- reason
}

// taker is a Receiver that judges what it receives.
type taker struct {
	*ledger
	closed chan engineio.Reason
}

func newTaker() *taker { return &taker{newLedger(), make(chan engineio.Reason, 1)} }

func (t *taker) Receive(data []byte, binary bool)       { t.Frame(data, binary) }
func (t *taker) Closed(reason engineio.Reason, _ error) { t.closed <- reason }

// serveConns serves Engine.IO; the conn of the next client comes from the channel.
func serveConns(t *testing.T, cfg engineio.Config, receiver engineio.Receiver) (url string, conns chan *engineio.Conn) {
	t.Helper()
	conns = make(chan *engineio.Conn, 1000)
	cfg.Logger = slog.New(slog.DiscardHandler)
	cfg.Accept = func(c *engineio.Conn, _ *http.Request) (engineio.Receiver, error) {
		conns <- c
		return receiver, nil
	}
	srv, err := engineio.NewServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ts := httptest.NewServer(srv)
	t.Cleanup(func() {
		_ = srv.Shutdown(context.Background())
		ts.Close()
	})
	return ts.URL, conns
}

func dial(t *testing.T, url string, opts engineio.DialOptions, receiver engineio.Receiver) *engineio.ClientConn {
	t.Helper()
	opts.Open = func(*engineio.ClientConn) engineio.Receiver { return receiver }
	c, err := engineio.Dial(t.Context(), url, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); c.Wait() })
	return c
}

func textMessage(text string, attachments ...[]byte) *engineio.Message {
	return engineio.NewMessage(append(make([]byte, engineio.Headroom), text...), attachments...)
}

// slowConn delays what is written by up to 2 ms, so that the upgrade falls anywhere.
type slowConn struct{ net.Conn }

func (c slowConn) Write(p []byte) (int, error) {
	time.Sleep(time.Duration(rand.IntN(2_000)) * time.Microsecond)
	return c.Conn.Write(p)
}

// D-01: numbered messages both ways, with attachments, through an upgrade that happens any time.
func TestClientUpgradeLosesNothing(t *testing.T) {
	const runs, n = 20, 500
	for run := range runs {
		there, here := newTaker(), newTaker()
		url, conns := serveConns(t, engineio.Config{}, there)
		c := dial(t, url, engineio.DialOptions{HTTP: &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			return slowConn{conn}, err
		}}}}, here)
		server := <-conns
		var wg sync.WaitGroup
		send := func(send func(*engineio.Message) error) {
			for i := range n {
				attachments := 0
				if i%5 == 0 {
					attachments = 2
				}
				header, parts := entry("x", i, attachments)
				if err := send(textMessage(header, parts...)); err != nil {
					t.Errorf("run %d: %v", run, err)
					return
				}
				if i%20 == 0 {
					time.Sleep(time.Duration(rand.IntN(1000)) * time.Microsecond)
				}
			}
		}
		wg.Go(func() { send(c.Send) })
		wg.Go(func() { send(server.Send) })
		wg.Wait()
		there.Want(t, n)
		here.Want(t, n)
		// All may have arrived while the upgrade was still under way.
		eventually(t, "upgraded", func() bool { return c.Transport() == engineio.WebSocket })
		c.Close()
		c.Wait()
		if r := <-here.closed; r != engineio.ForcedClose {
			t.Errorf("reason here %q", r)
		}
		if r := <-there.closed; r != engineio.TransportClose {
			t.Errorf("reason there %q", r)
		}
	}
}

// D-12: POSTs are split by what the server takes, base64 and separators included, and in order; one packet
// that is too large is an error for that packet alone.
func TestClientSplitsPosts(t *testing.T) {
	there := newCollector(2000)
	var mu sync.Mutex
	largest, posts := int64(0), 0
	cfg := engineio.Config{MaxPayload: 50_000, DisableUpgrades: true}
	cfg.Headers = func(_ http.Header, r *http.Request) {
		if r.Method != http.MethodPost {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		largest, posts = max(largest, r.ContentLength), posts+1
	}
	url, _ := serveConns(t, cfg, there)
	c := dial(t, url, engineio.DialOptions{}, newCollector(10))
	var want []string
	for i := range 300 {
		data := bytes.Repeat([]byte{'a' + byte(i%26)}, 10_000+i)
		if err := c.Send(textMessage(fmt.Sprint(i), data)); err != nil {
			t.Fatal(err)
		}
		want = append(want, fmt.Sprint("false ", i), "true "+string(data))
		var tooLarge *engineio.TooLargeError
		if err := c.Send(textMessage("x", make([]byte, 40_000))); !errors.As(err, &tooLarge) || tooLarge.Max != 50_000 || tooLarge.Size != 53_337 {
			t.Fatalf("too large: %v", err)
		}
	}
	for i, w := range want {
		select {
		case got := <-there.got:
			if got != w {
				t.Fatalf("message %d is another", i)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("message %d did not come", i)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if largest > 50_000 || posts < 300*13_000/50_000 {
		t.Errorf("%d POSTs, the largest of %d bytes", posts, largest)
	}
}

// D-03: a proxy that blocks WebSockets, or cuts them during the probe, costs nothing.
func TestClientStaysOnPolling(t *testing.T) {
	for name, stop := range map[string]func(conn net.Conn) net.Conn{
		"refused": func(conn net.Conn) net.Conn { _ = conn.Close(); return conn },
		"cut":     func(conn net.Conn) net.Conn { return &cutAfter{Conn: conn} },
	} {
		t.Run(name, func(t *testing.T) {
			there, here := newCollector(100), newCollector(100)
			url, conns := serveConns(t, engineio.Config{UpgradeTimeout: 200 * time.Millisecond}, there)
			dials := 0
			var mu sync.Mutex
			c := dial(t, url, engineio.DialOptions{UpgradeTimeout: 200 * time.Millisecond, HTTP: &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
				mu.Lock()
				defer mu.Unlock()
				if dials++; dials > 1 && err == nil && strings.Contains(callers(), "websocket") {
					return stop(conn), nil
				}
				return conn, err
			}}}}, here)
			server := <-conns
			for i := range 50 {
				if err := errors.Join(c.Send(textMessage(fmt.Sprint(i))), server.Send(textMessage(fmt.Sprint(i)))); err != nil {
					t.Fatal(err)
				}
				for _, side := range []*collector{there, here} {
					select {
					case got := <-side.got:
						if got != fmt.Sprint("false ", i) {
							t.Fatalf("got %q in place %d", got, i)
						}
					case reason := <-side.closed:
						t.Fatalf("closed: %s", reason)
					}
				}
				time.Sleep(10 * time.Millisecond)
			}
			if c.Transport() != engineio.Polling {
				t.Errorf("on %s", c.Transport())
			}
		})
	}
}

// V-27: every frame is masked, with keys that do not repeat more than chance has it.
func TestClientMasks(t *testing.T) {
	var wire bytes.Buffer
	const frames = 100_000
	for i := range frames {
		wire.Write(engineio.AppendMasked(nil, 0x82, binary.BigEndian.AppendUint32(nil, uint32(i))))
	}
	keys := map[[4]byte]int{}
	for i := range uint32(frames) {
		var frame [10]byte
		if _, err := io.ReadFull(&wire, frame[:]); err != nil {
			t.Fatal(err)
		}
		if frame[0] != 0x82 || frame[1] != 0x84 {
			t.Fatalf("frame %x is not masked", frame)
		}
		key := [4]byte(frame[2:6])
		keys[key]++
		for j := range 4 {
			frame[6+j] ^= key[j]
		}
		if got := binary.BigEndian.Uint32(frame[6:]); got != i {
			t.Fatalf("frame %d holds %d", i, got)
		}
	}
	if repeats := frames - len(keys); repeats > 12 { // 1.2 are to be expected
		t.Errorf("%d keys repeat", repeats)
	}
	for n := range 40 {
		data := bytes.Repeat([]byte{1, 2, 3}, n)
		frame := engineio.AppendMasked(nil, 0x82, data)
		if len(frame) != len(data)+6 {
			t.Fatalf("a frame of %d bytes has %d", len(data), len(frame))
		}
	}
}

// cutAfter breaks a connection after the answer to the handshake was read from it.
type cutAfter struct {
	net.Conn
	reads int // owned by the reader
}

func (c *cutAfter) Read(p []byte) (int, error) {
	if c.reads++; c.reads > 1 {
		_ = c.Close()
		return 0, io.ErrUnexpectedEOF
	}
	return c.Conn.Read(p)
}

// callers names the functions on this goroutine's stack: a dialler cannot know otherwise what it dials for.
func callers() string {
	buf := make([]byte, 16<<10)
	return string(buf[:runtime.Stack(buf, false)])
}
