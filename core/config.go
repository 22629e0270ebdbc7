package core

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/engineio"
	"github.com/siokit/siokit/wire/sio"
)

// Config configures a Server. The zero value of every field is its default.
type Config struct {
	// Sessions gives sockets the HTTP session of their handshake; *sessions.Manager is one.
	// Default nil: handlers have no session. Without Authenticate, a SessionBinder that is a
	// SessionNamer also keeps a leaked session id from being used with another session.
	Sessions SessionBinder

	// Authenticate says who sent a request; the method Handshake of auth.Users is one. It is
	// called for the handshake, after Sessions, and again for every later HTTP request of the
	// connection, so it should be cheap.
	//
	// principal names the user ("" for nobody): a request with another principal than the
	// handshake's is refused, so a leaked session id is of no use to somebody else. ctx must
	// derive from r.Context(); of the handshake it carries the identity into every handler, and
	// when it is cancelled the connection is closed with that cause. An error refuses with 503.
	Authenticate func(r *http.Request) (ctx context.Context, principal string, err error)

	// AllowRequest may refuse a handshake before anything else is done with it; the client sees
	// 403. Default nil: allow.
	AllowRequest func(r *http.Request) error

	// Handshakes is how many handshakes may run AllowRequest, Sessions and Authenticate at the same time, and
	// HandshakeQueue how many may wait for that, at most 5 s; others get 503 with Retry-After, and clients
	// come back. It keeps the session store and the database alive when all clients reconnect after a
	// restart. Defaults 4 for each processor, and 1,024.
	Handshakes     int
	HandshakeQueue int

	// Guards run for every CONNECT, in every namespace, also in those that are made later, and before
	// the namespace's own (Namespace.Use). With auth.Require in it there is no namespace that somebody
	// forgot to protect. Default none.
	Guards []Guard

	// ReservedRooms are prefixes of room names that clients cannot ask for: see Context.JoinRequest.
	// Default "user:" and "#". A list replaces the default; socket ids are always reserved.
	ReservedRooms []string

	// AlwaysConnect tells a client that it is connected before OnConnect runs, not after it: as soon as
	// Guards and Namespace.Use have let it in. An error of OnConnect then cannot refuse it any more. It
	// disconnects it (the client sees "io server disconnect"), and EndedEvent says why, with "internal
	// error" for errors that were not made for clients. Call works in OnConnect then, and OnDisconnect
	// does not run for such a client. Default false.
	AlwaysConnect bool

	// Validate checks the arguments of events, decoded, before their handler: it is given a pointer to
	// each argument that is a struct, what the argument points to if that is one, and each element of
	// a slice or array of either; never anything else. An error keeps the event from its handler: the ack is
	// {"error": {"code": "bad_arguments", ...}}, whose data names the fields and rules of a
	// go-playground/validator, so gin's binding.Validator.ValidateStruct and (*validator.Validate).Struct
	// fit as they are. It is called concurrently. Types with a method Validate() error are checked by
	// that as well, without this field. The text of an error reaches the client only if it is made for it (see
	// Error). Default nil.
	Validate func(v any) error

	// EndedEvent is the event by which a client learns why the server ends its socket: a logout, an
	// expired token, or a DisconnectBecause with an error made for clients (see Error). Its argument is
	// {"message": ..., "data": ...} as in a refusal, and "disconnect" follows at once. Default
	// "session ended"; "-" sends none.
	EndedEvent string

	// Bus makes this server one of several that use the same channel of a message broker: rooms,
	// broadcasts, Gather, Fetch, Join, Leave and Disconnect then reach the clients of all. Packages
	// redisbus, rabbitbus, natsbus and kafkabus have one each. It belongs to the server, which closes it in
	// Shutdown. New fails when the broker cannot be reached, unless the bus is configured to start
	// without. Default nil: the server is alone.
	Bus cluster.Bus
	// Cluster configures what goes over Bus: heartbeats, signatures, limits. The zero value is fine.
	Cluster cluster.Options
	// Link is instead of Bus for other ways to be one of several, such as package nodewire. Default nil.
	Link cluster.Link
	// OnAnnounced gets what other servers announce (Server.Announce). It runs on the goroutine that reads
	// the bus and must not block; its error is logged. Default nil.
	OnAnnounced func(data []byte) error

	// Recovery switches connection state recovery on. Default nil: a client that comes back is a new one.
	Recovery *Recovery

	// Client holds the browser client's files (the dist folder of npm's socket.io-client), which
	// are served below Path as socket.io.js, socket.io.min.js, socket.io.esm.min.js and so on.
	// Default nil: 404.
	Client fs.FS

	// Path is the last part of the URL path that the server answers on, whatever prefix it is
	// mounted under. Default "/socket.io/". Clients must be configured alike: for a server mounted
	// on "/api/socket.io/" the JavaScript client's path is "/api/socket.io/".
	Path string

	// ConnectTimeout closes a connection that has joined no namespace for so long. Default 45 s.
	ConnectTimeout time.Duration
	// CallTimeout is how long Call waits when its context has no deadline. Default 60 s.
	CallTimeout time.Duration
	// AttachmentTimeout is how long the binary attachments of one packet may take. Default 30 s.
	AttachmentTimeout time.Duration
	// ShutdownTimeout is how long Run waits, once its ctx has ended, for handlers, background tasks, queued
	// messages and HTTP requests. Default 10 s. Shutdown itself is bounded by its own ctx.
	ShutdownTimeout time.Duration
	// MaxNamespaces is how many namespaces one connection may join. Default 100.
	MaxNamespaces int
	// MaxAttachments is how many binary attachments one packet may have, in both directions. Default 10, at
	// most 1,000. A client can make the server hold that many; together they may have 10,000,000 bytes, or
	// MaxPayload if that is more. The official clients refuse more than 10 unless they are told otherwise.
	// A Parser that writes binary values into its message, such as msgpack, has no attachments.
	MaxAttachments int
	// QueueEvents and QueueBytes bound the events of one socket that wait for its handlers;
	// beyond them the server stops reading from that client. Defaults 256 and 1 MiB.
	QueueEvents int
	QueueBytes  int

	// Parser is how packets are written: nil is the protocol's own text, msgpack.Parser (package
	// wire/msgpack) fits npm's socket.io-msgpack-parser. All clients must use the same one, because nothing
	// negotiates it; the connection of one that does not is closed. Its panics are recovered.
	Parser Parser
	// JSON encodes and decodes the arguments of events and acks that hold no binary value, in place of the
	// built-in codec, for example sonic.ConfigStd. Its errors are reported as those of the built-in codec
	// are. Auth payloads and refusals stay with the built-in codec. Default nil.
	JSON JSON

	// The following are passed on to the transport; engineio.Config documents them.

	PingInterval    time.Duration // default 25 s
	PingTimeout     time.Duration // default 20 s
	UpgradeTimeout  time.Duration // default 10 s
	WriteTimeout    time.Duration // default 10 s: a write that makes no progress ends the connection
	MaxPayload      int64         // default 1,000,000 bytes, on both transports
	OutboxBytes     int           // default 1 MiB: a client further behind is disconnected
	OutboxPackets   int           // default 8,192
	Transports      []string      // default polling and websocket
	AllowEIO3       bool          // accept socket.io-client 1 and 2 too; default false: refused with code 5
	DisableUpgrades bool          // keep polling clients on polling; default false
	CompressFrom    int           // default 1,024 bytes: smallest polling response that is compressed; negative: none

	// The options of docs/engine-options.md. engineio.Config documents those of the same name.

	PerMessageDeflate *engineio.Deflate                     // compression on WebSocket; default nil: none
	Cookie            *http.Cookie                          // for sticky load balancers; default nil: none
	RateLimit         *engineio.RateLimit                   // handshakes per client address; default nil: no limit
	Headers           func(h http.Header, r *http.Request)  // adds headers to every answer
	InitialHeaders    func(h http.Header, r *http.Request)  // adds headers to the answer of an accepted handshake
	NewEngineID       func(r *http.Request) (string, error) // makes the ids of the transport, which are secrets: engineio.Config.NewID
	InitialPacket     string                                // an event that every client gets with its handshake, as a packet: 2["hello"]

	// OnConnectionError observes every request that is refused before it reaches a socket, with what the
	// client is told and the cause, which it is not told: connection_error of socket.io. It runs on
	// the request's goroutine, maybe several at once, and must not block for long. A panic in it is
	// logged. Refusals in middleware and OnConnect are not among them. Default nil.
	OnConnectionError func(r *http.Request, err *engineio.Error)

	// JSONP lets browsers without CORS poll by script tags. Default false. New refuses it together with
	// Sessions or Authenticate: a script tag on any page sends the visitor's cookies and no Origin, so
	// the page could open a socket as the logged-in user and read what it gets.
	JSONP bool

	// Origins lists the page origins that may connect, on every transport:
	// "https://app.example", "https://*.app.example". Empty: only the origin the server itself is
	// reached at. "*" is refused together with Sessions or Authenticate, because any page could
	// then act as the logged-in user.
	Origins []string
	// DangerouslyAllowAnyOrigin lets "*" in Origins stand together with Sessions or Authenticate:
	// every web page that a user opens can then open a WebSocket with that user's cookies, as far as
	// their SameSite lets it, and act and
	// read in their name. New warns about it each time. (Polling stays safe from it, because browsers
	// hide answers to requests with cookies from pages that only "*" allows.) Default false. It is for
	// networks without foreign pages, and for logins that never come from a cookie.
	DangerouslyAllowAnyOrigin bool
	// TrustedProxies lists addresses or CIDR ranges of reverse proxies whose X-Forwarded-Proto
	// and X-Forwarded-Host count in the same-origin check, and whose X-Forwarded-For, or else
	// X-Real-IP, says what Handshake.RemoteIP is; from anybody else these headers mean nothing.
	// Where ginsio, echosio or chi's ClientIPFrom... middleware know the client's address, theirs is
	// RemoteIP. Default none.
	TrustedProxies []string

	// Logger receives what concerns namespaces, sockets and handlers: errors and panics of user code, and at
	// debug level who connects and disconnects. Default slog.Default(). No secret is ever logged.
	Logger *slog.Logger
	// EngineLogger receives what concerns connections, which are Engine.IO's: refused requests, the first of
	// each kind as an error or a warning with the cure, the next ones at debug level; and at debug level each
	// connection that opens and closes. Give it a handler of another level to see more, or less, of it than
	// of Logger. Default Logger.
	EngineLogger *slog.Logger
}

