//go:build unix

package engineio

import (
	"io"
	"sync"
	"syscall"
)

// rawReader reads ahead from a plain socket into a borrowed buffer. While it waits for the peer
// it holds none, which is what keeps an idle connection small; and the frames of a burst are
// read in one call.
type rawReader struct {
	raw   syscall.RawConn
	ahead *[readAhead]byte // borrowed; nil while nothing is buffered
	from  int              // ahead[from:to] is still to be delivered
	to    int
	err   error
	try   func(fd uintptr) bool // step, bound once
}

const readAhead = 4 << 10

var aheads = sync.Pool{New: func() any { return new([readAhead]byte) }}

func (r *rawReader) init(raw syscall.RawConn) {
	r.raw = raw
	r.try = r.step
}

func (r *rawReader) Read(p []byte) (int, error) {
	if r.from == r.to {
		r.err = nil
		if err := r.raw.Read(r.try); err != nil {
			return 0, err
		}
		if r.err != nil {
			return 0, r.err
		}
	}
	n := copy(p, r.ahead[r.from:r.to])
	if r.from += n; r.from == r.to {
		r.giveBack()
	}
	return n, nil
}

// step reads once; false means wait until there is something.
func (r *rawReader) step(fd uintptr) bool {
	buf := aheads.Get().(*[readAhead]byte)
	for {
		n, err := syscall.Read(int(fd), buf[:])
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			aheads.Put(buf)
			return false
		case err != nil:
			r.err = err
		case n == 0:
			r.err = io.EOF
		}
		if r.err != nil {
			aheads.Put(buf)
			return true
		}
		r.ahead, r.from, r.to = buf, 0, n
		return true
	}
}

func (r *rawReader) giveBack() {
	aheads.Put(r.ahead)
	r.ahead, r.from, r.to = nil, 0, 0
}
