package engineio

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/siokit/siokit/wire/eio"
)

// unsupportedVersion refuses a handshake for its EIO parameter. allowEIO3 says that only this is left
// to complain about.
func unsupportedVersion(got string, allowEIO3 bool) *Error {
	want := "4"
	if allowEIO3 {
		want = "3 or 4"
	}
	cause := "the client speaks Engine.IO " + strconv.Quote(clip(got)) + ", this server needs " + want + ": use socket.io-client 3 or 4"
	switch got {
	case "":
		cause = "the request has no EIO parameter: this looks like a plain WebSocket client; use socket.io-client 3 or 4"
	case "3":
		cause = "the client speaks Engine.IO 3 (socket.io-client 1 or 2), this server needs 4: use socket.io-client 3 or 4, or set AllowEIO3"
	}
	return &Error{http.StatusBadRequest, CodeUnsupportedEngine, "Unsupported protocol version", cause}
}

// checkDialect refuses a request of a session that speaks otherwise than the handshake did: the peer
// would be heard with one parser and answered with another's (CVE-2026-102599).
func (c *Conn) checkDialect(q query, version string) *Error {
	switch {
	case version != strconv.Itoa(c.Revision()):
		return badRequest("EIO differs from the handshake")
	case q.transport == Polling && q.jsonp != c.dialect.script():
		return badRequest("j differs from the handshake")
	}
	return nil
}

// verifyJSONP returns the index of the function that a script poll calls, "" for other requests.
func (s *Server) verifyJSONP(params url.Values, transport string) (index string, refusal *Error) {
	if !params.Has("j") {
		return "", nil
	}
	index = params.Get("j")
	switch {
	case !s.cfg.JSONP:
		return "", unknownTransport("JSONP polling is off: it defeats every origin check")
	case transport != Polling:
		return "", nil
	case !eio.JSONPIndex(index):
		return "", unknownTransport("the JSONP index " + strconv.Quote(clip(index)) + " is no number; it would be code in a script")
	}
	return index, nil
}