// A Parser writes and reads packets. It is made for package wire/sio, whose documentation says what one must do.
type Parser = sio.Parser

// JSON is a codec for arguments; wire/sio documents it.
type JSON = sio.JSON

// A SessionBinder makes the HTTP session of a handshake available to socket handlers. Its
// methods may be called concurrently. It is made of standard types so that implementations need
// not import this package.
type SessionBinder interface {
	// BindSession returns a context, derived from r.Context(), that carries the session.
	// r.Context() lives as long as the connection. An error refuses the handshake with 503.
	BindSession(r *http.Request) (context.Context, error)
	// SaveSession is called after each handler, also a failed one, and before its ack.
	SaveSession(ctx context.Context) error
}

// A SessionNamer is a SessionBinder that can name the session of a request, by its cookies. Where
// Config.Authenticate is nil, later requests of a connection whose handshake had a session must
// then come with the same session, or are refused with 403; whoever had none is bound to nothing.
// A request with the same Cookie header as the handshake is the same visitor's, and is not asked
// about, so that a poll costs the session store nothing.
type SessionNamer interface {
	// NameSession returns what tells one session from all others, or "" if the request has none.
	// At the handshake the request has the context that BindSession returned. An error refuses
	// the request with 503. It may be called concurrently.
	NameSession(r *http.Request) (name string, err error)
}

