//go:build !unix

package engineio

import (
	"net"
	"syscall"
)

// rawWriter is not available here: every connection uses its blocking flusher.
type rawWriter struct{}

func (*rawWriter) init() {}

func (*rawWriter) write(syscall.RawConn, []byte) (int, bool, error) {
	panic("engineio: no non-blocking write on this system")
}

func rawConnOf(net.Conn) syscall.RawConn { return nil }
