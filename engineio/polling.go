package engineio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/siokit/siokit/wire/eio"
)

// A poll is a GET that waits for something to send.
type poll struct {
	wake chan struct{} // capacity 1
}

// wakePollLocked releases the parked GET, which then takes whatever is queued.
func (c *Conn) wakePollLocked() {
	if c.poll != nil {
		c.poll.wake <- struct{}{}
		c.poll = nil
	}
}

// noopAfter is how long a poll may stay parked while an upgrade is being probed. The client
// waits for it before it switches.
const noopAfter = 100 * time.Millisecond

// servePoll answers a GET with everything that is queued, waiting for it if need be.
func (c *Conn) servePoll(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	if c.state == stateClosed {
		c.mu.Unlock()
		c.srv.refuse(w, r, unknownSession())
		return
	}
	if c.poll != nil {
		c.mu.Unlock()
		c.Fail(TransportError, errors.New("two polls at once"))
		c.srv.refuse(w, r, badRequest("the session already has a poll waiting"))
		return
	}
	if len(c.outbox.queue) == 0 && c.state == stateOpen && c.ws == nil {
		if !c.parkLocked(w, r) {
			c.pollAbortedLocked(w, r)
			return
		}
	}
	var batch []*Message
	if c.ws == nil { // else what is queued is the WebSocket's
		batch = c.takeBodyLocked()
	}
	upgraded := c.ws != nil
	last := c.state != stateOpen && !upgraded && len(batch) == 0
	c.mu.Unlock()

	if last && c.python {
		c.sayClosed(w)
		c.cut()
		return
	}
	packets, compressible := 0, true
	for _, m := range batch {
		compressible = compressible && !m.plain
		packets += m.packets()
	}
	say := batch
	switch {
	case last: // alone: clients act on a close at once, but on messages only a moment later
		say = closeBatch
	case len(batch) == 0:
		say = noopBatch
	}
	payload := borrowBuffer()
	payload.b = c.dialect.appendPayload(payload.b, say)
	err := c.writePayload(w, r, payload.b, compressible)
	payload.release()
	c.mu.Lock()
	c.outbox.wroteLocked(batch)
	c.mu.Unlock()
	switch {
	case upgraded: // whatever became of this answer, the session is elsewhere
	case err != nil:
		if errors.Is(err, errAborted) { // nothing has been written
			c.srv.refuse(w, r, badRequest(err.Error()))
		}
		c.srv.stats.lost.Add(int64(packets))
		reason := TransportError
		if errors.Is(err, os.ErrDeadlineExceeded) {
			reason = SlowConsumer
		}
		c.Fail(reason, err)
	case last:
		c.cut()
	}
}

// parkLocked waits, without c.mu, until there is something to say. It reports whether the
// client is still there.
func (c *Conn) parkLocked(w http.ResponseWriter, r *http.Request) bool {
	p := &poll{wake: make(chan struct{}, 1)}
	c.poll = p
	var expired <-chan time.Time
	if limit, ok := c.pollLimitLocked(r); ok {
		t := time.NewTimer(limit)
		defer t.Stop()
		expired = t.C
	}
	c.mu.Unlock()
	// A server's ReadTimeout and WriteTimeout are meant for requests that do not wait.
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Time{})
	_ = rc.SetWriteDeadline(time.Time{})
	gone := false
	select {
	case <-p.wake:
	case <-expired:
	case <-r.Context().Done():
		// A deadline set by a middleware is no reason to end the session: answer and let the
		// client poll again.
		gone = !errors.Is(r.Context().Err(), context.DeadlineExceeded)
	}
	c.mu.Lock()
	if c.poll == p {
		c.poll = nil
	}
	return !gone || c.ws != nil
}

// pollLimitLocked is how long a poll may stay parked, if there is a limit: briefly while an upgrade
// is being probed, and not up to the deadline of a timeout middleware, which would answer in our
// place.
func (c *Conn) pollLimitLocked(r *http.Request) (limit time.Duration, ok bool) {
	if deadline, has := r.Context().Deadline(); has {
		left := time.Until(deadline)
		limit, ok = left-min(left/4, time.Second), true
	}
	if c.noops && (!ok || noopAfter < limit) {
		limit, ok = noopAfter, true
	}
	return limit, ok
}