func (cfg Config) withDefaults() (Config, error) {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&cfg.ConnectTimeout, 45*time.Second)
	def(&cfg.CallTimeout, 60*time.Second)
	def(&cfg.AttachmentTimeout, 30*time.Second)
	def(&cfg.ShutdownTimeout, 10*time.Second)
	if cfg.EndedEvent == "" {
		cfg.EndedEvent = "session ended"
	}
	if cfg.ReservedRooms == nil {
		cfg.ReservedRooms = []string{"user:", "#"}
	}
	if cfg.Path == "" {
		cfg.Path = "/socket.io/"
	}
	if cfg.Handshakes == 0 {
		cfg.Handshakes = 4 * runtime.GOMAXPROCS(0)
	}
	if cfg.HandshakeQueue == 0 {
		cfg.HandshakeQueue = 1024
	}
	if cfg.MaxNamespaces == 0 {
		cfg.MaxNamespaces = 100
	}
	if cfg.MaxAttachments == 0 {
		cfg.MaxAttachments = sio.DefaultAttachments
	}
	if cfg.QueueEvents == 0 {
		cfg.QueueEvents = 256
	}
	if cfg.QueueBytes == 0 {
		cfg.QueueBytes = 1 << 20
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.EngineLogger == nil {
		cfg.EngineLogger = cfg.Logger
	}
	if cfg.Recovery != nil {
		r, err := cfg.Recovery.withDefaults()
		if err != nil {
			return cfg, err
		}
		cfg.Recovery = &r
	}
	return cfg, cfg.validate()
}

