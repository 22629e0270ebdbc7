package engineio

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"
)

// A socket is one WebSocket. gorilla/websocket does the handshake and reads; what it wants to
// write (pongs, close frames) goes through the connection's outbox, because the frames of
// messages are written there, several in one call.
type socket struct {
	net.Conn                 // what gorilla sees: this socket, with Write and Read guarded
	nc       net.Conn        // the connection itself
	raw      syscall.RawConn // for writes that do not block; nil when nc is no plain socket
	tls      bool            // nc is a tls.Conn, or a wrapper of one
	ws       *websocket.Conn
	reader   rawReader // of raw; owned by the reader
	conn     *Conn
	live     atomic.Bool // the session is on this socket: writes go through the outbox
	hold     bool        // keep the handshake's response, to be written together with OPEN
	response []byte      // what hold kept; owned by the handshake

	closeFrame []byte        // what gorilla wants to say last; owned by the reader
	guard      fragmentGuard // owned by the reader
	payload    guardedReader // of the message being read; owned by the reader
	inflate    *inflater     // nil without compression; what is in it is the reader's

	mu       sync.Mutex
	readDone bool // guarded by mu
	saidBye  bool // guarded by mu
}

var upgrader = websocket.Upgrader{
	ReadBufferSize:  readBuffer,
	WriteBufferPool: &sync.Pool{},                             // never used after the handshake: frames are ours
	CheckOrigin:     func(*http.Request) bool { return true }, // verify did, with the whole policy
}

// readBuffer is gorilla's own buffer, which each WebSocket holds while idle: large enough for
// any control frame. Reading ahead is rawReader's business.
const readBuffer = 128

// accept switches the request to the WebSocket protocol. On failure it has answered. With hold
// the response is written by attach, in one call with what is queued.
func (c *Conn) accept(w http.ResponseWriter, r *http.Request, header http.Header, hold bool) (*socket, error) {
	s := &socket{conn: c, hold: hold}
	up := upgrader
	up.Error = func(w http.ResponseWriter, r *http.Request, _ int, reason error) {
		c.srv.refuse(w, r, badRequest(reason.Error()))
	}
	r, up.EnableCompression = c.srv.cfg.negotiateDeflate(r, c.dialect != nil)
	if up.EnableCompression {
		s.inflate = &inflater{}
	}
	ws, err := up.Upgrade(hijacker{w, s}, r, switchingHeaders(header))
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(c.srv.cfg.MaxPayload)
	s.ws = ws
	return s, nil
}

// hijacker takes the connection from under any chain of middleware that can be unwrapped, and
// puts the socket between it and gorilla.
type hijacker struct {
	http.ResponseWriter
	s *socket
}

func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, rw, err := h.takeOver()
	if err != nil {
		return nil, nil, fmt.Errorf("engineio: cannot take over the connection: %w; the ResponseWriter chain is %s: the last one has neither Hijack nor Unwrap. Mount the socket route before that middleware", err, writerChain(h.ResponseWriter))
	}
	h.s.nc, h.s.raw, h.s.tls, h.s.Conn = nc, rawConnOf(nc), overTLS(nc), nc
	h.s.reader.init(h.s.raw)
	return h.s, rw, nil
}

// takeOver asks before it hijacks, and makes errors of panics: gin's writer counts the header as sent
// and then asserts that what it wraps is a Hijacker. It is not alone with the latter.
func (h hijacker) takeOver() (nc net.Conn, rw *bufio.ReadWriter, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%w: %v", http.ErrNotSupported, v)
		}
	}()
	last := h.ResponseWriter
	for u, ok := last.(interface{ Unwrap() http.ResponseWriter }); ok; u, ok = last.(interface{ Unwrap() http.ResponseWriter }) {
		last = u.Unwrap()
	}
	if _, ok := last.(http.Hijacker); !ok {
		return nil, nil, http.ErrNotSupported
	}
	return http.NewResponseController(h.ResponseWriter).Hijack()
}

// writerChain names the types of the wrapped writers, outermost first.
func writerChain(w http.ResponseWriter) string {
	var names []string
	for w != nil {
		names = append(names, fmt.Sprintf("%T", w))
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			break
		}
		w = u.Unwrap()
	}
	return strings.Join(names, " -> ")
}

// serveWebSocket opens a session that is born on WebSocket.
func (c *Conn) serveWebSocket(w http.ResponseWriter, r *http.Request, header http.Header) {
	if !c.srv.hold(c) {
		c.srv.refuse(w, r, unknownSession())
		return
	}
	defer c.srv.active.done()
	s, err := c.accept(w, r, header, true)
	if err != nil {
		c.Fail(TransportError, err)
		return
	}
	c.attach(s)
	c.srv.active.run(s.read)
}

// attach moves the session to s and writes what is queued. It reports whether the session was
// still open.
func (c *Conn) attach(s *socket) bool {
	s.live.Store(true)
	c.mu.Lock()
	if c.state == stateClosed {
		c.mu.Unlock()
		_ = s.nc.Close()
		return false
	}
	if c.probing {
		c.srv.stats.upgrades.Add(1) // before the client can see that it has moved
	}
	c.ws, c.probe, c.probing, c.noops = s, nil, false, false
	c.wakePollLocked()
	if s.response != nil {
		c.outbox.prependLocked(rawFrame(s.response))
		s.response = nil
	}
	ready := (len(c.outbox.queue) > 0 || c.state == stateClosing) && c.outbox.scheduleLocked()
	c.mu.Unlock()
	if ready {
		c.flushInline()
	}
	return true
}

