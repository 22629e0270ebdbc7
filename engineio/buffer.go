package engineio

import (
	"io"
	"sync"
)

// A buffer is borrowed while one message or body is being read or written, so that idle
// connections hold none.
type buffer struct{ b []byte }

var buffers = sync.Pool{New: func() any { return &buffer{b: make([]byte, 0, 1024)} }}

func borrowBuffer() *buffer { return buffers.Get().(*buffer) }

// release gives b back; nil is none.
func (b *buffer) release() {
	if b == nil || cap(b.b) > 64<<10 {
		return // a rare large one is not kept
	}
	b.b = b.b[:0]
	buffers.Put(b)
}

// Write appends p.
func (b *buffer) Write(p []byte) (int, error) {
	b.b = append(b.b, p...)
	return len(p), nil
}

// readFrom appends all of r.
func (b *buffer) readFrom(r io.Reader) error {
	for {
		if len(b.b) == cap(b.b) {
			b.b = append(b.b, 0)[:len(b.b)]
		}
		n, err := r.Read(b.b[len(b.b):cap(b.b)])
		b.b = b.b[:len(b.b)+n]
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