// pollAbortedLocked ends the session of a client that hung up on its poll, and unlocks c.mu.
func (c *Conn) pollAbortedLocked(w http.ResponseWriter, r *http.Request) {
	c.srv.stats.lost.Add(int64(c.outbox.packets))
	c.mu.Unlock()
	c.Fail(TransportError, errors.New("the client hung up on its poll"))
	c.srv.refuse(w, r, badRequest("the client hung up on its poll"))
}

// pollChunk is how much of an answer must leave within WriteTimeout: a write that times out cannot be taken up
// again, however far it came.
const pollChunk = 16 << 10

// writePayload writes and flushes, so that an error shows. The client must make progress as on
// a WebSocket: it may not hold the answer, and this goroutine, for ever.
func (c *Conn) writePayload(w http.ResponseWriter, r *http.Request, payload []byte, compressible bool) error {
	if errors.Is(r.Context().Err(), context.Canceled) {
		return errAborted
	}
	abandonBody(w, r)
	rc := http.NewResponseController(w)
	h := w.Header()
	secureHeaders(h)
	h["Content-Type"] = c.dialect.contentType(payload)
	if compressible {
		if zipped := c.srv.compress(h, r, payload); zipped != nil {
			defer zipped.release()
			payload = zipped.b
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(payload)))
	// The next request on this HTTP connection may be anybody's: no deadline stays behind.
	defer func() { _ = rc.SetWriteDeadline(time.Time{}) }()
	for chunk := range slices.Chunk(payload, pollChunk) {
		if err := rc.SetWriteDeadline(time.Now().Add(c.srv.cfg.WriteTimeout)); errors.Is(err, http.ErrNotSupported) {
			c.srv.noDeadlines(w, r)
		}
		if _, err := w.Write(chunk); err != nil {
			return err
		}
	}
	if err := rc.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// noDeadlines says once that polls live only as long as http.Server.WriteTimeout lets them, if there is one.
func (s *Server) noDeadlines(w http.ResponseWriter, r *http.Request) {
	limit := writeTimeout(r)
	if limit <= 0 {
		return
	}
	s.deadlinesOnce.Do(func() {
		s.cfg.Logger.Warn("engineio: middleware has put a ResponseWriter around polls that cannot move deadlines, so http.Server.WriteTimeout cuts polls that are parked longer. "+
			"Give that writer an Unwrap method, leave the middleware out of the socket route, or set no WriteTimeout", "writer", fmt.Sprintf("%T", w), "WriteTimeout", limit)
	})
}

// writeTimeout is that of the program's http.Server.
func writeTimeout(r *http.Request) time.Duration {
	if web, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok {
		return web.WriteTimeout
	}
	return 0
}

var errAborted = errors.New("the client hung up on its poll")

// servePost takes a body of packets.
func (c *Conn) servePost(w http.ResponseWriter, r *http.Request) {
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	binary := media == "application/octet-stream"
	if binary && !c.dialect.acceptsBinaryBodies() {
		c.Fail(TransportError, errors.New("a POST with a binary content type"))
		c.srv.refuse(w, r, badRequest("binary bodies are Engine.IO 3"))
		return
	}
	if enc := r.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		e := badRequest("compressed bodies are not accepted")
		e.Status = http.StatusUnsupportedMediaType
		c.srv.refuse(w, r, e)
		return
	}
	if r.ContentLength > c.srv.cfg.MaxPayload {
		c.srv.refuse(w, r, c.srv.tooLarge(r.ContentLength))
		return
	}
	if !c.isOpen() {
		c.srv.refuse(w, r, unknownSession())
		return
	}
	begun := time.Now()
	if !c.beginPost(w) {
		c.Fail(TransportError, errors.New("two POSTs at once"))
		c.srv.refuse(w, r, badRequest("the session already has a POST under way"))
		return
	}
	body, refusal := c.readBody(w, r, begun)
	if refusal != nil {
		body.release()
		c.endPost()
		if refusal.Status != http.StatusRequestEntityTooLarge {
			c.Fail(TransportError, errors.New(refusal.Cause))
		}
		c.srv.refuse(w, r, refusal)
		return
	}
	c.takePayload(body.b, binary)
	body.release()
	c.endPost()
	if writeTimeout(r) > 0 {
		// It has run since the request's header arrived, while BodyTimeout and the Receiver had a say. net/http
		// sets it again for the next request.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(c.srv.cfg.WriteTimeout))
	}
	h := w.Header()
	secureHeaders(h)
	h["Content-Type"] = headerHTML
	h["Content-Length"] = headerTwo
	_, _ = io.WriteString(w, "ok")
}

