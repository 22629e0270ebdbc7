//go:build unix

package engineio

import (
	"net"
	"syscall"
)

// rawWriter writes to a socket without ever waiting for it.
type rawWriter struct {
	p     []byte
	n     int
	again bool
	err   error
	try   func(fd uintptr) bool // step, bound once: a closure per write would be garbage
}

func (w *rawWriter) init() { w.try = w.step }

// write returns how much of p the socket buffer took, and again when that was not all.
func (w *rawWriter) write(rc syscall.RawConn, p []byte) (n int, again bool, err error) {
	w.p, w.n, w.again, w.err = p, 0, false, nil
	if err := rc.Write(w.try); err != nil {
		return w.n, false, err
	}
	w.p = nil
	return w.n, w.again, w.err
}

func (w *rawWriter) step(fd uintptr) bool {
	for w.n < len(w.p) {
		n, err := syscall.Write(int(fd), w.p[w.n:])
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			w.again = true
			return true
		case err != nil:
			w.err = err
			return true
		default:
			w.n += n
		}
	}
	return true
}

// rawConnOf returns the raw connection of a plain socket, nil for anything else: a wrapper such
// as TLS must see every byte.
func rawConnOf(nc net.Conn) syscall.RawConn {
	switch c := nc.(type) {
	case *net.TCPConn:
		rc, _ := c.SyscallConn()
		return rc
	case *net.UnixConn:
		rc, _ := c.SyscallConn()
		return rc
	}
	return nil
}
