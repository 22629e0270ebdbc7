package core

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/siokit/siokit/engineio"
)

// ErrCheckBlocked is in Check's error when the handshake was refused by something that may be meant to:
// a middleware or hook answered 401 or 403, or redirected to another page. Nothing is known to be wrong
// then, and nothing is known to work: pass Check the header of a visitor who may connect.
var ErrCheckBlocked = errors.New("core: the check was not let in")

// checkLimit is how long a Check may take when its context says nothing shorter.
const checkLimit = 10 * time.Second

// Check connects to the server as a client does, through the application's real handler, and names what
// is in the way: a route that is missing, redirects or takes no POST, a middleware whose ResponseWriter
// cannot be hijacked, answers in the server's place, compresses twice, reads the POST's body, doubles
// the CORS headers or writes after the WebSocket has taken over. Without it such a mistake shows as a
// browser that stays on polling, or reconnects for ever.
//
// handler is what the application gives to http.Server: its gin engine, echo, chi or ServeMux, with
// everything in front. path is the endpoint's as clients know it, concrete where the route has
// parameters, and may have a query; "" is Config.Path. header goes with every request, as far as a
// browser would send it: the session cookie of a visitor who may connect, an Authorization, a Host.
// nil is an anonymous visitor.
//
// Each transport of Config.Transports is tried: a polling handshake, a POST and a poll on its session, a
// WebSocket handshake and an upgrade; with Config.Origins also a preflight. The connections join no
// namespace, so that no guard, OnConnect or other handler of sockets runs, and have ended when Check
// returns; hooks of Config and the application's middleware see their requests. Refusals are in the error
// and not in the log; Stats counts them, and the upgrade.
//
// The error has a line for every culprit, and wraps ErrCheckBlocked if that is the only one. Check listens on
// a free loopback port of its own for as long as it runs: until ctx ends, at most 10 s. It may be called
// at any time, also while the server serves. Call it in a test of the application, or once at start-up.
// As after any connection, Shutdown ends what the server has started for it.
//
// Check cannot see what is in front of the process: a reverse proxy that drops Upgrade headers, a load
// balancer without sticky sessions, TLS, HTTP/2, or the timeouts of the real http.Server.
func (s *Server) Check(ctx context.Context, handler http.Handler, path string, header http.Header) error {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	v, err := s.newVisit(ctx, handler, path, header)
	if err != nil {
		return err
	}
	s.checks.Add(1)
	defer s.checks.Add(-1)
	v.serve()
	c := &check{srv: s, visit: v}
	if len(s.cfg.Transports) == 0 || slices.Contains(s.cfg.Transports, engineio.Polling) {
		c.polling()
	}
	if !c.stopped && (len(s.cfg.Transports) == 0 || slices.Contains(s.cfg.Transports, engineio.WebSocket)) {
		c.webSocket()
	}
	v.leave()
	c.complaints()
	return c.err()
}

// check is one run of Check, on the caller's goroutine.
type check struct {
	findings
	srv     *Server
	visit   *visit
	arrived bool // a handshake has come through
	stopped bool // there is no use in going on
}

// polling tries everything that begins with a polling handshake.
func (c *check) polling() {
	sess, ok := c.openPolling()
	if !ok {
		return
	}
	if len(c.srv.cfg.Origins) > 0 {
		c.preflight()
	}
	if c.post(sess); sess.ended() { // the next steps need one that lives
		if sess, ok = c.openPolling(); !ok {
			return
		}
	}
	c.poll(sess)
	upgrades := len(c.srv.cfg.Transports) == 0 || slices.Contains(c.srv.cfg.Transports, engineio.WebSocket)
	if !upgrades || c.srv.cfg.DisableUpgrades {
		return
	}
	if sess.ended() {
		if sess, ok = c.openPolling(); !ok {
			return
		}
	}
	c.upgrade(sess)
}

const (
	stepPolling   = "polling handshake"
	stepPreflight = "preflight"
	stepPost      = "POST"
	stepPoll      = "poll"
	stepWebSocket = "WebSocket handshake"
	stepUpgrade   = "upgrade"
)

func (c *check) openPolling() (*visitor, bool) {
	a := c.visit.request(http.MethodGet, "polling", "", "")
	if a.err != nil || a.status != http.StatusOK {
		c.stopped = !c.arrived
		c.handshakeFailed(stepPolling, a)
		return nil, false
	}
	open, _, _ := unzipped(a.body)
	sid := sidOf(open)
	if a.conn == nil || sid == "" {
		c.stopped = true
		c.stranger(stepPolling, a, sid)
		return nil, false
	}
	c.arrived = true
	c.cors(stepPolling, a)
	return &visitor{sid, a.conn}, true
}

// stranger reports a 200 that did not come from this server.
func (c *check) stranger(step string, a answer, sid string) {
	if sid == "" {
		c.add(step, "the answer is no handshake of Socket.IO but %.60q: another route has this path, or something in front changes answers", a.body)
		return
	}
	c.visit.request(http.MethodPost, "polling", sid, "1") // whoever it is, leave no session behind
	c.add(step, "a Socket.IO server answers, but not this one: mount the server that Check is a method of; or something in front replaces the request's context instead of deriving from it")
}

