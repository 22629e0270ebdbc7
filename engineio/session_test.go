package engineio_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siokit/siokit/engineio"
)

// A session is the server's side of one client: a Receiver that remembers.
type session struct {
	conn  *engineio.Conn
	on    func(s *session, data string, binary bool) // nil: remember only
	exact bool                                       // in a bubble: what is waited for must have happened by now

	mu       sync.Mutex
	received []string          // text as it is, binary in brackets; guarded by mu
	closed   []engineio.Reason // guarded by mu
	late     int               // messages after Closed; guarded by mu
	more     chan struct{}     // tells that received or closed has grown
}

func newSession(c *engineio.Conn, on func(*session, string, bool)) *session {
	return &session{conn: c, on: on, more: make(chan struct{}, 1)}
}

func (s *session) Receive(data []byte, binary bool) {
	text := string(data)
	if binary {
		text = fmt.Sprintf("[%x]", data)
	}
	s.mu.Lock()
	s.received = append(s.received, text)
	if len(s.closed) > 0 {
		s.late++
	}
	s.mu.Unlock()
	s.signal()
	if s.on != nil {
		s.on(s, string(data), binary)
	}
}

func (s *session) Closed(reason engineio.Reason, _ error) {
	s.mu.Lock()
	s.closed = append(s.closed, reason)
	s.mu.Unlock()
	s.signal()
}

func (s *session) signal() {
	select {
	case s.more <- struct{}{}:
	default:
	}
}

func (s *session) messages() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.received)
}

func (s *session) reasons() []engineio.Reason {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.closed)
}

// until waits for what the client has caused.
func (s *session) until(t testing.TB, what string, done func() bool) {
	t.Helper()
	if s.exact {
		synctest.Wait()
		if !done() {
			t.Fatalf("%s: not now; received %.200q, closed %v", what, s.messages(), s.reasons())
		}
		return
	}
	deadline := time.After(patience)
	for !done() {
		select {
		case <-s.more:
		case <-deadline:
			t.Fatalf("%s: not within %s; received %.200q, closed %v", what, patience, s.messages(), s.reasons())
		}
	}
}

// wantMessages waits for exactly these messages.
func (s *session) wantMessages(t testing.TB, want ...string) {
	t.Helper()
	s.until(t, fmt.Sprintf("messages %.200q", want), func() bool { return len(s.messages()) >= len(want) })
	if got := s.messages(); !slices.Equal(got, want) {
		t.Errorf("received %.200q, want %.200q", got, want)
	}
}

// wantClosed waits for the end and checks that it was told once.
func (s *session) wantClosed(t testing.TB, reason engineio.Reason) {
	t.Helper()
	s.until(t, "closed", func() bool { return len(s.reasons()) > 0 })
	if got := s.reasons(); len(got) != 1 || got[0] != reason {
		t.Errorf("closed %q, want %q once", got, reason)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.late > 0 {
		t.Errorf("%d messages after Closed", s.late)
	}
}

func (s *session) wantOpen(t testing.TB) {
	t.Helper()
	if got := s.reasons(); len(got) > 0 {
		t.Errorf("the session ended with %q, it must live", got)
	}
}

// send sends a text with attachments.
func (s *session) send(text string, attachments ...[]byte) error {
	return s.conn.Send(message(text, attachments...))
}

func message(text string, attachments ...[]byte) *engineio.Message {
	return engineio.NewMessage(append(make([]byte, engineio.Headroom), text...), attachments...)
}

func binaryMessage(data string, attachments ...[]byte) *engineio.Message {
	return engineio.NewBinaryMessage(append(make([]byte, engineio.Headroom), data...), attachments...)
}

// echo answers each message with itself.
func echo(s *session, data string, binary bool) {
	if binary {
		_ = s.send("bin", []byte(data))
		return
	}
	_ = s.send(data)
}

// A rig is a server under test with its HTTP server and all sessions it accepted.
type rig struct {
	t      testing.TB
	srv    *engineio.Server
	http   *http.Server
	client *http.Client // keeps connections alive, closed at the end
	net    network
	logs   *logBuffer

	mu       sync.Mutex
	sessions map[string]*session // by session id; guarded by mu
	order    []*session          // guarded by mu
}

func (r *rig) accept(on func(*session, string, bool)) func(*engineio.Conn, *http.Request) (engineio.Receiver, error) {
	return func(c *engineio.Conn, _ *http.Request) (engineio.Receiver, error) {
		s := newSession(c, on)
		_, s.exact = r.net.(*memory)
		r.mu.Lock()
		r.sessions[engineio.SessionID(c)] = s
		r.order = append(r.order, s)
		r.mu.Unlock()
		return s, nil
	}
}

func (r *rig) session(sid string) *session {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sessions[sid]
}

// last is the session that was accepted last.
func (r *rig) last() *session {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.order) == 0 {
		return nil
	}
	return r.order[len(r.order)-1]
}

func (r *rig) accepted() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.order)
}
