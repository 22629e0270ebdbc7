package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"time"

	"github.com/siokit/siokit/engineio"
	"github.com/siokit/siokit/wire/sio"
)

// Options configure a Client. The zero value of every field is its default.
type Options struct {
	// Path is where the server is mounted. Default "/socket.io/". The path of the URL is something else: the
	// namespace, as in JavaScript.
	Path string

	// Auth returns what each namespace is joined with, a struct or a map; the server reads it as
	// handshake.auth. It is called for every attempt, so that it can return a fresh token. An error makes the
	// attempt fail. Default none. Socket.SetAuth is the same for one namespace.
	Auth func(ctx context.Context) (any, error)
	// AddressFunc returns the address for each attempt, in place of New's: another server of several, or a fresh
	// token in the query. Its path does not count. An error makes the attempt fail. Default New's.
	AddressFunc func(ctx context.Context) (string, error)
	// Header is sent with every HTTP request. Default none.
	Header http.Header
	// HeaderFunc returns more of them, and is called for every attempt. Default none.
	HeaderFunc func(ctx context.Context) (http.Header, error)

	// Transports to use. Default polling and websocket: begin on polling, which passes every proxy, and move to
	// WebSocket if the server offers it. []string{"websocket"} uses that alone, which needs no sticky sessions.
	Transports []string
	// TryAllTransports tries the next of Transports when one fails. Default false.
	TryAllTransports bool
	// DisableUpgrade stays on the transport of the handshake. Default false.
	DisableUpgrade bool
	// RememberUpgrade begins on WebSocket when the connection before has come to be on one, which saves the
	// reconnect three requests. If that attempt fails the next begins as Transports say. Default false.
	RememberUpgrade bool
	// PerMessageDeflate offers to compress messages on WebSocket, for servers with the option of that name. Its
	// own comment says what that costs. What a server sends may inflate to MaxMessage. Default nil: no.
	PerMessageDeflate *engineio.Deflate

	// HTTP does the requests and says how to dial, through which proxy and with which TLS. Its Jar keeps
	// cookies. Default: one with engineio.NewTransport, whose comment says why, and a jar of its own.
	// WebSockets use the Transport's settings only if it is an *http.Transport. Redirects to another host are
	// errors.
	HTTP *http.Client
	// TLS is for servers with certificates of a private authority, and for client certificates. Default nil:
	// the certificate must be valid for the host by the system's authorities. Not together with HTTP.
	// DANGER: with InsecureSkipVerify anybody in between reads and writes.
	TLS *tls.Config

	// Timeout bounds each attempt to connect, the answers of the namespaces included. Default 20 s.
	Timeout time.Duration
	// CallTimeout bounds Call when ctx has no deadline, and EmitFunc. Emitter.Timeout says otherwise for one.
	// Default 60 s.
	CallTimeout time.Duration

	// RetryConnect makes Connect try again as after a broken connection, until ctx ends. Default false: the
	// first failure is returned.
	RetryConnect bool
	// DisableReconnection ends the client with its first connection. Default false.
	DisableReconnection bool
	// ReconnectAttempts is how many attempts in a row may fail. Default 0: any number.
	ReconnectAttempts int
	// ReconnectDelay is the wait before the first attempt, doubled for each further one up to
	// ReconnectDelayMax. Defaults 1 s and 5 s. A server's Retry-After may make it longer.
	ReconnectDelay    time.Duration
	ReconnectDelayMax time.Duration
	// Jitter is how far a wait may be off, as a part of it, so that the clients of a restarted server do not
	// come back at once. Default 0.5. Negative: none.
	Jitter float64

	// Retries sends each event again, up to so many times, until the server has acked it, one event after
	// another in their order. Default 0: once. The server may see an event more than once then, and must
	// ack every one: an event that it does not ack holds up those behind it for AckTimeout a try. Volatile events are
	// not retried. Close drops what is queued, Flush waits for it.
	Retries int
	// AckTimeout is how long a try of Retries waits for its ack. Default 10 s.
	AckTimeout time.Duration

	// BufferEvents and BufferBytes bound what waits for a connection, per namespace. Defaults 8,192 and 16
	// MiB. BufferEvents < 0: nothing waits, Emit returns ErrNotConnected.
	BufferEvents int
	BufferBytes  int
	// QueueEvents is how many events may wait for a namespace's handlers. Default 1,024. The server is not
	// read from beyond that.
	QueueEvents int

	// Attachments is the most binary values of one packet, both ways. Default 10, which is also the
	// servers' limit.
	Attachments int
	// MaxMessage is the largest message that is accepted, in bytes, after decompression. Default 16 MiB.
	MaxMessage int64
	// Parser is the form of the packets; it must be the server's. Default the protocol's text.
	Parser sio.Parser
	// JSON encodes and decodes arguments. Default the built-in codec.
	JSON sio.JSON

	// OnError is told what handlers and callbacks return, what they panic with (a *PanicError), which
	// buffered event could not be sent, and how many were dropped when a namespace or the client ended. Default: a warning in Logger. It must not block.
	OnError func(ctx context.Context, err error)
	// Logger gets warnings. Default slog.Default(). Neither credentials nor session ids are logged.
	Logger *slog.Logger
}

