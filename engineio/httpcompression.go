package engineio

import (
	"compress/gzip"
	"compress/zlib"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// compress compresses the answer to a poll, if it is worth it and the client and everything between
// us and it want that. nil means: send it as it is. The caller releases the buffer.
func (s *Server) compress(h http.Header, r *http.Request, payload []byte) *buffer {
	from := s.cfg.CompressFrom
	// A middleware that has spoken of Accept-Encoding compresses what it is given, compressed or not.
	if from < 0 || len(payload) < from || h.Get("Content-Encoding") != "" || hasToken(h, "Vary", "Accept-Encoding") {
		return nil
	}
	h.Add("Vary", "Accept-Encoding")
	coding := contentCoding(r.Header)
	if coding == "" {
		return nil
	}
	h.Set("Content-Encoding", coding)
	out := borrowBuffer()
	pool := compressors[coding]
	z := pool.Get().(compressor)
	z.Reset(out)
	_, _ = z.Write(payload) // a buffer takes everything
	_ = z.Close()
	pool.Put(z)
	return out
}

type compressor interface {
	io.WriteCloser
	Reset(io.Writer)
}

// compressors are those of Node's server. HTTP's deflate is zlib's format (RFC 9110, 8.4.1.2).
var compressors = map[string]*sync.Pool{
	"gzip": {New: func() any {
		z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed)
		return z
	}},
	"deflate": {New: func() any {
		z, _ := zlib.NewWriterLevel(nil, zlib.BestSpeed)
		return z
	}},
}

// contentCoding chooses "gzip" or "deflate" by the client's weights (RFC 9110, 12.5.3), gzip when they
// are alike, and "" when the client takes neither or would rather have neither.
func contentCoding(h http.Header) string {
	gzip, deflate, identity, other := -1.0, -1.0, -1.0, -1.0
	for _, v := range h["Accept-Encoding"] {
		for item := range strings.SplitSeq(v, ",") {
			name, params, _ := strings.Cut(item, ";")
			weight := &other
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "gzip", "x-gzip":
				weight = &gzip
			case "deflate":
				weight = &deflate
			case "identity":
				weight = &identity
			case "*":
			default:
				continue
			}
			*weight = quality(params)
		}
	}
	if gzip < 0 {
		gzip = other
	}
	if deflate < 0 {
		deflate = other
	}
	switch {
	case gzip > 0 && gzip >= deflate && gzip >= identity:
		return "gzip"
	case deflate > 0 && deflate >= identity:
		return "deflate"
	}
	return ""
}

// quality reads ";q=0.5". What cannot be read counts as a refusal.
func quality(params string) float64 {
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(param, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "q") {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || !(q >= 0 && q <= 1) {
			return 0
		}
		return q
	}
	return 1
}
