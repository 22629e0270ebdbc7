package engineio

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"
)

// An Error refuses a request. Code and Message are those of the Node server and stand in the
// JSON body {"code":N,"message":"..."}; Cause explains it to the operator and is never sent.
type Error struct {
	Status  int // HTTP status
	Code    int
	Message string
	Cause   string // for logs: what was wrong and what to do about it
}

func (e *Error) Error() string {
	text := "engineio: " + e.Message + " (code " + strconv.Itoa(e.Code) + ")"
	if e.Cause != "" {
		text += ": " + e.Cause
	}
	return text
}

// The codes of the Engine.IO server.
const (
	CodeUnknownTransport  = 0
	CodeUnknownSession    = 1
	CodeBadMethod         = 2
	CodeBadRequest        = 3
	CodeForbidden         = 4
	CodeUnsupportedEngine = 5
)

func unknownTransport(cause string) *Error {
	return &Error{http.StatusBadRequest, CodeUnknownTransport, "Transport unknown", cause}
}

func unknownSession() *Error {
	return &Error{http.StatusBadRequest, CodeUnknownSession, "Session ID unknown",
		"this process has no such session: it has ended, which is nothing to worry about after a restart or when a client was away, " +
			"or another process opened it: if several share this address, switch on sticky sessions in the load balancer, " +
			"or set transports: [\"websocket\"] in every client"}
}

func badMethod() *Error {
	return &Error{http.StatusBadRequest, CodeBadMethod, "Bad handshake method", "a handshake is a GET"}
}

func badRequest(cause string) *Error {
	return &Error{http.StatusBadRequest, CodeBadRequest, "Bad request", cause}
}

// Forbidden refuses with 403 and code 4. The cause goes to the log only.
func Forbidden(cause string) *Error {
	return &Error{http.StatusForbidden, CodeForbidden, "Forbidden", cause}
}

// Unavailable refuses with 503 and Retry-After: the client may come back.
func Unavailable(cause string) *Error {
	return &Error{http.StatusServiceUnavailable, CodeForbidden, "Service unavailable", cause}
}

// notAuthorized is the answer to a request that Config.Authorize refused.
func notAuthorized(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return Forbidden(err.Error())
}

// bodyGrace is how long net/http may wait for the rest of a body that was refused. Without a
// deadline it would wait for ever and leak a goroutine and a file descriptor per request.
const bodyGrace = 200 * time.Millisecond

// refuse answers with e and makes sure that an unread body cannot hold the connection.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, e *Error) {
	s.stats.refused.Add(1)
	if s.cfg.Refused != nil {
		s.cfg.Refused(r, e)
	}
	abandonBody(w, r)
	h := w.Header()
	secureHeaders(h)
	h.Set("Content-Type", "application/json")
	if e.Status == http.StatusInternalServerError {
		h.Set("Connection", "close")
	}
	switch e.Status {
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "1")
	case http.StatusTooManyRequests:
		h.Set("Retry-After", s.limits.retry())
	}
	w.WriteHeader(e.Status)
	if r.Method != http.MethodHead {
		message, _ := json.Marshal(e.Message) // a string always has a JSON form
		_, _ = w.Write([]byte(`{"code":` + strconv.Itoa(e.Code) + `,"message":` + string(message) + `}`))
	}
}

// abandonBody ends the HTTP connection after the answer when the request has a body that will
// not be read.
func abandonBody(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength == 0 || r.ProtoMajor != 1 { // r.Body is not asked: middleware that limits bodies wraps even none
		return
	}
	w.Header().Set("Connection", "close")
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyGrace))
}

// secureHeaders keeps answers that carry one client's data or session id out of caches and
// referrers.
func secureHeaders(h http.Header) {
	h["Cache-Control"] = headerNoStore
	h["Referrer-Policy"] = headerNoReferrer
	h["X-Content-Type-Options"] = headerNosniff
}

// Header values that every answer of a poll shares, already in canonical form.
var (
	headerNoStore    = []string{"no-store"}
	headerNoReferrer = []string{"no-referrer"}
	headerNosniff    = []string{"nosniff"}
	headerPayload    = []string{"text/plain; charset=UTF-8"}
	headerHTML       = []string{"text/html"}
	headerTwo        = []string{"2"}
)

// clip shortens text that came from a client before it reaches a log.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "..."
	}
	return s
}
