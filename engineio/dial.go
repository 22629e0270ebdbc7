package engineio

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"time"

	"github.com/siokit/siokit/wire/eio"
)

// Dial connects to an Engine.IO 4 server. The address is that of its endpoint,
// "https://example.com/socket.io/"; ws and wss mean the same as http and https, and a query is kept. ctx
// bounds the handshake only; its values are those of ClientConn.Context.
//
// An error is a *DialError unless the address or an option is wrong or ctx has ended. Neither it nor any
// later error names the session id or the query.
func Dial(ctx context.Context, address string, opts DialOptions) (*ClientConn, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	endpoint, err := parseEndpoint(address, opts.Header)
	if err != nil {
		return nil, err
	}
	transports := opts.Transports
	if !opts.TryAll {
		transports = transports[:1]
	}
	var failures []error
	for _, transport := range transports {
		c := newClientConn(ctx, endpoint, opts)
		if err = c.open(ctx, transport); err == nil {
			return c, nil
		}
		failures = append(failures, err)
		if end, ok := ctx.Deadline(); ok && !time.Now().Before(end) {
			<-ctx.Done() // the connection has the same deadline, and may be the first to notice
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
	if len(failures) == 1 {
		return nil, failures[0]
	}
	return nil, errors.Join(failures...)
}

// parseEndpoint checks the address. Its user and password become an Authorization header.
func parseEndpoint(address string, header http.Header) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err // without the address, which may hold a token
		}
		return nil, fmt.Errorf("engineio: the address is no URL: %w", err)
	}
	switch u.Scheme {
	case "http", "https":
	case "ws":
		u.Scheme = "http"
	case "wss":
		u.Scheme = "https"
	default:
		return nil, fmt.Errorf("engineio: the address needs the scheme http, https, ws or wss, got %q", u.Scheme)
	}
	if u.Host == "" {
		return nil, errors.New("engineio: the address has no host: want https://host/path/")
	}
	if u.User != nil {
		password, _ := u.User.Password()
		if header.Get("Authorization") == "" {
			header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password)))
		}
		u.User = nil
	}
	u.Fragment = ""
	return u, nil
}

// NewTransport returns a transport with the settings of http.DefaultTransport, but for idle connections: it closes them
// after 4 s, because Node's servers close them after 5. A POST that crosses that close fails, and must not be sent
// again: the server may have read it. So one that polls would lose its session now and then.
func NewTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.IdleConnTimeout = 4 * time.Second
	return t
}

func newClientConn(ctx context.Context, endpoint *url.URL, opts DialOptions) *ClientConn {
	c := &ClientConn{opts: opts, endpoint: endpoint, live: make(chan struct{})}
	c.changed.L = &c.mu
	c.ctx, c.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	if opts.HTTP != nil {
		c.http = *opts.HTTP
	} else {
		own := NewTransport()
		c.http.Transport, c.own = own, own
	}
	c.http.Timeout = 0 // a poll takes as long as the server has nothing to say
	c.http.CheckRedirect = sameOrigin(c.http.CheckRedirect)
	return c
}

// open does the handshake.
func (c *ClientConn) open(ctx context.Context, transport string) (err error) {
	defer func() {
		if err != nil {
			c.cancel(err)
			c.release()
		}
	}()
	var first []byte // what came with OPEN
	var sock *clientSocket
	var open eio.Packet
	if transport == WebSocket {
		if sock, err = c.dialWebSocket(ctx); err != nil {
			return err
		}
		open, err = sock.opening(ctx)
	} else {
		open, first, err = c.pollOpening(ctx)
	}
	if err == nil {
		c.handshake, err = eio.DecodeOpen(open.Data)
	}
	if err != nil {
		if sock != nil {
			_ = sock.nc.Close()
		}
		return c.notEngine(transport, err)
	}
	c.mu.Lock()
	c.ws = sock
	c.mu.Unlock()
	c.receiver = c.opts.Open(c)
	c.heartbeat = time.AfterFunc(math.MaxInt64, c.beatMissed) // which needs the receiver, and the timer
	c.heartbeat.Reset(c.patience())
	c.running.Go(c.writeLoop)
	if sock != nil {
		close(c.live)
		c.running.Go(sock.readLoop)
		return nil
	}
	c.polling = true
	c.running.Go(func() { c.pollLoop(first) })
	if c.opts.upgradable(c.handshake.Upgrades) {
		c.running.Go(c.upgrade)
	}
	return nil
}

// patience is how long the server may be silent.
func (c *ClientConn) patience() time.Duration {
	return time.Duration(c.handshake.PingInterval+c.handshake.PingTimeout) * time.Millisecond
}
