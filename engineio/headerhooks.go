package engineio

import (
	"maps"
	"net/http"
	"runtime/debug"
)

// hookPanicked is the answer to a request on which a callback of Config has panicked.
func hookPanicked(name string) *Error {
	return &Error{http.StatusInternalServerError, CodeBadRequest, "Internal server error", "Config." + name + " panicked"}
}

// guarded runs a callback of Config inside an HTTP handler. A panic is logged and becomes the error,
// except http.ErrAbortHandler, which keeps its meaning.
func (s *Server) guarded(name string, callback func()) (refusal *Error) {
	defer func() {
		v := recover()
		if v == http.ErrAbortHandler {
			panic(v)
		}
		if v != nil {
			s.cfg.Logger.Error("engineio: Config."+name+" panicked", "panic", v, "stack", string(debug.Stack()))
			refusal = hookPanicked(name)
		}
	}()
	callback()
	return nil
}

// responseHeaders runs Config.Headers for any answer. What becomes a WebSocket is answered without
// w, so its headers are returned as well.
func (s *Server) responseHeaders(w http.ResponseWriter, r *http.Request) (http.Header, *Error) {
	if s.cfg.Headers == nil {
		return nil, nil
	}
	h, upgrade := w.Header(), isUpgrade(r)
	if upgrade {
		h = make(http.Header)
	}
	if e := s.guarded("Headers", func() { s.cfg.Headers(h, r) }); e != nil {
		return nil, e
	}
	if !upgrade {
		return nil, nil
	}
	maps.Copy(w.Header(), h) // for a refusal
	return h, nil
}

// initialHeaders runs Config.InitialHeaders for the answer to a handshake that was accepted. It
// returns the headers of a 101.
func (s *Server) initialHeaders(w http.ResponseWriter, r *http.Request, q query) (http.Header, *Error) {
	if s.cfg.InitialHeaders == nil {
		return q.header, nil
	}
	h := w.Header()
	if q.upgrade {
		if h = q.header; h == nil {
			h = make(http.Header)
		}
		q.header = h
	}
	return q.header, s.guarded("InitialHeaders", func() { s.cfg.InitialHeaders(h, r) })
}

// switchingHeaders takes out of h what the WebSocket handshake itself answers.
func switchingHeaders(h http.Header) http.Header {
	for _, own := range []string{"Connection", "Upgrade", "Sec-Websocket-Accept", "Sec-Websocket-Extensions", "Content-Length", "Content-Type", "Transfer-Encoding"} {
		h.Del(own)
	}
	return h
}
