package client_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/engineio"
)

// meter counts what goes over the connections that it dials.
type meter struct{ read, written atomic.Int64 }

type metered struct {
	net.Conn
	*meter
}

func (m metered) Read(p []byte) (int, error) {
	n, err := m.Conn.Read(p)
	m.read.Add(int64(n))
	return n, err
}

func (m metered) Write(p []byte) (int, error) {
	m.written.Add(int64(len(p)))
	return m.Conn.Write(p)
}

// deflated talks to a server that compresses WebSocket messages.
func deflated(t *testing.T, url string, opts client.Options) {
	var m meter
	opts.HTTP = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return metered{conn, &m}, err
	}}}
	opts.PerMessageDeflate = &engineio.Deflate{}
	t.Run("events", func(t *testing.T) { events(t, url, opts) })
	c := open(t, url, opts, nil)
	for c.Transport() != engineio.WebSocket {
		<-time.After(time.Millisecond)
	}
	const size = 500_000
	text := strings.Repeat("siokit ", size/7)
	read, written := m.read.Load(), m.written.Load()
	if got := call[string](t, c, "echo1", text); got != text {
		t.Errorf("%d bytes came back", len(got))
	}
	if read, written = m.read.Load()-read, m.written.Load()-written; read > size/10 || written > size/10 {
		t.Errorf("%d bytes came and %d went for %d", read, written, size)
	}
	data := call[client.Args2[string, []byte]](t, c, "echo2", "attached", []byte(text))
	if data.A != "attached" || string(data.B) != text {
		t.Errorf("%q and %d bytes came back", data.A, len(data.B))
	}
}

// remembered reconnects on the transport that the connection before was upgraded to.
func remembered(t *testing.T, url string, opts client.Options) {
	k := &cutter{}
	t.Cleanup(func() { k.cut(false) })
	opts.RememberUpgrade = true
	began := make(chan string, 10)
	c := open(t, url, k.options(opts), func(c *client.Client) {
		c.Of("/").OnConnect(func(context.Context) { began <- c.Transport() })
	})
	next(t, began)
	for c.Transport() != engineio.WebSocket {
		<-time.After(time.Millisecond)
	}
	k.cut(true)
	same(t, "transport", next(t, began), engineio.WebSocket)
	call[client.None](t, c, "echo0")
}
