package engineio

import (
	"compress/flate"
	"errors"
	"io"
	"math"

	"github.com/gorilla/websocket"
)

// inflater is what a WebSocket with compression has more than others: gorilla counts compressed
// bytes only, takes the compression bit on frames that must not have it, and the fragmentGuard
// cannot tell headers from payload when the payload grows on the way. It is owned by the reader.
type inflater struct {
	frames  frameScanner
	limited io.LimitedReader // of the message being read
}

var (
	errInflated = errors.New("a message inflates to more than MaxPayload")
	errRSV1     = errors.New("a control or continuation frame with the compression bit")
)

// read reads what gorilla asks for, up to the first frame that breaks a rule.
func (f *inflater) read(s *socket, p []byte) (int, error) {
	if f.frames.broken != nil {
		return 0, f.fail(s)
	}
	n, err := s.receive(p)
	n = f.frames.scan(p[:n])
	if n == 0 && f.frames.broken != nil {
		return 0, f.fail(s)
	}
	return n, err
}

func (f *inflater) fail(s *socket) error {
	if f.frames.broken == errRSV1 {
		s.closeFrame = closeFrame(websocket.CloseProtocolError)
	}
	return f.frames.broken
}

// limit bounds what a message may inflate to. One byte more shows that there was more.
func (f *inflater) limit(r io.Reader, maxPayload int64) io.Reader {
	f.limited = io.LimitedReader{R: r, N: maxPayload + 1}
	return &f.limited
}

// judge finds what is wrong with a message of n bytes that was read with err.
func (f *inflater) judge(s *socket, n, maxPayload int64, err error) error {
	f.limited.R = nil
	var corrupt flate.CorruptInputError
	switch {
	case err == nil && n > maxPayload:
		s.closeFrame = closeFrame(websocket.CloseMessageTooBig)
		return errInflated
	case errors.As(err, &corrupt), errors.Is(err, io.ErrUnexpectedEOF): // gorilla says CloseError when the link broke
		s.closeFrame = closeFrame(websocket.CloseInvalidFramePayloadData)
	}
	return err
}

// frameScanner follows the headers of the frames that a client sends.
type frameScanner struct {
	head      [14]byte
	have      int   // bytes of head so far
	payload   int64 // bytes of the frame still to come
	fragments int   // frames of the message so far
	broken    error // what the frame at hand must not be
}

// scan returns how many bytes come before a frame that breaks a rule: all, if none does.
func (f *frameScanner) scan(p []byte) int {
	for i := 0; i < len(p); {
		if f.payload > 0 {
			n := min(f.payload, int64(len(p)-i))
			f.payload -= n
			i += int(n)
			continue
		}
		f.head[f.have] = p[i]
		if f.have++; f.have == 1 {
			if f.broken = f.begin(p[i]); f.broken != nil {
				return i
			}
		}
		i++
		if n, complete := f.length(); complete {
			f.have, f.payload = 0, n
		}
	}
	return len(p)
}

// begin judges the first byte of a header.
func (f *frameScanner) begin(b byte) error {
	op := b & 0x0f
	control := op >= 8
	if b&rsv1 != 0 && (control || op == 0) {
		return errRSV1
	}
	if control {
		return nil
	}
	if op != 0 {
		f.fragments = 0
	}
	if f.fragments++; f.fragments > maxFragments {
		return errFragments
	}
	return nil
}

// length returns the payload's length once the header is complete.
func (f *frameScanner) length() (n int64, complete bool) {
	if f.have < 2 {
		return 0, false
	}
	extended := 0
	switch n = int64(f.head[1] & 0x7f); n {
	case 126:
		extended = 2
	case 127:
		extended = 8
	}
	need := 2 + extended
	if f.head[1]&0x80 != 0 {
		need += 4 // the mask
	}
	if f.have < need {
		return 0, false
	}
	if extended > 0 {
		n = 0
		for _, b := range f.head[2 : 2+extended] {
			n = n<<8 | int64(b)
		}
	}
	if n < 0 {
		n = math.MaxInt64 // gorilla refuses it
	}
	return n, true
}
