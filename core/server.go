package core

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/engineio"
	"github.com/siokit/siokit/wire/sio"
)

// A Server is a Socket.IO server: an http.Handler to be mounted in an existing application. It
// owns no listener. All methods may be called concurrently and at any time; what concerns a
// namespace is short for the same method of Of("/").
type Server struct {
	cfg       Config
	limits    sio.Limits  // of every client's packets
	limits4   sio.Limits  // of those of socket.io-client 1 and 2
	encoder   sio.Encoder // of every packet to clients
	engine    *engineio.Server
	root      *Namespace
	log       refusalLog
	panics    atomic.Int64
	admission admission    // of handshakes
	checks    atomic.Int32 // running Checks

	volatileDrops atomic.Int64

	link cluster.Link // to other processes; nil without Config.Bus

	everywhere  *handlerSet // what is registered for all namespaces
	dispatchers dispatchers // of all sockets
	tellers     tellers     // of what happens to rooms
	background  *background // what Go was given
	clientFiles clientFiles // what Config.Client holds, compressed

	mu          sync.RWMutex
	namespaces  map[string]*Namespace // by name, without parents; guarded by mu
	patterns    []*Namespace          // parents, in order; guarded by mu
	functions   []*Namespace          // likewise
	onNamespace []func(*Namespace)    // guarded by mu; appended to only, so that a copied header stays valid
	clients     map[*client]struct{}  // guarded by mu
	lingering   map[*Socket]struct{}  // ended, with handlers that are still running; guarded by mu
}

// New validates cfg and returns a server. Nothing runs until the first connection.
func New(cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if cfg.openToAnyPage() {
		cfg.Logger.Warn("core: DangerouslyAllowAnyOrigin is set: any web page can open a socket as its logged-in visitor. " +
			"List the origins of your pages in core.Config.Origins instead")
	}
	s := &Server{
		cfg:        cfg,
		limits:     cfg.limits(),
		limits4:    limits4(cfg.limits()),
		encoder:    sio.Encoder{Parser: cfg.Parser, JSON: cfg.JSON, Attachments: cfg.MaxAttachments},
		background: newBackground(),
		namespaces: make(map[string]*Namespace),
		clients:    make(map[*client]struct{}),
		log:        refusalLog{log: cfg.EngineLogger},
		admission:  newAdmission(cfg.Handshakes, cfg.HandshakeQueue),
		everywhere: newHandlerSet("every namespace", cfg.Validate),
	}
	engine := cfg.engine()
	s.hook(&engine)
	if engine.InitialPacket, err = initialPacket(cfg.InitialPacket); err != nil {
		return nil, err
	}
	if s.engine, err = engineio.NewServer(engine); err != nil {
		return nil, err
	}
	s.root = s.Of("/")
	if err := s.connectToOthers(); err != nil {
		return nil, err
	}
	return s, nil
}

// accept opens a connection: the hooks of Config run here, on the handshake request.
func (s *Server) accept(conn *engineio.Conn, r *http.Request) (engineio.Receiver, error) {
	c := &client{srv: s, conn: conn, handshake: s.newHandshake(r, conn.Revision()), protocol4: conn.Revision() == 3, decoder: s.newDecoder(conn)}
	err := protectHTTP(func() (err error) {
		if s.cfg.Parser != nil {
			c.decoder = sio.NewParserDecoder(s.cfg.Parser, sio.FromClient, &s.limits)
		}
		if err := s.admission.enter(r); err != nil {
			return err
		}
		defer s.admission.leave()
		if s.cfg.AllowRequest != nil {
			if err := s.cfg.AllowRequest(r); err != nil {
				return engineio.Forbidden("AllowRequest: " + err.Error())
			}
		}
		c.ctx, c.principal, err = s.identify(r)
		return err
	})
	if err != nil {
		return nil, s.hookError(err)
	}
	if c.ctx != conn.Context() {
		context.AfterFunc(c.ctx, c.contextEnded)
	}
	c.joinTimer = s.engine.AfterFunc(s.cfg.ConnectTimeout, func() { go conn.Close(engineio.ForcedClose) })
	s.mu.Lock()
	s.clients[c] = struct{}{}
	s.mu.Unlock()
	if v := s.visitOf(r); v != nil {
		v.note(func() { v.conn, v.conns = conn, append(v.conns, conn) })
		c.quiet = true
	}
	c.logOpened()
	return c, nil
}

// hookError turns a hook's error into the answer the client gets.
func (s *Server) hookError(err error) error {
	if p, ok := errors.AsType[*PanicError](err); ok {
		s.panics.Add(1)
		s.cfg.Logger.Error("core: a hook of the handshake panicked", "panic", p.Value, "stack", string(p.Stack))
		return &engineio.Error{Status: http.StatusInternalServerError, Code: engineio.CodeBadRequest, Message: "Internal server error", Cause: "panic in a hook"}
	}
	if _, ok := errors.AsType[*engineio.Error](err); ok {
		return err
	}
	return engineio.Unavailable(err.Error())
}

func (s *Server) removeClient(c *client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.clients, c)
}

// Stats returns the transport's counts.
func (s *Server) Stats() engineio.Stats { return s.engine.Stats() }

// Panics returns how many panics of user code have been recovered.
func (s *Server) Panics() int64 { return s.panics.Load() }

// closesPerSecond spreads the reconnects that follow a shutdown.
const closesPerSecond = 1000

// Shutdown ends the server without losing what was acknowledged. New handshakes get 503, and what was
// given to Go is cancelled and waited for. The clients take their turns in random order, at most 1,000 a
// second, and are served until then. From its turn on a client's events are ignored, only its acks are
// not; its running handlers end, their acks and everything else queued is written, and its connection is
// closed. Clients see "transport close" and reconnect elsewhere. Shutdown returns when every goroutine
// of the server has ended, or soon after ctx has: then connections are cut and ctx's error is returned,
// and handlers that ignore their Context may still be running.
//
// It never touches the application's listener. Call it before http.Server.Shutdown, which does
// not know about WebSockets and would wait for parked polls.
func (s *Server) Shutdown(ctx context.Context) error {
	s.engine.Drain()
	s.background.end()
	s.mu.RLock()
	clients := slices.Collect(maps.Keys(s.clients))
	s.mu.RUnlock()
	rand.Shuffle(len(clients), func(i, j int) { clients[i], clients[j] = clients[j], clients[i] })
	pace := time.NewTicker(time.Second / 10)
	defer pace.Stop()
	for i, c := range clients {
		if i > 0 && i%(closesPerSecond/10) == 0 {
			select {
			case <-pace.C:
			case <-ctx.Done():
			}
		}
		c.quiesce()
	}
	quiet := cmp.Or(wait(ctx, s.dispatchers.wait), wait(ctx, s.background.tasks.Wait))
	err := s.engine.Shutdown(ctx)
	closed := wait(ctx, s.dispatchers.close) // after the disconnect handlers
	told := wait(ctx, s.tellers.wait)        // nobody is in a room any more
	var parted error
	if s.link != nil {
		parted = s.link.Close(ctx)
	}
	return cmp.Or(err, quiet, closed, told, parted)
}

// wait runs f, which waits for something, until ctx ends.
func wait(ctx context.Context, f func()) error {
	done := make(chan struct{})
	go func() {
		f()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
