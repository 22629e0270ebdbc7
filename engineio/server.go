package engineio

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siokit/siokit/wire/eio"
)

// A Server serves Engine.IO clients. It is an http.Handler; mount it on one path. All methods
// may be called concurrently.
type Server struct {
	deadlinesOnce sync.Once // see noDeadlines

	cfg    Config
	clock  *clock
	ready  *readyList
	held   holdList
	stats  counters
	limits *limiter // nil: none

	mu       sync.RWMutex
	conns    map[string]*Conn // by session id; guarded by mu
	draining bool             // guarded by mu: no new connections
	active   tally            // connections and their readers
	spawned  tally            // what workers and the clock hand to goroutines of their own
}

// A Receiver takes what one client sends. Its methods are called one after another, and Closed
// last, but Closed may be called while another call is still running.
type Receiver interface {
	// Receive gets one message. data is valid during the call only. It may block to slow the
	// client down, which also stops reading its pongs: the heartbeat then waits.
	Receive(data []byte, binary bool)
	// Closed is called once, when the connection has ended for the application. Messages that
	// were queued may still be on their way to the client.
	Closed(reason Reason, err error)
}

// Stats are counts since New, and the live number of connections.
type Stats struct {
	Connections   int   // open now
	SlowConsumers int64 // closed because they did not keep up
	Refused       int64 // requests answered with an error
	LostOnAbort   int64 // packets handed to a long-poll whose client had gone
	Upgrades      int64 // polling sessions moved to WebSocket
}

type counters struct {
	slow, refused, lost, upgrades atomic.Int64
}

// NewServer validates cfg and returns a server. Nothing runs until the first connection.
func NewServer(cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, clock: newClock(), conns: make(map[string]*Conn), limits: newLimiter(cfg.RateLimit, cfg.origins)}
	s.ready = newReadyList()
	s.held.init(s)
	return s, nil
}

// Stats returns the current counts.
func (s *Server) Stats() Stats {
	s.mu.RLock()
	n := len(s.conns)
	s.mu.RUnlock()
	return Stats{
		Connections:   n,
		SlowConsumers: s.stats.slow.Load(),
		Refused:       s.stats.refused.Load(),
		LostOnAbort:   s.stats.lost.Load(),
		Upgrades:      s.stats.upgrades.Load(),
	}
}

// AfterFunc calls f on the server's clock goroutine after d. f must not block.
func (s *Server) AfterFunc(d time.Duration, f func()) *Timer {
	t := &Timer{f: f}
	s.clock.reset(t, d)
	return t
}

// Reset arms t again, to fire after d from now.
func (s *Server) Reset(t *Timer, d time.Duration) { s.clock.reset(t, d) }

// Stop disarms t and reports whether it was armed.
func (s *Server) Stop(t *Timer) bool { return s.clock.stop(t) }

// ServeHTTP serves polling requests, WebSocket handshakes and upgrades. The path is not
// looked at: the layer above mounts it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q, refusal := s.verify(r)
	header, failed := s.responseHeaders(w, r)
	switch q.header = header; {
	case failed != nil:
		refusal = failed
	case refusal != nil && refusal.Code == CodeUnknownSession && !s.limits.stranger(r):
		refusal = tooManyRequests("more requests of this address for sessions that do not exist than RateLimit.UnknownSessions")
	}
	if refusal != nil {
		if s.cfg.origins.check(r) == nil {
			s.cfg.origins.setCORS(w.Header(), r) // so that the page can read why
		} else {
			s.cfg.origins.vary(w.Header())
		}
		s.refuse(w, r, refusal)
		return
	}
	if r.Method == http.MethodOptions {
		s.cfg.origins.preflight(w, r)
		return
	}
	s.cfg.origins.setCORS(w.Header(), r)
	switch {
	case q.conn == nil:
		s.handshake(w, r, q)
	case q.upgrade:
		s.upgrade(w, r, q)
	case r.Method == http.MethodGet:
		q.conn.servePoll(w, r)
	default:
		q.conn.servePost(w, r)
	}
}