// Write is called by gorilla only: during the handshake for the response, afterwards with one
// whole control frame.
func (s *socket) Write(p []byte) (int, error) {
	if !s.live.Load() {
		if s.hold {
			s.response = append(s.response, p...)
			return len(p), nil
		}
		return s.nc.Write(p)
	}
	frame := append([]byte(nil), p...)
	if len(frame) > 0 && frame[0] == opClose {
		s.closeFrame = frame
		return len(p), nil
	}
	if err := s.conn.Send(rawFrame(frame)); err != ErrClosed { // else gorilla would read no further, and the rest be lost
		return len(p), err
	}
	return len(p), nil
}

// SetWriteDeadline keeps gorilla's deadlines for control frames away from the outbox's writes.
func (s *socket) SetWriteDeadline(t time.Time) error {
	if s.live.Load() {
		return nil
	}
	return s.nc.SetWriteDeadline(t)
}

// Read counts what a message costs on the wire.
func (s *socket) Read(p []byte) (int, error) {
	if s.inflate != nil {
		return s.inflate.read(s, p)
	}
	if err := s.guard.check(); err != nil {
		return 0, err
	}
	n, err := s.receive(p)
	s.guard.raw += int64(n)
	return n, err
}

func (s *socket) receive(p []byte) (int, error) {
	if s.raw != nil {
		return s.reader.Read(p)
	}
	return s.nc.Read(p)
}

// read is the reader goroutine of a live socket. It never runs user code.
func (s *socket) read() {
	c := s.conn
	for {
		binary, buf, err := s.next()
		if err != nil {
			s.readFailed(err)
			return
		}
		p, err := c.dialect.frame(binary, buf.b)
		if err != nil {
			c.endInput(ParseError, err)
		} else {
			c.recv.Lock()
			c.takePacket(p) // what comes after the end is read and dropped until the peer closes
			c.recv.Unlock()
		}
		buf.release()
	}
}

var errUTF8 = errors.New("invalid UTF-8 in a text frame")

// next reads one message.
func (s *socket) next() (binary bool, buf *buffer, err error) {
	typ, r, err := s.ws.NextReader()
	if err != nil {
		return false, nil, err
	}
	buf = borrowBuffer()
	s.guard.begin()
	s.payload = guardedReader{r, &s.guard}
	if s.inflate == nil {
		err = buf.readFrom(&s.payload)
	} else {
		most := s.conn.srv.cfg.MaxPayload
		err = buf.readFrom(s.inflate.limit(r, most))
		err = s.inflate.judge(s, int64(len(buf.b)), most, err)
	}
	s.guard.end()
	if err == nil && typ == websocket.TextMessage && !utf8.Valid(buf.b) {
		s.closeFrame = closeFrame(websocket.CloseInvalidFramePayloadData)
		err = errUTF8
	}
	if err != nil {
		buf.release()
		return false, nil, err
	}
	return typ == websocket.BinaryMessage, buf, nil
}

// readFailed ends the session after a failed read.
func (s *socket) readFailed(err error) {
	reason := TransportClose
	var closed *websocket.CloseError
	var network net.Error
	switch {
	case errors.As(err, &closed) && s.closeFrame != nil: // the peer's close frame, to be echoed
	case errors.Is(err, websocket.ErrReadLimit) && s.closeFrame == nil: // a length that overflows
		s.closeFrame = closeFrame(websocket.CloseMessageTooBig)
		reason = TransportError
	case errors.As(err, &closed), errors.As(err, &network), errors.Is(err, net.ErrClosed): // the link broke
		s.closeFrame = nil
	case errors.Is(err, errFragments):
		s.closeFrame = closeFrame(websocket.ClosePolicyViolation)
		reason = TransportError
	case s.closeFrame != nil: // gorilla found a mistake
		reason = TransportError
		if strings.Contains(err.Error(), "invalid utf8") {
			s.closeFrame = closeFrame(websocket.CloseInvalidFramePayloadData) // gorilla says 1002
		}
	}
	if s.closeFrame == nil {
		s.conn.Fail(reason, err)
		s.conn.cut()
		return
	}
	s.conn.end(reason, err, stateClosing, s.closeFrame)
	s.leave(&s.readDone)
}

// lastFrame is the close frame that the session ends with.
func (s *socket) lastFrame(farewell []byte) []byte {
	if farewell != nil {
		return farewell
	}
	return closeFrame(closeCode(s.conn.reason()))
}

// sayGoodbye writes the last frame. The peer answers with its own close frame or is cut off.
func (s *socket) sayGoodbye(farewell []byte) {
	_ = s.nc.SetWriteDeadline(time.Now().Add(s.conn.srv.cfg.WriteTimeout))
	_, _ = s.nc.Write(s.lastFrame(farewell))
	s.leave(&s.saidBye)
}

// leave closes the connection once both the reader and the writer are through.
func (s *socket) leave(mine *bool) {
	s.mu.Lock()
	*mine = true
	both := s.readDone && s.saidBye
	s.mu.Unlock()
	if both {
		s.conn.cut()
	}
}

func closeCode(reason Reason) int {
	switch reason {
	case ServerShutdown:
		return websocket.CloseGoingAway
	case TransportError, ParseError:
		return websocket.CloseProtocolError
	}
	return websocket.CloseNormalClosure
}

func closeFrame(code int) []byte {
	return binary.BigEndian.AppendUint16([]byte{opClose, 2}, uint16(code))
}
