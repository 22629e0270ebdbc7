package engineio

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"time"
)

// Transport names, as they stand in the "transport" query parameter.
const (
	Polling   = "polling"
	WebSocket = "websocket"
)

// Config configures a Server. The zero value of every field but Accept is its default.
type Config struct {
	// Accept is called once for each handshake that passed every check, before the OPEN packet
	// is sent. r.Context() lives as long as the connection and carries the values of the
	// handshake request. An error refuses the handshake: an *Error as it is, anything else as
	// 503. Required. It runs on the request's goroutine and may block.
	Accept func(c *Conn, r *http.Request) (Receiver, error)

	// Authorize is asked about every later request that names a session (poll, post, upgrade).
	// An error answers 403, an *Error as it says, and leaves the session unharmed. Nil allows: then the session id
	// alone is the credential.
	Authorize func(c *Conn, r *http.Request) error

	// Headers adds to the headers of every answer, refusals and the 101 of a WebSocket included. It
	// runs before the answer is made: what the server sets itself wins. InitialHeaders does so once
	// for each session, in the answer to its handshake after Accept has accepted it, and may set a
	// cookie there. Both run on the request's goroutine, many at once; a panic answers 500. Default nil.
	Headers        func(h http.Header, r *http.Request)
	InitialHeaders func(h http.Header, r *http.Request)

	// Cookie is the template of a cookie that names the session, for load balancers that keep a
	// client on one node by a cookie of the application. Default nil: none. The zero http.Cookie
	// makes it "io" with Path=/ and SameSite=Lax, as in Node; so is that it comes with the answer to
	// a polling handshake only. It is always HttpOnly, and Secure over TLS (behind a proxy set Secure
	// yourself). Its value is the session id, which is otherwise nowhere but in the OPEN packet:
	// whatever logs cookies then logs a secret. Prefer a cookie that the load balancer makes itself,
	// and do not give this one the name of another cookie of the application.
	Cookie *http.Cookie

	// InitialPacket is a message that every client gets right after its OPEN packet, in the same
	// answer on polling. Default nil: none.
	InitialPacket *Message

	// NewID makes session ids. Default: 144 bits of crypto/rand. An id is a secret: whoever knows it
	// can read and write in the session's name, unless Authorize refuses. So it must hold at least
	// 128 bits of crypto/rand beside whatever a router in front needs, in 22 to 128 characters of
	// A-Z a-z 0-9 - _ . ~ An error, an id that does not comply or a panic refuses the handshake, and
	// so does the id of an open session (409). It is called before Accept, maybe many times at once.
	NewID func(r *http.Request) (string, error)

	// RateLimit bounds handshakes per client address. Default nil: no limit, because behind a reverse
	// proxy that nobody declared all clients have one address.
	RateLimit *RateLimit

	// Refused observes every refused request, for logs and metrics. It must not block.
	Refused func(r *http.Request, err *Error)

	// PingInterval is the time between a pong and the next ping. Default 25 s, at least 100 ms.
	PingInterval time.Duration
	// PingTimeout is how long a pong may take. Default 20 s, at least 100 ms.
	PingTimeout time.Duration
	// UpgradeTimeout bounds a WebSocket probe. Default 10 s. The polling session outlives it.
	UpgradeTimeout time.Duration
	// MaxPayload is the largest message or polling body, in bytes, inclusive, on both
	// transports and in chunked bodies. Default 1,000,000. Every client can make the server
	// hold this much per connection.
	MaxPayload int64
	// BodyTimeout is how long the body of a POST may take to arrive. Default 30 s.
	BodyTimeout time.Duration

	// Transports allowed, in any order. Default polling and websocket.
	Transports []string
	// DisableUpgrades keeps polling sessions on polling. Default false.
	DisableUpgrades bool
	// CompressFrom is the smallest polling response, in bytes, that is compressed, with gzip or
	// deflate as the client's Accept-Encoding prefers. Default 1,024. Negative: never. A response
	// with a message of Message.Uncompressed is not, nor one that a middleware compresses.
	CompressFrom int

	// PerMessageDeflate compresses messages on WebSocket. Default nil: never, as in Node.
	PerMessageDeflate *Deflate

	// OutboxBytes and OutboxPackets bound what waits to be written to one client. A client that
	// falls further behind is disconnected as SlowConsumer. Defaults 1 MiB and 8,192. One larger
	// message may pass when the outbox is empty.
	OutboxBytes   int
	OutboxPackets int
	// WriteTimeout ends a connection on which a write makes no progress for so long. Default 10 s. Over TLS
	// and on polling 16 KiB at a time must leave within it.
	WriteTimeout time.Duration
	// CloseTimeout is how long a closing connection may take to fetch what is still queued for
	// it. Default 5 s.
	CloseTimeout time.Duration

	// AllowEIO3 also accepts clients of Engine.IO 3, that is socket.io-client 1 and 2. Default false:
	// they are refused with code 5. Their heartbeat comes from the client, whose timers browsers slow
	// down in hidden tabs: a PingTimeout below a minute may then end them.
	AllowEIO3 bool
	// JSONP lets clients poll by script tags, for browsers that know no CORS. Default false. DANGER: a
	// script tag sends the visitor's cookies and no Origin, from any page: the Origin check is void, and
	// Accept and Authorize must not trust cookies.
	JSONP bool

	// Origins lists the page origins that may connect: "https://app.example", a wildcard for
	// subdomains "https://*.app.example", or "*" for any. Empty: only the origin that the
	// request itself was sent to. It holds for polling, WebSocket and preflight alike. A client
	// that sends no Origin (no browser) passes.
	Origins []string
	// TrustedProxies lists the addresses or CIDR ranges of reverse proxies whose
	// X-Forwarded-Proto and X-Forwarded-Host are believed in the same-origin check, and whose
	// X-Forwarded-For and X-Real-IP by Server.ClientIP.
	TrustedProxies []string

	// Logger receives warnings. Default slog.Default(). Session ids are never logged.
	Logger *slog.Logger

	origins *originPolicy
}