func (cfg *Config) validate() error {
	for _, f := range []struct {
		name string
		got  time.Duration
	}{{"ConnectTimeout", cfg.ConnectTimeout}, {"CallTimeout", cfg.CallTimeout}, {"AttachmentTimeout", cfg.AttachmentTimeout}, {"ShutdownTimeout", cfg.ShutdownTimeout}} {
		if f.got < 0 {
			return fmt.Errorf("core: %s must not be negative, got %s", f.name, f.got)
		}
	}
	for _, f := range []struct {
		name string
		got  int
	}{{"Handshakes", cfg.Handshakes}, {"HandshakeQueue", cfg.HandshakeQueue}, {"MaxNamespaces", cfg.MaxNamespaces}, {"MaxAttachments", cfg.MaxAttachments}, {"QueueEvents", cfg.QueueEvents}, {"QueueBytes", cfg.QueueBytes}} {
		if f.got < 1 {
			return fmt.Errorf("core: %s must be at least 1, got %d", f.name, f.got)
		}
	}
	if cfg.MaxAttachments > maxAttachments {
		return fmt.Errorf("core: MaxAttachments must be at most %d, got %d: join binary values into one instead", maxAttachments, cfg.MaxAttachments)
	}
	if strings.Trim(cfg.Path, "/") == "" || cfg.Path[0] != '/' || strings.Contains(cfg.Path, "//") {
		return fmt.Errorf("core: Path must be like \"/socket.io/\", got %q", cfg.Path)
	}
	if slices.Contains(cfg.ReservedRooms, "") {
		return errors.New("core: ReservedRooms must not hold an empty prefix, which every room has: to let clients ask for none, register no CanJoin")
	}
	if sio.Reserved(cfg.EndedEvent) {
		return fmt.Errorf("core: EndedEvent must not be %q, which clients know as something else: choose another name", cfg.EndedEvent)
	}
	if cfg.Bus != nil && cfg.Link != nil {
		return errors.New("core: Bus and Link are two ways to do the same: set one of them")
	}
	if cfg.AllowEIO3 && cfg.Parser != nil {
		return errors.New("core: AllowEIO3 cannot be combined with Parser: socket.io-client 1 and 2 speak the protocol's text only")
	}
	if cfg.openToAnyPage() && !cfg.DangerouslyAllowAnyOrigin {
		return errors.New(`core: Origins "*" cannot be combined with Sessions or Authenticate: any web page could open a socket as the logged-in user. List the origins of your pages, for example "https://app.example"`)
	}
	if cfg.JSONP && (cfg.Sessions != nil || cfg.Authenticate != nil) {
		return errors.New("core: JSONP cannot be combined with Sessions or Authenticate: script tags send cookies from any page and no Origin. Leave JSONP off; every browser since Internet Explorer 10 does without")
	}
	return nil
}

// maxAttachments bounds Config.MaxAttachments: each attachment is a message of its own in an outbox.
const maxAttachments = 1_000

// limits returns the limits of the packets of clients.
func (cfg *Config) limits() sio.Limits {
	return sio.Limits{Attachments: cfg.MaxAttachments, AttachmentBytes: max(sio.DefaultAttachmentBytes, cfg.MaxPayload)}
}

// openToAnyPage reports whether a foreign page can use the login of its visitor.
func (cfg *Config) openToAnyPage() bool {
	return slices.Contains(cfg.Origins, "*") && (cfg.Sessions != nil || cfg.Authenticate != nil)
}

func (cfg *Config) engine() engineio.Config {
	return engineio.Config{
		PingInterval:      cfg.PingInterval,
		PingTimeout:       cfg.PingTimeout,
		UpgradeTimeout:    cfg.UpgradeTimeout,
		WriteTimeout:      cfg.WriteTimeout,
		MaxPayload:        cfg.MaxPayload,
		OutboxBytes:       cfg.OutboxBytes,
		OutboxPackets:     cfg.OutboxPackets,
		Transports:        cfg.Transports,
		DisableUpgrades:   cfg.DisableUpgrades,
		AllowEIO3:         cfg.AllowEIO3,
		JSONP:             cfg.JSONP,
		CompressFrom:      cfg.CompressFrom,
		PerMessageDeflate: cfg.PerMessageDeflate,
		Cookie:            cfg.Cookie,
		RateLimit:         cfg.RateLimit,
		Origins:           cfg.Origins,
		TrustedProxies:    cfg.TrustedProxies,
		Logger:            cfg.EngineLogger,
	}
}