// handshake opens a connection for a new client.
func (s *Server) handshake(w http.ResponseWriter, r *http.Request, q query) {
	if !s.limits.handshake(r) {
		s.refuse(w, r, tooManyRequests("more handshakes of this address than RateLimit.Handshakes; if many users share it, behind a proxy for example, see RateLimit"))
		return
	}
	id, refusal := s.sessionID(r)
	if refusal != nil {
		s.refuse(w, r, refusal)
		return
	}
	c := newConn(s, r, q, id)
	if e := s.add(c); e != nil {
		s.refuseConn(w, r, c, e)
		return
	}
	receiver, err := s.accept(c, r)
	if err != nil {
		s.refuseConn(w, r, c, asError(err))
		return
	}
	c.setReceiver(receiver)
	known := false
	defer func() {
		if !known { // a callback panicked: no client will ever come for this session
			c.Fail(ForcedClose, errors.New("the handshake panicked"))
		}
	}()
	open := eio.AppendOpen(make([]byte, maxHeader, 256), eio.Handshake{
		SID:          c.id,
		Upgrades:     s.upgradesFor(q.transport),
		PingInterval: s.cfg.PingInterval.Milliseconds(),
		PingTimeout:  s.cfg.PingTimeout.Milliseconds(),
		MaxPayload:   s.cfg.MaxPayload,
	})
	c.push(newPacket(eio.Open, open, nil))
	if s.cfg.InitialPacket != nil {
		c.push(s.cfg.InitialPacket)
	}
	if q.header, refusal = s.initialHeaders(w, r, q); refusal != nil {
		c.Fail(ForcedClose, refusal)
		s.refuse(w, r, refusal)
		return
	}
	c.heartbeat.start()
	c.opened(receiver)
	known = true
	if q.transport == Polling {
		s.setSticky(w, r, c)
		c.servePoll(w, r)
		return
	}
	c.serveWebSocket(w, r, q.header)
}

// accept calls Config.Accept. A panic there is net/http's to report, and leaves nothing behind. A client that hangs up
// meanwhile ends the connection, and with it the context that Accept may be waiting with.
func (s *Server) accept(c *Conn, r *http.Request) (Receiver, error) {
	answered := context.AfterFunc(r.Context(), func() { c.Fail(TransportClose, context.Cause(r.Context())) })
	defer answered()
	returned := false
	defer func() {
		if !returned {
			c.abandon(errors.New("Config.Accept panicked"))
		}
	}()
	receiver, err := s.cfg.Accept(c, r.WithContext(c.ctx))
	returned = true
	return receiver, err
}

func (s *Server) upgradesFor(transport string) []string {
	if transport == Polling && s.cfg.upgradable() {
		return []string{WebSocket}
	}
	return []string{}
}

func (s *Server) refuseConn(w http.ResponseWriter, r *http.Request, c *Conn, e *Error) {
	c.abandon(e)
	s.refuse(w, r, e)
}

func asError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return Unavailable(err.Error())
}

// add registers c, unless the server is shutting down or its id is taken.
func (s *Server) add(c *Conn) *Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.draining:
		return Unavailable("the server is shutting down")
	case s.conns[c.id] != nil:
		return duplicateID()
	}
	s.conns[c.id] = c
	s.active.add()
	return nil
}

func (s *Server) remove(c *Conn) {
	s.mu.Lock()
	found := s.conns[c.id] == c
	if found {
		delete(s.conns, c.id)
	}
	s.mu.Unlock()
	if found {
		s.active.done()
	}
}

// hold keeps Shutdown waiting for work on c, until s.active.Done. It fails when c is gone.
func (s *Server) hold(c *Conn) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.conns[c.id] != c {
		return false
	}
	s.active.add() // never from zero: c itself is still counted
	return true
}

func (s *Server) lookup(id string) *Conn {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.conns[id]
}

// Drain refuses new connections with 503 from now on. Existing sessions go on.
func (s *Server) Drain() {
	s.mu.Lock()
	s.draining = true
	s.mu.Unlock()
}

// Conns returns the open connections.
func (s *Server) Conns() []*Conn {
	s.mu.RLock()
	defer s.mu.RUnlock()
	conns := make([]*Conn, 0, len(s.conns))
	for _, c := range s.conns {
		conns = append(conns, c)
	}
	return conns
}

// Shutdown closes every connection with ServerShutdown, lets what is queued reach the clients
// for up to CloseTimeout, and ends the server's goroutines. When ctx ends first, the remaining
// connections are cut. It returns ctx's error in that case.
func (s *Server) Shutdown(ctx context.Context) error {
	s.Drain()
	for _, c := range s.Conns() {
		c.Close(ServerShutdown)
	}
	gone := make(chan struct{})
	go func() {
		s.active.wait()
		close(gone)
	}()
	var err error
	select {
	case <-gone:
	case <-ctx.Done():
		err = ctx.Err()
		for _, c := range s.Conns() {
			c.cut()
		}
		<-gone
	}
	s.ready.shutdown()
	s.clock.shutdown()
	s.spawned.wait()
	return err
}