func (cfg Config) withDefaults() (Config, error) {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&cfg.PingInterval, 25*time.Second)
	def(&cfg.PingTimeout, 20*time.Second)
	def(&cfg.UpgradeTimeout, 10*time.Second)
	def(&cfg.BodyTimeout, 30*time.Second)
	def(&cfg.WriteTimeout, 10*time.Second)
	def(&cfg.CloseTimeout, 5*time.Second)
	if cfg.MaxPayload == 0 {
		cfg.MaxPayload = 1_000_000
	}
	cfg.MaxPayload = min(cfg.MaxPayload, math.MaxInt64-1) // readers ask for one byte more
	if cfg.OutboxBytes == 0 {
		cfg.OutboxBytes = 1 << 20
	}
	if cfg.OutboxPackets == 0 {
		cfg.OutboxPackets = 8192
	}
	if cfg.CompressFrom == 0 {
		cfg.CompressFrom = 1024
	}
	if cfg.Transports == nil {
		cfg.Transports = []string{Polling, WebSocket}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return cfg, cfg.validate()
}

func (cfg *Config) validate() error {
	if cfg.Accept == nil {
		return errors.New("engineio: Config.Accept is nil; it must return the Receiver of a new connection")
	}
	for _, f := range []struct {
		name     string
		got, min time.Duration
	}{
		{"PingInterval", cfg.PingInterval, 100 * time.Millisecond},
		{"PingTimeout", cfg.PingTimeout, 100 * time.Millisecond},
		{"UpgradeTimeout", cfg.UpgradeTimeout, 100 * time.Millisecond},
		{"BodyTimeout", cfg.BodyTimeout, 100 * time.Millisecond},
		{"WriteTimeout", cfg.WriteTimeout, 10 * time.Millisecond},
		{"CloseTimeout", cfg.CloseTimeout, 10 * time.Millisecond},
	} {
		if f.got < f.min {
			return fmt.Errorf("engineio: %s must be at least %s, got %s", f.name, f.min, f.got)
		}
	}
	if cfg.MaxPayload < 1 {
		return fmt.Errorf("engineio: MaxPayload must be at least 1 byte, got %d", cfg.MaxPayload)
	}
	if cfg.OutboxBytes < 1024 || cfg.OutboxPackets < 1 {
		return fmt.Errorf("engineio: OutboxBytes must be at least 1024 and OutboxPackets at least 1, got %d and %d", cfg.OutboxBytes, cfg.OutboxPackets)
	}
	if len(cfg.Transports) == 0 {
		return errors.New("engineio: Transports is empty; leave it nil for polling and websocket")
	}
	for _, t := range cfg.Transports {
		if t != Polling && t != WebSocket {
			return fmt.Errorf("engineio: Transports holds %q; known are %q and %q", t, Polling, WebSocket)
		}
	}
	var err error
	if cfg.PerMessageDeflate, err = cfg.PerMessageDeflate.withDefaults(); err != nil {
		return err
	}
	if cfg.origins, err = newOriginPolicy(cfg.Origins, cfg.TrustedProxies); err != nil {
		return err
	}
	if cfg.Cookie, err = stickyCookie(cfg.Cookie, cfg.origins.any); err != nil {
		return err
	}
	return cfg.RateLimit.validate()
}

func (cfg *Config) allows(transport string) bool {
	return slices.Contains(cfg.Transports, transport)
}

// upgradable reports whether a polling session may move to WebSocket.
func (cfg *Config) upgradable() bool {
	return !cfg.DisableUpgrades && cfg.allows(WebSocket)
}
