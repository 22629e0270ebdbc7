package engineio

import "net/http"

// What tests outside the package may look at.

// NewID makes a session id.
var NewID = newID

// MaxFragments is the most frames one message may be cut into.
const MaxFragments = maxFragments

// SessionID is the secret of c.
func SessionID(c *Conn) string { return c.id }

// Queued is what waits in the outbox of c: bytes and packets.
func Queued(c *Conn) (bytes, packets int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.outbox.bytes, c.outbox.packets
}

// Parked reports whether a poll of c is waiting.
func Parked(c *Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.poll != nil
}

// Probing reports whether a WebSocket holds the session's place for an upgrade.
func Probing(c *Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.probing
}

// Posting reports whether a POST of c is being read.
func Posting(c *Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.posting
}

// Timers counts the armed timers of s.
func Timers(s *Server) int {
	s.clock.mu.Lock()
	defer s.clock.mu.Unlock()
	return len(s.clock.timers)
}

// OriginAllowed is the verdict of the origin policy on r.
func OriginAllowed(origins, proxies []string, r *http.Request) (bool, error) {
	p, err := newOriginPolicy(origins, proxies)
	if err != nil {
		return false, err
	}
	return p.check(r) == nil, nil
}

// Server returns the server that c belongs to.
func (c *Conn) Server() *Server { return c.srv }

// DeflatedFrames are the shared compressed frames of m, nil before somebody needed them.
func DeflatedFrames(m *Message) []byte {
	if shared := m.deflated.Load(); shared != nil {
		return shared.frames
	}
	return nil
}

// Text is the packet of m as polling sends it.
func Text(m *Message) []byte { return m.text() }

// Handshakes returns what decides whether a request may open a session.
func Handshakes(t interface {
	Helper()
	Fatal(...any)
}, l *RateLimit, proxies []string) (take func(*http.Request) bool, remembered func() int) {
	t.Helper()
	p, err := newOriginPolicy(nil, proxies)
	if err != nil {
		t.Fatal(err)
	}
	limits := newLimiter(l, p)
	return limits.handshake, func() int { return len(limits.handshakes.recent) + len(limits.handshakes.before) }
}

// AppendMasked is how a client writes a frame.
var AppendMasked = appendMasked

// ReadyRoom is what the ready list holds room for when n connections have gone through it and one always waits.
func ReadyRoom(n int) int {
	l := newReadyList()
	l.running = true // without workers
	l.push(&Conn{})
	for range n {
		l.push(&Conn{})
		l.pop()
	}
	return cap(l.conns)
}
