package engineio

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
	"github.com/siokit/siokit/wire/eio"
)

// A clientSocket is a WebSocket to a server. gorilla/websocket does the handshake and reads; what is
// written are frames of our own, because their masks must come from crypto/rand and many frames go out in
// one call.
type clientSocket struct {
	conn *ClientConn
	nc   net.Conn
	ws   *websocket.Conn

	deflate *Deflate         // nil unless the server has agreed to it
	message io.LimitedReader // being read; owned by the reader

	broken bool // reading failed; guarded by conn.mu
}

// dialWebSocket opens a WebSocket, for the session if there is one.
func (c *ClientConn) dialWebSocket(ctx context.Context) (*clientSocket, error) {
	d := websocket.Dialer{Jar: c.http.Jar, Proxy: http.ProxyFromEnvironment, ReadBufferSize: 4096, WriteBufferSize: 1024}
	if t, ok := c.http.Transport.(*http.Transport); ok {
		d.Proxy, d.NetDialContext, d.NetDialTLSContext, d.TLSClientConfig = t.Proxy, t.DialContext, t.DialTLSContext, t.TLSClientConfig
	}
	if d.TLSClientConfig != nil {
		d.TLSClientConfig = d.TLSClientConfig.Clone()
	} else {
		d.TLSClientConfig = &tls.Config{}
	}
	d.TLSClientConfig.NextProtos = []string{"http/1.1"} // HTTP/2 has no Upgrade
	defer cutDials(ctx, &d)()
	deflate := c.opts.PerMessageDeflate
	d.EnableCompression = deflate != nil
	header := c.webSocketHeader()
	ws, resp, err := d.DialContext(ctx, c.requestURL(WebSocket), header)
	if err != nil && deflate != nil && resp != nil && resp.StatusCode == http.StatusSwitchingProtocols && !errors.Is(err, websocket.ErrBadHandshake) {
		// The server wants to keep what it has compressed, which gorilla does not do.
		d.EnableCompression, deflate = false, nil
		ws, resp, err = d.DialContext(ctx, c.requestURL(WebSocket), header)
	}
	if err != nil {
		if errors.Is(err, websocket.ErrBadHandshake) && resp != nil {
			return nil, c.refusedBy(WebSocket, resp, c.handshake.SID != "")
		}
		return nil, c.unreachable(WebSocket, err)
	}
	ws.SetReadLimit(c.opts.MaxMessage)
	s := &clientSocket{conn: c, nc: ws.NetConn(), ws: ws}
	if deflate != nil && agreesToDeflate(resp.Header) {
		s.deflate = deflate
	}
	ws.SetPingHandler(func(data string) error { c.answerPing(data); return nil })
	ws.SetCloseHandler(func(int, string) error { return nil }) // the connection is closed anyway
	return s, nil
}

// webSocketHeader is the caller's header, with the jar's cookies beside its own: gorilla sends only one of them.
func (c *ClientConn) webSocketHeader() http.Header {
	if c.http.Jar == nil || c.opts.Header.Get("Cookie") == "" {
		return c.opts.Header
	}
	r := http.Request{Header: c.opts.Header.Clone()}
	for _, cookie := range c.http.Jar.Cookies(c.endpoint) {
		r.AddCookie(cookie)
	}
	return r.Header
}

// cutDials makes the connections that d dials end with ctx until the returned function is called: gorilla heeds
// its deadline only.
func cutDials(ctx context.Context, d *websocket.Dialer) (stop func()) {
	type dial = func(ctx context.Context, network, address string) (net.Conn, error)
	var stops []func() bool
	cut := func(inner dial) dial {
		return func(dialing context.Context, network, address string) (net.Conn, error) {
			nc, err := inner(dialing, network, address)
			if err == nil {
				stops = append(stops, context.AfterFunc(ctx, func() { _ = nc.Close() }))
			}
			return nc, err
		}
	}
	if d.NetDialContext == nil {
		d.NetDialContext = (&net.Dialer{}).DialContext
	}
	d.NetDialContext = cut(d.NetDialContext)
	if d.NetDialTLSContext != nil {
		d.NetDialTLSContext = cut(d.NetDialTLSContext)
	}
	return func() {
		for _, stop := range stops {
			stop()
		}
	}
}

// answerPing queues the answer to a WebSocket ping. Only the last one needs an answer.
func (c *ClientConn) answerPing(data string) {
	c.mu.Lock()
	c.pong = append([]byte{}, data...)
	c.changed.Broadcast()
	c.mu.Unlock()
}

// read reads one message. gorilla bounds what came by the network; this bounds what that inflates to.
func (s *clientSocket) read() (kind int, data []byte, err error) {
	kind, r, err := s.ws.NextReader()
	if err != nil {
		return 0, nil, err
	}
	most := s.conn.opts.MaxMessage
	s.message = io.LimitedReader{R: r, N: oneMore(most)}
	data, err = io.ReadAll(&s.message)
	s.message.R = nil
	if err == nil && int64(len(data)) > most {
		err = errInflatedHere
	}
	return kind, data, err
}

// oneMore is what is read to find out that there is more than limit.
func oneMore(limit int64) int64 { return max(limit, limit+1) }

var errInflatedHere = errors.New("engineio: the server sent a message that inflates to more than MaxMessage: raise it if that is right")

// next reads one packet.
func (s *clientSocket) next() (eio.Packet, error) {
	kind, data, err := s.read()
	if err != nil {
		return eio.Packet{}, err
	}
	if kind == websocket.BinaryMessage {
		return eio.Packet{Type: eio.Message, Binary: true, Data: data}, nil
	}
	p, err := eio.Decode(data)
	if err != nil {
		return p, &notPacket{err}
	}
	return p, nil
}

