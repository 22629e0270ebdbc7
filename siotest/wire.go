package siotest

import (
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// stream is one direction of a connection. The mutex of its wires guards it.
type stream struct {
	chunks []chunk // written and not read
	size   int     // of chunks, in bytes
	deaf   bool    // its reader has closed
	cut    bool
}

// chunk is what one Write has written.
type chunk struct {
	due  time.Time // when it arrives
	data []byte    // nil for the end of the stream
}

// window is how much may be on its way before Write blocks, as the buffers of a system do.
const window = 256 << 10

// end is one end of a connection.
type end struct {
	wires         *wires
	in, out       *stream
	local, remote net.Addr

	closed        bool      // guarded by wires.mu
	readDeadline  time.Time // guarded by wires.mu
	writeDeadline time.Time // guarded by wires.mu
}

func (c *end) Read(p []byte) (n int, err error) {
	err = c.await(&c.readDeadline, func() (ready bool, due time.Time, err error) {
		switch {
		case c.in.cut:
			return true, due, &net.OpError{Op: "read", Net: "siotest", Err: syscall.ECONNRESET}
		case c.wires.frozen || len(c.in.chunks) == 0:
			return false, due, nil
		}
		first := &c.in.chunks[0]
		switch {
		case time.Until(first.due) > 0:
			return false, first.due, nil
		case first.data == nil:
			return true, due, io.EOF
		}
		n = copy(p, first.data)
		first.data = first.data[n:]
		if len(first.data) == 0 {
			c.in.chunks = c.in.chunks[1:]
		}
		c.in.size -= n
		c.wires.wakeLocked()
		return true, due, nil
	})
	return n, err
}

func (c *end) Write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		err = c.await(&c.writeDeadline, func() (ready bool, due time.Time, err error) {
			out := c.out
			switch {
			case out.cut:
				return true, due, &net.OpError{Op: "write", Net: "siotest", Err: syscall.ECONNRESET}
			case out.deaf && !c.wires.frozen:
				return true, due, &net.OpError{Op: "write", Net: "siotest", Err: syscall.EPIPE}
			case out.size >= window:
				return false, due, nil
			}
			part := p[n:min(len(p), n+window-out.size)]
			out.chunks = append(out.chunks, chunk{time.Now().Add(c.wires.delay), append([]byte(nil), part...)})
			out.size += len(part)
			n += len(part)
			c.wires.wakeLocked()
			return true, due, nil
		})
	}
	return n, err
}

// await calls step, with wires.mu held, until it is ready, the deadline passes or this end is closed. due is when
// step wants to be called again; the zero time: after a change.
func (c *end) await(deadline *time.Time, step func() (ready bool, due time.Time, err error)) error {
	for {
		c.wires.mu.Lock()
		if c.closed {
			c.wires.mu.Unlock()
			return net.ErrClosed
		}
		if !deadline.IsZero() && time.Until(*deadline) <= 0 {
			c.wires.mu.Unlock()
			return os.ErrDeadlineExceeded
		}
		ready, due, err := step()
		if due.IsZero() || !deadline.IsZero() && deadline.Before(due) {
			due = *deadline
		}
		changed := c.wires.changed
		c.wires.mu.Unlock()
		if ready {
			return err
		}
		var timeout <-chan time.Time
		if !due.IsZero() {
			timeout = time.After(time.Until(due))
		}
		select {
		case <-changed:
		case <-timeout:
		}
	}
}

// Close lets what was written arrive, and the peer read the end of it.
func (c *end) Close() error {
	c.wires.change(func() {
		if c.closed {
			return
		}
		c.closed, c.in.deaf = true, true
		c.in.chunks, c.in.size = nil, 0
		c.out.chunks = append(c.out.chunks, chunk{due: time.Now().Add(c.wires.delay)})
		c.wires.forgetLocked(c)
	})
	return nil
}

func (c *end) SetDeadline(t time.Time) error {
	c.wires.change(func() { c.readDeadline, c.writeDeadline = t, t })
	return nil
}

func (c *end) SetReadDeadline(t time.Time) error {
	c.wires.change(func() { c.readDeadline = t })
	return nil
}

func (c *end) SetWriteDeadline(t time.Time) error {
	c.wires.change(func() { c.writeDeadline = t })
	return nil
}

func (c *end) LocalAddr() net.Addr  { return c.local }
func (c *end) RemoteAddr() net.Addr { return c.remote }