func (o Options) withDefaults() (Options, error) {
	if o.Path == "" {
		o.Path = "/socket.io/"
	}
	if o.Path[0] != '/' {
		return o, fmt.Errorf("client: Options.Path must begin with a slash, got %q", o.Path)
	}
	for _, f := range []struct {
		name  string
		value *time.Duration
		def   time.Duration
	}{
		{"Timeout", &o.Timeout, 20 * time.Second},
		{"CallTimeout", &o.CallTimeout, 60 * time.Second},
		{"ReconnectDelay", &o.ReconnectDelay, time.Second},
		{"ReconnectDelayMax", &o.ReconnectDelayMax, 5 * time.Second},
		{"AckTimeout", &o.AckTimeout, 10 * time.Second},
	} {
		if *f.value == 0 {
			*f.value = f.def
		}
		if *f.value < 0 {
			return o, fmt.Errorf("client: Options.%s must be positive, got %s", f.name, *f.value)
		}
	}
	switch {
	case o.ReconnectAttempts < 0:
		return o, fmt.Errorf("client: Options.ReconnectAttempts must not be negative, got %d; 0 means any number", o.ReconnectAttempts)
	case o.Retries < 0:
		return o, fmt.Errorf("client: Options.Retries must not be negative, got %d", o.Retries)
	case o.Jitter > 1:
		return o, fmt.Errorf("client: Options.Jitter must be at most 1, got %g", o.Jitter)
	case o.TLS != nil && o.HTTP != nil:
		return o, errors.New("client: Options.TLS and Options.HTTP are both set: put the TLS configuration into HTTP.Transport")
	case o.QueueEvents < 0 || o.BufferBytes < 0:
		return o, fmt.Errorf("client: Options.QueueEvents and BufferBytes must not be negative, got %d and %d", o.QueueEvents, o.BufferBytes)
	}
	if o.Jitter == 0 {
		o.Jitter = 0.5
	}
	if o.BufferEvents == 0 {
		o.BufferEvents = 8192
	}
	if o.BufferBytes == 0 {
		o.BufferBytes = 16 << 20
	}
	if o.QueueEvents == 0 {
		o.QueueEvents = 1024
	}
	if o.MaxMessage == 0 {
		o.MaxMessage = 16 << 20
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o, nil
}

// httpClient returns the client for all attempts, and its transport if that is ours to tidy up.
func (o *Options) httpClient() (*http.Client, *http.Transport) {
	if o.HTTP != nil {
		return o.HTTP, nil
	}
	own := engineio.NewTransport()
	if o.TLS != nil {
		own.TLSClientConfig = o.TLS.Clone()
	}
	jar, _ := cookiejar.New(nil) // without options it never fails
	return &http.Client{Transport: own, Jar: jar}, own
}

func (o *Options) dialOptions() engineio.DialOptions {
	return engineio.DialOptions{
		Transports: o.Transports, TryAll: o.TryAllTransports, DisableUpgrade: o.DisableUpgrade,
		PerMessageDeflate: o.PerMessageDeflate, MaxMessage: o.MaxMessage,
	}
}
