package engineio

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"
)

// DialOptions configure Dial. The zero value of every field but Open is its default.
type DialOptions struct {
	// Open is called once, when the server has accepted the handshake and before anything is received. It
	// returns what takes the messages of the server. Required. It must not wait for messages, and not Fail the connection.
	Open func(c *ClientConn) Receiver

	// Transports to use. Default polling and websocket: the connection begins on polling, which passes
	// every proxy, and moves to WebSocket if the server offers it. With websocket alone, or first, it
	// begins there and stays. The others are tried only with TryAll.
	Transports []string
	// TryAll tries the next of Transports if the handshake fails on one. Default false.
	TryAll bool
	// DisableUpgrade stays on polling. Default false.
	DisableUpgrade bool

	// Header is sent with every request. Default none. Header["Host"] replaces the URL's host.
	Header http.Header
	// HTTP does the requests: its Transport decides about TLS, proxies and how to dial, its Jar keeps
	// cookies. WebSockets use the same if Transport is nil or an *http.Transport; another RoundTripper
	// serves polling only. Default: a client with NewTransport and no Jar, whose connections end with
	// this one. Redirects are followed to the same scheme and host only.
	HTTP *http.Client

	// PerMessageDeflate offers to compress messages on WebSocket. Default nil: no. It needs a server that
	// compresses too; from one that does not agree to compress each message on its own nothing is compressed.
	PerMessageDeflate *Deflate

	// UpgradeTimeout bounds the probe of a WebSocket. Default 10 s. The session goes on on polling then.
	UpgradeTimeout time.Duration
	// CloseTimeout is how long Close may take to send what is queued. Default 5 s.
	CloseTimeout time.Duration
	// MaxMessage is the largest message or polling body that is accepted, in bytes, and what a compressed one
	// may inflate to. Default 16 MiB. A larger one ends the connection.
	MaxMessage int64
	// OutboxBytes and OutboxPackets bound what waits to be sent: a Send beyond is refused. Defaults 16 MiB
	// and 65,536.
	OutboxBytes   int
	OutboxPackets int
}

func (o DialOptions) withDefaults() (DialOptions, error) {
	if o.Open == nil {
		return o, errors.New("engineio: DialOptions.Open is nil; it must return the Receiver of the new connection")
	}
	if len(o.Transports) == 0 {
		o.Transports = []string{Polling, WebSocket}
	}
	for _, t := range o.Transports {
		if t != Polling && t != WebSocket {
			return o, fmt.Errorf("engineio: DialOptions.Transports holds %q; known are %q and %q", t, Polling, WebSocket)
		}
	}
	for _, f := range []struct {
		name string
		d    *time.Duration
		def  time.Duration
	}{{"UpgradeTimeout", &o.UpgradeTimeout, 10 * time.Second}, {"CloseTimeout", &o.CloseTimeout, 5 * time.Second}} {
		if *f.d == 0 {
			*f.d = f.def
		}
		if *f.d < 0 {
			return o, fmt.Errorf("engineio: DialOptions.%s must be positive, got %s", f.name, *f.d)
		}
	}
	if o.MaxMessage == 0 {
		o.MaxMessage = 16 << 20
	}
	if o.OutboxBytes == 0 {
		o.OutboxBytes = 16 << 20
	}
	if o.OutboxPackets == 0 {
		o.OutboxPackets = 65_536
	}
	if o.MaxMessage < 1 || o.OutboxBytes < 1024 || o.OutboxPackets < 1 {
		return o, fmt.Errorf("engineio: DialOptions.MaxMessage and OutboxPackets must be at least 1 and OutboxBytes at least 1024, got %d, %d and %d", o.MaxMessage, o.OutboxPackets, o.OutboxBytes)
	}
	var err error
	if o.PerMessageDeflate, err = o.PerMessageDeflate.withDefaults(); err != nil {
		return o, err
	}
	o.Header = maps.Clone(o.Header)
	if o.Header == nil {
		o.Header = http.Header{}
	}
	for _, name := range []string{"Connection", "Upgrade", "Content-Length", "Transfer-Encoding", "Sec-Websocket-Key", "Sec-Websocket-Version", "Sec-Websocket-Extensions"} {
		o.Header.Del(name) // the transports set these
	}
	return o, nil
}

func (o *DialOptions) upgradable(offered []string) bool {
	return !o.DisableUpgrade && slices.Contains(o.Transports, WebSocket) && slices.Contains(offered, WebSocket)
}
