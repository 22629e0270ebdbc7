//go:build !unix

package engineio

import "syscall"

// rawReader is not available here: sockets are read through net.Conn.
type rawReader struct{}

func (*rawReader) init(syscall.RawConn) {}

func (*rawReader) Read([]byte) (int, error) {
	panic("engineio: no raw read on this system")
}