// beginPost takes the session's only place for a POST.
func (c *Conn) beginPost(w http.ResponseWriter) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.posting {
		return false
	}
	c.posting, c.body = true, http.NewResponseController(w)
	_ = c.body.SetReadDeadline(time.Now().Add(c.srv.cfg.BodyTimeout))
	return true
}

func (c *Conn) endPost() {
	c.mu.Lock()
	c.posting, c.body = false, nil
	c.mu.Unlock()
}

func (s *Server) tooLarge(n int64) *Error {
	return &Error{http.StatusRequestEntityTooLarge, CodeBadRequest, "Payload too large",
		"a body of " + strconv.FormatInt(n, 10) + " bytes or more; MaxPayload is " + strconv.FormatInt(s.cfg.MaxPayload, 10)}
}

// readBody reads at most MaxPayload bytes within BodyTimeout of begun.
func (c *Conn) readBody(w http.ResponseWriter, r *http.Request, begun time.Time) (*buffer, *Error) {
	body := borrowBuffer()
	err := body.readFrom(io.LimitReader(r.Body, c.srv.cfg.MaxPayload+1))
	switch {
	case int64(len(body.b)) > c.srv.cfg.MaxPayload:
		return body, c.srv.tooLarge(int64(len(body.b)))
	case err != nil && !c.isOpen():
		return body, badRequest("the session ended while its POST was being read")
	case errors.Is(err, os.ErrDeadlineExceeded):
		e := badRequest("the body did not arrive within BodyTimeout")
		e.Status = http.StatusRequestTimeout
		return body, e
	case err != nil:
		return body, badRequest("the body ended early: " + err.Error())
	}
	c.mu.Lock()
	_ = c.body.SetReadDeadline(time.Time{})
	c.body = nil
	late := c.state == stateClosed || time.Since(begun) >= c.srv.cfg.BodyTimeout
	c.mu.Unlock()
	if late && r.ProtoMajor == 1 {
		// The deadline has passed behind the last byte, where net/http waits for the client to hang up. It
		// takes that for the end, so every later request on this HTTP connection, anybody's behind a
		// proxy, would begin with a cancelled context.
		w.Header().Set("Connection", "close")
	}
	return body, nil
}

// takePayload hands the packets of a body to the Receiver, in order, up to the first bad one.
func (c *Conn) takePayload(payload []byte, binary bool) {
	c.recv.Lock()
	defer c.recv.Unlock()
	if c.dialect != nil {
		c.takeForeignPayload(payload, binary)
		return
	}
	for p, err := range eio.Packets(validUTF8(payload)) {
		if !c.takeNext(p, err) {
			return
		}
	}
}

// takeNext is takePacket for one that may be broken.
func (c *Conn) takeNext(p eio.Packet, err error) bool {
	if err != nil {
		c.endInput(ParseError, err)
		return false
	}
	return c.takePacket(p)
}

// takePacket handles one packet from the client. The caller holds c.recv. It reports whether
// there may be more.
func (c *Conn) takePacket(p eio.Packet) bool {
	switch v3 := c.dialect.v3(); p.Type {
	case eio.Message:
		return c.deliver(p.Data, p.Binary)
	case eio.Pong:
		if v3 {
			c.endInput(TransportError, errors.New("invalid heartbeat direction: in Engine.IO 3 the client pings"))
			return false
		}
		c.heartbeat.pong()
	case eio.Ping:
		if !v3 {
			c.endInput(TransportError, errors.New("invalid heartbeat direction: in Engine.IO 4 the server pings"))
			return false
		}
		c.heartbeat.ping()
	case eio.Close:
		c.endInput(TransportClose, nil)
		return false
	}
	return true // open, upgrade and noop mean nothing here
}