// notPacket is an error of the protocol, not of the network.
type notPacket struct{ error }

func (e *notPacket) Unwrap() error { return e.error }

// opening reads the handshake of a session that begins on WebSocket.
func (s *clientSocket) opening(ctx context.Context) (eio.Packet, error) {
	defer s.cutWith(ctx)()
	kind, data, err := s.read()
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return eio.Packet{}, s.conn.unreachable(WebSocket, err)
	}
	if kind != websocket.TextMessage {
		return eio.Packet{}, errors.New("the first message is binary, which is no Engine.IO handshake")
	}
	return opening(data)
}

// cutWith closes the socket when ctx ends before the returned function is called.
func (s *clientSocket) cutWith(ctx context.Context) (stop func()) {
	cancel := context.AfterFunc(ctx, func() { _ = s.nc.Close() })
	return func() { cancel() }
}

// readLoop takes what the server sends. A socket that is being probed waits until the session is on it.
func (s *clientSocket) readLoop() {
	c := s.conn
	for {
		p, err := s.next()
		select {
		case <-c.live:
		default:
			if !s.awaitLive(err) {
				return
			}
		}
		if err != nil {
			s.readFailed(err)
			return
		}
		if !c.take(p) {
			return
		}
	}
}

// awaitLive waits for the end of an upgrade. An error before that ends the upgrade, not the session.
func (s *clientSocket) awaitLive(err error) bool {
	c := s.conn
	if err != nil {
		c.mu.Lock()
		over := c.ws != s
		s.broken = true
		c.changed.Broadcast()
		c.mu.Unlock()
		if over {
			return false
		}
	}
	select {
	case <-c.live:
		return true
	case <-c.ctx.Done():
		return false
	}
}

func (s *clientSocket) readFailed(err error) {
	reason := TransportClose
	var bad *notPacket
	switch {
	case errors.As(err, &bad):
		reason = ParseError
	case errors.Is(err, websocket.ErrReadLimit):
		reason = TransportError
		err = errors.Join(err, errors.New("engineio: the server sent a message larger than MaxMessage: raise it if that is right"))
	case websocket.IsCloseError(err, websocket.CloseNormalClosure, websocket.CloseGoingAway, websocket.CloseNoStatusReceived):
	case websocket.IsUnexpectedCloseError(err), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
	default:
		if _, network := errors.AsType[net.Error](err); !network && !errors.Is(err, net.ErrClosed) {
			reason = TransportError // the server broke the WebSocket protocol
		}
	}
	s.conn.end(reason, err)
}

// upgrade moves a session from polling to WebSocket. Nothing is lost or reordered: the poll and the POST
// that are under way are finished first, and the first thing on the WebSocket says that nothing follows
// on polling. If it fails the session stays where it is.
func (c *ClientConn) upgrade() {
	ctx, cancel := context.WithTimeout(c.ctx, c.opts.UpgradeTimeout)
	defer cancel()
	s, err := c.dialWebSocket(ctx)
	if err != nil {
		return
	}
	if !s.probe(ctx) {
		_ = s.nc.Close()
		return
	}
	c.running.Go(s.readLoop)
	c.mu.Lock()
	c.pausing = true
	c.changed.Broadcast()
	for c.state == stateOpen && !s.broken && (c.polling || c.writing) {
		c.changed.Wait()
	}
	c.pausing = false
	if c.state != stateOpen || s.broken {
		again := c.state == stateOpen && !c.polling
		if again {
			c.polling = true
			c.running.Go(func() { c.pollLoop(nil) })
		}
		c.changed.Broadcast()
		c.mu.Unlock()
		_ = s.nc.Close()
		return
	}
	c.ws = s
	c.outbox.prependLocked(upgradeMessage)
	c.changed.Broadcast()
	c.mu.Unlock()
	close(c.live)
}

// probe asks whether the WebSocket works.
func (s *clientSocket) probe(ctx context.Context) bool {
	defer s.cutWith(ctx)()
	if _, err := s.nc.Write(appendMasked(nil, opText, []byte("2probe"))); err != nil {
		return false
	}
	p, err := s.next()
	return err == nil && p.Type == eio.Pong && string(p.Data) == "probe" && ctx.Err() == nil
}

// appendMessage appends the frames of m.
func (s *clientSocket) appendMessage(dst []byte, m *Message) []byte {
	frame := appendMasked
	if s.deflate != nil && m.worthDeflating(s.deflate.Threshold) {
		frame = s.deflate.appendMaskedFrame
	}
	op, payload := m.payload()
	dst = frame(dst, op, payload)
	for _, a := range m.attachments {
		dst = frame(dst, opBinary, a)
	}
	return dst
}

// writeFrames writes a batch, and the answer to a ping if there is one.
func (s *clientSocket) writeFrames(batch []*Message, pong []byte) error {
	buf := borrowBuffer()
	defer buf.release()
	const chunk = 64 << 10
	out := buf.b
	if pong != nil {
		out = appendMasked(out, opPong, pong)
	}
	var err error
	for _, m := range batch {
		out = s.appendMessage(out, m)
		if len(out) >= chunk {
			if _, err = s.nc.Write(out); err != nil {
				break
			}
			out = out[:0]
		}
	}
	if err == nil && len(out) > 0 {
		_, err = s.nc.Write(out)
	}
	buf.b = out[:0]
	return err
}

// leave says goodbye on the WebSocket. The server's answer ends the connection.
func (s *clientSocket) leave() {
	_ = s.nc.SetWriteDeadline(time.Now().Add(s.conn.opts.CloseTimeout))
	out := appendMasked(nil, opText, []byte{'0' + byte(eio.Close)})
	_, _ = s.nc.Write(appendMasked(out, opClose, []byte{0x03, 0xe8}))
}