// preflight is what browsers send first when a page of another origin sets headers of its own.
func (c *check) preflight() {
	a := c.visit.request(http.MethodOptions, "polling", "", "")
	switch allowed := a.header.Values("Access-Control-Allow-Origin"); {
	case a.err != nil:
		c.failed(stepPreflight, a)
	case a.status/100 == 2 && len(allowed) == 0:
		c.add(stepPreflight, "something in front answers OPTIONS without Access-Control-Allow-Origin: leave OPTIONS of this path to the server, which knows Config.Origins")
	case a.status/100 == 2:
		c.cors(stepPreflight, a)
	case a.reached:
		c.failed(stepPreflight, a)
	default:
		c.add(stepPreflight, "OPTIONS is answered with %d in front of the server: route it, and let it pass logins, because browsers send it without cookies", a.status)
	}
}

func (c *check) post(sess *visitor) {
	const noop = "6" // means nothing to the server, and an empty body would be a mistake
	a := c.visit.request(http.MethodPost, "polling", sess.sid, noop)
	ok, _, _ := unzipped(a.body)
	switch {
	case a.err != nil || a.reached && a.status != http.StatusOK:
		c.failed(stepPost, a)
	case !a.reached:
		c.postUnrouted(a)
	case sess.ended():
		c.add(stepPost, "its body did not arrive as it was sent (%v): something in front reads or changes Request.Body", context.Cause(sess.conn.Context()))
	case ok != "ok":
		c.add(stepPost, "something in front changes the answer, %.60q instead of \"ok\"", ok)
	default:
		c.cors(stepPost, a)
	}
}

// poll fetches a message that is worth compressing.
func (c *check) poll(sess *visitor) {
	text := strings.Repeat("check ", max(4096, min(c.srv.cfg.CompressFrom, 1<<18))/6+1)
	if err := sess.say(text); err != nil {
		c.add(stepPoll, "the session has ended: %v", err)
		return
	}
	a := c.visit.request(http.MethodGet, "polling", sess.sid, "")
	if a.err != nil || a.status != http.StatusOK {
		c.failed(stepPoll, a)
		return
	}
	c.compression(a, "4"+text)
	c.cors(stepPoll, a)
}

func (c *check) webSocket() {
	ws, a := c.visit.dial("")
	if ws == nil {
		c.stopped = !c.arrived
		if c.arrived || a.refusal != nil {
			c.failed(stepWebSocket, a)
		} else {
			c.handshakeFailed(stepWebSocket, a)
		}
		return
	}
	defer func() { _ = ws.Close() }()
	open, err := read(ws)
	if c.srv.cfg.InitialPacket != "" && err == nil {
		_, err = read(ws)
	}
	if err != nil || sidOf(open) == "" {
		c.add(stepWebSocket, "the WebSocket opens and then breaks (%v, read %.60q): something in front writes on the connection that was hijacked", err, open)
		return
	}
	if a.conn == nil {
		c.add(stepWebSocket, "a Socket.IO server answers, but not this one; or something in front replaces the request's context instead of deriving from it")
		return
	}
	c.converse(stepWebSocket, ws, &visitor{sidOf(open), a.conn})
}

func (c *check) upgrade(sess *visitor) {
	ws, a := c.visit.dial(sess.sid)
	if ws == nil {
		c.failed(stepUpgrade, a)
		return
	}
	defer func() { _ = ws.Close() }()
	if pong, err := ask(ws, "2probe"); err != nil || pong != "3probe" {
		c.add(stepUpgrade, "the probe is answered with %.60q (%v) instead of \"3probe\"", pong, err)
		return
	}
	if a := c.visit.request(http.MethodGet, "polling", sess.sid, ""); a.err != nil || a.status != http.StatusOK {
		c.failed(stepUpgrade, a)
		return
	}
	if err := write(ws, "5"); err != nil {
		c.add(stepUpgrade, "the WebSocket breaks: %v", err)
		return
	}
	c.converse(stepUpgrade, ws, sess)
}

// converse proves that a WebSocket carries what the server sends.
func (c *check) converse(step string, ws wire, sess *visitor) {
	const text = "check"
	if err := sess.say(text); err != nil {
		c.add(step, "the session has ended: %v", err)
		return
	}
	if got, err := read(ws); err != nil || got != "4"+text {
		c.add(step, "the WebSocket opens and then breaks (%v, read %.60q): something in front writes on the connection that was hijacked", err, got)
	}
}

// complaints are what net/http has logged: panics, and writes after the hijack with the name of the
// function that is to blame.
func (c *check) complaints() {
	for _, line := range c.visit.logged() {
		if strings.Contains(line, "hijacked connection") {
			c.add("afterwards", "%s: that middleware writes after the WebSocket has taken over the connection: skip %s there", line, c.visit.path())
			continue
		}
		c.add("afterwards", "%s", line)
	}
}

// timedOut tells an answer that did not come from a connection that failed.
func timedOut(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout()
}
