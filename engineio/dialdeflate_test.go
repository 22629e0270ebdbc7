package engineio_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/siokit/siokit/engineio"
)

// counted dials and counts what goes over the network.
type counted struct{ read, written atomic.Int64 }

type countedConn struct {
	net.Conn
	of *counted
}

func (c countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.of.read.Add(int64(n))
	return n, err
}

func (c countedConn) Write(p []byte) (int, error) {
	c.of.written.Add(int64(len(p)))
	return c.Conn.Write(p)
}

func (k *counted) http() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return countedConn{conn, k}, err
	}}}
}

// V-22, the client's end: what is worth it travels compressed, both ways, and arrives as it was.
func TestClientDeflate(t *testing.T) {
	const size = 400_000
	long, binary := strings.Repeat("siokit ", size/7), bytes.Repeat([]byte{1, 2, 3, 4}, size/4)
	for name, row := range map[string]struct {
		server, client *engineio.Deflate
		transports     []string
		uncompressed   bool
		compressed     bool
	}{
		"websocket":    {&engineio.Deflate{}, &engineio.Deflate{}, []string{engineio.WebSocket}, false, true},
		"upgrade":      {&engineio.Deflate{}, &engineio.Deflate{Level: 9}, nil, false, true},
		"uncompressed": {&engineio.Deflate{}, &engineio.Deflate{}, []string{engineio.WebSocket}, true, false},
		"threshold":    {&engineio.Deflate{Threshold: size * 2}, &engineio.Deflate{Threshold: size * 2}, []string{engineio.WebSocket}, false, false},
		"no server":    {nil, &engineio.Deflate{}, []string{engineio.WebSocket}, false, false},
		"no client":    {&engineio.Deflate{}, nil, []string{engineio.WebSocket}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			there, here := newCollector(100), newCollector(100)
			url, conns := serveConns(t, engineio.Config{PerMessageDeflate: row.server}, there)
			var network counted
			c := dial(t, url, engineio.DialOptions{HTTP: network.http(), Transports: row.transports, PerMessageDeflate: row.client}, here)
			server := <-conns
			for c.Transport() != engineio.WebSocket {
				time.Sleep(time.Millisecond)
			}
			m := textMessage(long, binary, []byte("short"))
			if row.uncompressed {
				m = m.Uncompressed()
			}
			read, written := network.read.Load(), network.written.Load()
			if err := c.Send(m); err != nil {
				t.Fatal(err)
			}
			if err := server.Send(m); err != nil {
				t.Fatal(err)
			}
			for _, side := range []*collector{there, here} {
				for _, want := range []string{"false " + long, "true " + string(binary), "true short"} {
					select {
					case got := <-side.got:
						if got != want {
							t.Fatalf("got %d bytes, want %d", len(got), len(want))
						}
					case reason := <-side.closed:
						t.Fatalf("closed: %s", reason)
					}
				}
			}
			read, written = network.read.Load()-read, network.written.Load()-written
			if row.compressed != (read < size/10) || row.compressed != (written < size/10) {
				t.Errorf("%d bytes came and %d went for %d", read, written, 2*size)
			}
		})
	}
}

// wsServer is a WebSocket server of gorilla's that sends the messages of script. If stubborn is not empty it
// answers offers of extensions by that.
func wsServer(t *testing.T, stubborn string, script ...string) (url string, offers chan string) {
	t.Helper()
	offers = make(chan string, 10)
	up := websocket.Upgrader{EnableCompression: true}
	done := make(chan struct{})
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		offer := r.Header.Get("Sec-WebSocket-Extensions")
		offers <- offer
		if stubborn != "" && offer != "" {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			accept := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
			_, _ = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\nSec-WebSocket-Extensions: %s\r\n\r\n", base64.StdEncoding.EncodeToString(accept[:]), stubborn)
			_ = conn.Close()
			return
		}
		ws, err := up.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		for _, message := range script {
			_ = ws.WriteMessage(websocket.TextMessage, []byte(message))
		}
		<-done
		_ = ws.Close()
	}))
	t.Cleanup(func() { close(done); ts.Close() })
	return ts.URL, offers
}

const opening = `0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`

// A server's bomb, small on the wire, costs no more than MaxMessage.
func TestClientDeflateBomb(t *testing.T) {
	const most = 100_000
	fits, bomb := "4"+strings.Repeat("a", most-1), "4"+strings.Repeat("a", 64<<20)
	opts := engineio.DialOptions{Transports: []string{engineio.WebSocket}, MaxMessage: most, PerMessageDeflate: &engineio.Deflate{}}
	url, offers := wsServer(t, "", opening, fits, bomb)
	ended := make(chan error, 1)
	var got atomic.Int64
	opts.Open = func(*engineio.ClientConn) engineio.Receiver { return &bombed{&got, ended} }
	c, err := engineio.Dial(t.Context(), url, opts)
	if err != nil {
		t.Fatal(err)
	}
	err = <-ended
	c.Wait()
	if err == nil || !strings.Contains(err.Error(), "inflates to more than MaxMessage") || !strings.HasPrefix(err.Error(), "transport error") || got.Load() != most-1 {
		t.Errorf("%d bytes came, then %v", got.Load(), err)
	}
	if offer := <-offers; offer != agreed {
		t.Errorf("it offers %q", offer)
	}
	url, _ = wsServer(t, "", bomb) // before it is known as a Socket.IO server at all
	if _, err := engineio.Dial(t.Context(), url, opts); err == nil || !strings.Contains(err.Error(), "inflates to more than MaxMessage") {
		t.Errorf("a bomb for a handshake: %v", err)
	}
}

// A server that would keep what it has compressed from message to message gets a client without compression.
func TestClientDeflateNotAgreed(t *testing.T) {
	url, offers := wsServer(t, "permessage-deflate", opening, "4hello")
	here := newCollector(1)
	dial(t, url, engineio.DialOptions{Transports: []string{engineio.WebSocket}, PerMessageDeflate: &engineio.Deflate{}}, here)
	if got := <-here.got; got != "false hello" {
		t.Errorf("got %q", got)
	}
	if first, second := <-offers, <-offers; first == "" || second != "" {
		t.Errorf("offers %q and %q", first, second)
	}
	for _, d := range []engineio.Deflate{{Level: 10}, {Threshold: -1}} {
		opts := engineio.DialOptions{PerMessageDeflate: &d, Open: func(*engineio.ClientConn) engineio.Receiver { return here }}
		if _, err := engineio.Dial(t.Context(), url, opts); err == nil || !strings.Contains(err.Error(), "PerMessageDeflate.") {
			t.Errorf("%v: %v", d, err)
		}
	}
}

// The same on polling, where net/http inflates.
func TestClientGzipBomb(t *testing.T) {
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			t.Error("the client does not offer gzip")
		}
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = z.Write(bytes.Repeat([]byte("a"), 16<<20))
		_ = z.Close()
	}))
	defer ts.Close()
	opts := engineio.DialOptions{MaxMessage: 100_000, Open: func(*engineio.ClientConn) engineio.Receiver { return newCollector(1) }}
	if _, err := engineio.Dial(t.Context(), ts.URL, opts); err == nil || !strings.Contains(err.Error(), "a body of more than 100000 bytes") {
		t.Errorf("a bomb for a handshake: %v", err)
	}
}

type bombed struct {
	got   *atomic.Int64
	ended chan error
}

func (b *bombed) Receive(data []byte, _ bool) { b.got.Add(int64(len(data))) }
func (b *bombed) Closed(reason engineio.Reason, err error) {
	b.ended <- fmt.Errorf("%s: %w", reason, err)
}
