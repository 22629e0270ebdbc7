package engineio_test

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// memory is a network in memory, for testing/synctest: goroutines that wait on it are durably
// blocked. Writes are buffered up to limit bytes.
type memory struct {
	limit int
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newMemory() *memory {
	return &memory{limit: 64 << 10, conns: make(chan net.Conn, 1024), done: make(chan struct{})}
}

func (m *memory) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.done:
		return nil, net.ErrClosed
	}
}

func (m *memory) Close() error   { m.once.Do(func() { close(m.done) }); return nil }
func (m *memory) Addr() net.Addr { return memoryAddr{} }

func (m *memory) Dial() (net.Conn, error) {
	up, down := newHalf(m.limit), newHalf(m.limit)
	select {
	case m.conns <- &memoryConn{in: up, out: down}:
		return &memoryConn{in: down, out: up}, nil
	case <-m.done:
		return nil, net.ErrClosed
	}
}

type memoryAddr struct{}

func (memoryAddr) Network() string { return "memory" }
func (memoryAddr) String() string  { return "192.0.2.1:1" }

// half is one direction.
type half struct {
	limit int

	mu      sync.Mutex
	changed sync.Cond // on mu
	data    []byte    // guarded by mu
	eof     bool      // the writer has closed; guarded by mu
	broken  bool      // the reader has closed; guarded by mu
	readBy  deadline  // guarded by mu
	writeBy deadline  // guarded by mu
}

type deadline struct {
	at    time.Time
	timer *time.Timer
}

func newHalf(limit int) *half {
	h := &half{limit: limit}
	h.changed.L = &h.mu
	return h
}

func (h *half) set(d *deadline, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
	}
	d.at, d.timer = at, nil
	// No timer for what has passed: in a bubble it would run at once, in this goroutine, and two of those at the same
	// time crash the race detector (Go 1.26.6).
	if wait := time.Until(at); !at.IsZero() && wait > 0 {
		d.timer = time.AfterFunc(wait, h.wake)
	}
	h.changed.Broadcast()
}

func (h *half) wake() {
	h.mu.Lock() // or a waiter between its check and its Wait misses it
	defer h.mu.Unlock()
	h.changed.Broadcast()
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func (h *half) read(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case h.broken:
			return 0, net.ErrClosed
		case h.readBy.passed():
			return 0, timeout{}
		case len(h.data) > 0:
			n := copy(p, h.data)
			h.data = h.data[n:]
			h.changed.Broadcast()
			return n, nil
		case h.eof:
			return 0, io.EOF
		}
		h.changed.Wait()
	}
}

func (h *half) write(p []byte) (n int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case h.eof:
			return n, net.ErrClosed
		case h.broken:
			return n, io.ErrClosedPipe
		case h.writeBy.passed():
			return n, timeout{}
		}
		if k := min(len(p), h.limit-len(h.data)); k > 0 {
			h.data = append(h.data, p[:k]...)
			n, p = n+k, p[k:]
			h.changed.Broadcast()
		}
		if len(p) == 0 {
			return n, nil
		}
		h.changed.Wait()
	}
}

func (h *half) end(reader bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if reader {
		h.broken = true
	} else {
		h.eof = true
	}
	for _, d := range []*deadline{&h.readBy, &h.writeBy} {
		if d.timer != nil {
			d.timer.Stop()
		}
	}
	h.changed.Broadcast()
}

// timeout is the error net.Conn documents for a deadline.
type timeout struct{}

func (timeout) Error() string   { return os.ErrDeadlineExceeded.Error() }
func (timeout) Timeout() bool   { return true }
func (timeout) Temporary() bool { return true }
func (timeout) Unwrap() error   { return os.ErrDeadlineExceeded }

type memoryConn struct{ in, out *half }

func (c *memoryConn) Read(p []byte) (int, error)  { return c.in.read(p) }
func (c *memoryConn) Write(p []byte) (int, error) { return c.out.write(p) }
func (c *memoryConn) LocalAddr() net.Addr         { return memoryAddr{} }
func (c *memoryConn) RemoteAddr() net.Addr        { return memoryAddr{} }
func (c *memoryConn) Close() error                { c.in.end(true); c.out.end(false); return nil }
func (c *memoryConn) CloseWrite() error           { c.out.end(false); return nil }

func (c *memoryConn) SetReadDeadline(t time.Time) error  { c.in.set(&c.in.readBy, t); return nil }
func (c *memoryConn) SetWriteDeadline(t time.Time) error { c.out.set(&c.out.writeBy, t); return nil }
func (c *memoryConn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}
