//go:build linux

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// loop drives all client connections of one measurement from one goroutine with
// epoll: one read per arrival and no goroutine switches, so that the clients
// leave the machine to the server. Not safe for concurrent use.
type loop struct {
	addr  netip.AddrPort // of the server, on loopback
	stall time.Duration  // silence after which a missing frame is called missing

	ep     int
	events []unix.EpollEvent
	byFD   []*conn // index: file descriptor
	open   int     // how many of byFD are in use
	buf    []byte  // what one read may return
	quiet  func() error
}

// conn is one client connection. What arrives on it goes to feed.
type conn struct {
	l    *loop
	fd   int
	part []byte // bytes of an incomplete frame or response

	// feed consumes what it can of b and returns the rest, which is offered
	// again with the next bytes. It must not keep b.
	feed func(b []byte) (rest []byte, err error)
	// ended is called when the server closes the connection; nil means that it
	// must not.
	ended func() error
	// broken is called when reading fails, as after a reset; nil means that it must not.
	broken func(error) error
	// opened, if not nil, is called once when a connection that could not be made at once is there.
	opened func() error
}

// newLoop returns a loop for the server at addr. Its owner calls close.
func newLoop(addr netip.AddrPort, stall time.Duration) (*loop, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("bench: epoll: %w", err)
	}
	return &loop{
		addr: addr, stall: stall, ep: ep,
		events: make([]unix.EpollEvent, 256),
		buf:    make([]byte, 256<<10),
	}, nil
}

// close ends every connection and the loop.
func (l *loop) close() {
	l.hangup()
	unix.Close(l.ep)
}

// hangup ends every connection and forgets the load that used them.
func (l *loop) hangup() {
	for _, c := range l.byFD {
		if c != nil {
			c.close()
		}
	}
	l.quiet = nil
}

// dial opens a TCP connection. Connecting on loopback does not wait: the kernel
// finishes the handshake itself, so it blocks only while the server's backlog is full.
func (l *loop) dial() (*conn, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("bench: socket: %w (raise the limit with ulimit -n)", err)
	}
	c := &conn{l: l, fd: fd}
	err = unix.Connect(fd, &unix.SockaddrInet4{Port: int(l.addr.Port()), Addr: l.addr.Addr().As4()})
	err = errors.Join(err,
		unix.SetNonblock(fd, true),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		unix.EpollCtl(l.ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}))
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("bench: dial %s: %w", l.addr, err)
	}
	for len(l.byFD) <= fd {
		l.byFD = append(l.byFD, nil)
	}
	l.byFD[fd] = c
	l.open++
	return c, nil
}

// dialLater is dial for a server whose backlog may be full: opened is called when the connection is there.
func (l *loop) dialLater(opened func() error) (*conn, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("bench: socket: %w (raise the limit with ulimit -n)", err)
	}
	err = unix.Connect(fd, &unix.SockaddrInet4{Port: int(l.addr.Port()), Addr: l.addr.Addr().As4()})
	if err == unix.EINPROGRESS {
		err = nil
	}
	err = errors.Join(err,
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		unix.EpollCtl(l.ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT, Fd: int32(fd)}))
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("bench: dial %s: %w", l.addr, err)
	}
	for len(l.byFD) <= fd {
		l.byFD = append(l.byFD, nil)
	}
	c := &conn{l: l, fd: fd, opened: opened}
	l.byFD[fd] = c
	l.open++
	return c, nil
}

// established is for connections of dialLater.
func (c *conn) established() error {
	opened := c.opened
	c.opened = nil
	if err := unix.EpollCtl(c.l.ep, unix.EPOLL_CTL_MOD, c.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(c.fd)}); err != nil {
		return fmt.Errorf("bench: epoll: %w", err)
	}
	return opened()
}

// close ends the connection at once.
func (c *conn) close() {
	c.l.byFD[c.fd] = nil
	c.l.open--
	unix.Close(c.fd)
}

// write sends b whole. The loads keep little in flight, so a full socket buffer
// means that the server has stopped reading: an error.
func (c *conn) write(b []byte) error {
	for {
		n, err := unix.Write(c.fd, b)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return fmt.Errorf("bench: write of %d bytes: %w", len(b), err)
		case n < len(b):
			return fmt.Errorf("bench: the server stopped reading: %d of %d bytes written", n, len(b))
		default:
			return nil
		}
	}
}

// read takes what has arrived on c, in one system call.
func (c *conn) read() error {
	n, err := unix.Read(c.fd, c.l.buf)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return nil // epoll will say so again
	case err == nil && n == 0:
		if c.ended == nil {
			return errors.New("bench: the server closed a connection that was in use")
		}
		return c.ended()
	case err != nil && c.broken != nil:
		return c.broken(err)
	case err != nil:
		return fmt.Errorf("bench: read: %w", err)
	}
	b := c.l.buf[:n]
	if len(c.part) > 0 {
		c.part = append(c.part, b...)
		b = c.part
	}
	rest, err := c.feed(b)
	// The regions may overlap, which append to [:0] of the same array allows.
	c.part = append(c.part[:0], rest...)
	return err
}

// turn waits for arrivals, at most until deadline, and handles them. It reports
// whether anything arrived.
func (l *loop) turn(deadline time.Time) (bool, error) {
	wait := max(0, min(time.Until(deadline), l.stall))
	n, err := unix.EpollWait(l.ep, l.events, int((wait+time.Millisecond-1)/time.Millisecond))
	if err == unix.EINTR {
		return true, nil // a signal of the Go runtime: as good as an arrival
	}
	if err != nil {
		return false, fmt.Errorf("bench: epoll: %w", err)
	}
	for _, ev := range l.events[:n] {
		c := l.byFD[ev.Fd]
		if c != nil && c.opened != nil && ev.Events&(unix.EPOLLOUT|unix.EPOLLERR) == unix.EPOLLOUT {
			if err := c.established(); err != nil {
				return true, err
			}
		} else if c != nil {
			if err := c.read(); err != nil {
				return true, err
			}
		}
	}
	if l.quiet != nil {
		return n > 0, l.quiet()
	}
	return n > 0, nil
}

// runFor handles arrivals for d.
func (l *loop) runFor(d time.Duration) error {
	for deadline := time.Now().Add(d); time.Now().Before(deadline); {
		if _, err := l.turn(deadline); err != nil {
			return err
		}
	}
	return nil
}

// runUntil handles arrivals until done. It fails when nothing has arrived for
// l.stall, naming what it waited for.
func (l *loop) runUntil(done func() bool, what func() string) error {
	deadline := time.Now().Add(l.stall)
	for !done() {
		arrived, err := l.turn(deadline)
		if err != nil {
			return err
		}
		if now := time.Now(); arrived {
			deadline = now.Add(l.stall)
		} else if now.After(deadline) {
			return fmt.Errorf("bench: nothing arrived for %v: %s", l.stall, what())
		}
	}
	return nil
}
