package engineio

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
)

// query is what a request asks for, once verified.
type query struct {
	transport string
	conn      *Conn       // nil for a handshake
	upgrade   bool        // the request asks for the WebSocket protocol
	base64    bool        // the client cannot read binary frames
	revision3 bool        // the handshake is one of Engine.IO 3
	jsonp     string      // the poll is a script that calls this function
	header    http.Header // of Config's hooks, for a 101; nil when there are none
}

// verify checks a request in the order of the Node server, so that the same mistake gets the
// same code, and then what the Node server does not check.
func (s *Server) verify(r *http.Request) (query, *Error) {
	params, malformed := url.ParseQuery(r.URL.RawQuery) // what is malformed counts as absent
	for _, name := range []string{"EIO", "transport", "sid", "j"} {
		if len(params[name]) > 1 {
			return query{}, badRequest("the parameter " + name + " is repeated; proxies and servers would disagree on which one counts")
		}
	}
	q := query{transport: params.Get("transport"), upgrade: isUpgrade(r), base64: params.Has("b64") && params.Get("b64") != "0"}
	if r.Method == http.MethodOptions && s.cfg.origins.listed() {
		return q, s.cfg.origins.check(r)
	}
	if !s.cfg.allows(q.transport) {
		return q, unknownTransport("transport " + clip(q.transport))
	}
	var refusal *Error
	if q.jsonp, refusal = s.verifyJSONP(params, q.transport); refusal != nil {
		return q, refusal
	}
	if sid := params.Get("sid"); sid != "" {
		return s.verifySession(r, q, sid, params.Get("EIO"))
	}
	if malformed != nil && !params.Has("sid") && strings.Contains("&"+r.URL.RawQuery, "&sid=") {
		return q, unknownSession() // a sid that cannot be decoded is not the absence of one
	}
	version := params.Get("EIO")
	q.revision3 = version == "3"
	return q, s.verifyHandshake(r, q, version)
}

func (s *Server) verifyHandshake(r *http.Request, q query, version string) *Error {
	switch {
	case r.Method != http.MethodGet:
		return badMethod()
	case q.upgrade != (q.transport == WebSocket):
		return wrongUpgrade(r, q)
	case version != "4" && (version != "3" || !s.cfg.AllowEIO3):
		return unsupportedVersion(version, s.cfg.AllowEIO3)
	}
	if e := checkWebSocketHeaders(r, q); e != nil {
		return e
	}
	return s.cfg.origins.check(r)
}

// wrongUpgrade refuses a request whose transport and Upgrade header contradict each other.
func wrongUpgrade(r *http.Request, q query) *Error {
	if q.transport == WebSocket && r.ProtoMajor != 1 {
		return badRequest("WebSocket needs HTTP/1.1, the request came over " + r.Proto)
	}
	return badRequest("transport " + q.transport + " does not go with this Upgrade header; a proxy may have removed it (nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\")")
}

func (s *Server) verifySession(r *http.Request, q query, sid, version string) (query, *Error) {
	c := s.lookup(sid)
	if c == nil {
		return q, unknownSession()
	}
	if e := c.checkDialect(q, version); e != nil {
		return q, e
	}
	if r.Method != http.MethodGet && (r.Method != http.MethodPost || q.upgrade) {
		return q, badRequest("method " + clip(r.Method) + " on a session")
	}
	if q.upgrade != (q.transport == WebSocket) {
		return q, wrongUpgrade(r, q)
	}
	if e := checkWebSocketHeaders(r, q); e != nil {
		return q, e
	}
	if e := s.cfg.origins.check(r); e != nil {
		return q, e
	}
	switch current := c.Transport(); {
	case !q.upgrade && current != Polling:
		return q, badRequest("the session is no longer on polling")
	case q.upgrade && (current != Polling || !s.cfg.upgradable()):
		return q, badRequest("only a polling session can be upgraded, once")
	}
	if s.cfg.Authorize != nil {
		if err := s.cfg.Authorize(c, r); err != nil {
			e := notAuthorized(err)
			if e.Status == http.StatusForbidden { // an outage says nothing about who is asking
				c.giveUp()
			}
			return q, e
		}
	}
	q.conn = c
	return q, nil
}

// isUpgrade reports whether the request asks to switch to the WebSocket protocol. Proxies send
// the tokens in any case and in lists.
func isUpgrade(r *http.Request) bool {
	return r.ProtoMajor == 1 && hasToken(r.Header, "Connection", "upgrade") && r.Header.Get("Upgrade") != ""
}

// checkWebSocketHeaders finds what gorilla would refuse too, but before a session is made.
func checkWebSocketHeaders(r *http.Request, q query) *Error {
	if !q.upgrade {
		return nil
	}
	key, err := base64.StdEncoding.DecodeString(r.Header.Get("Sec-Websocket-Key"))
	switch {
	case !hasToken(r.Header, "Upgrade", "websocket"):
		return badRequest("the request upgrades to " + clip(r.Header.Get("Upgrade")) + ", not to websocket")
	case !hasToken(r.Header, "Sec-Websocket-Version", "13"):
		return badRequest("Sec-WebSocket-Version is not 13")
	case err != nil || len(key) != 16:
		return badRequest("Sec-WebSocket-Key is not the base64 of 16 bytes")
	}
	return nil
}

func hasToken(h http.Header, name, token string) bool {
	for _, v := range h.Values(name) {
		for part := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}
