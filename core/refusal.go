package core

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"

	"github.com/siokit/siokit/engineio"
)

// refusalLog logs why requests were refused: the first of each kind as an error if the client or the set-up is
// wrong, as a warning if a hook, a limit or a shutdown decided so; the rest for debugging only.
type refusalLog struct {
	log  *slog.Logger
	mu   sync.Mutex
	seen map[refusalKind]struct{} // guarded by mu
}

type refusalKind struct {
	status int
	code   int
	origin string
	agent  string // of clients of another protocol, which are told apart by it
}

const maxRefusalKinds = 256

// originCause begins engineio's text for a page that may not connect.
const originCause = "the page's origin "

func (l *refusalLog) refused(r *http.Request, e *engineio.Error) {
	level := slog.LevelWarn
	if e.Status == http.StatusBadRequest || strings.HasPrefix(e.Cause, originCause) {
		level = slog.LevelError
	}
	kind := refusalKind{status: e.Status, code: e.Code, origin: clip(r.Header.Get("Origin"))}
	if e.Code == engineio.CodeUnsupportedEngine {
		kind.agent = clip(r.UserAgent())
	}
	l.mu.Lock()
	if _, again := l.seen[kind]; again || len(l.seen) >= maxRefusalKinds {
		level = slog.LevelDebug
	} else {
		if l.seen == nil {
			l.seen = make(map[refusalKind]struct{})
		}
		l.seen[kind] = struct{}{}
	}
	l.mu.Unlock()
	l.log.Log(r.Context(), level, "core: request refused", "message", e.Message, "code", e.Code,
		"cause", e.Cause, "origin", kind.origin, "remote", r.RemoteAddr, "agent", clip(r.UserAgent()),
		"cure", cure(r, e))
}

// cure is what to do about a refusal: for a page's origin, or a client's protocol, the line of
// configuration that lets it in.
func cure(r *http.Request, e *engineio.Error) string {
	if e.Code == engineio.CodeUnsupportedEngine {
		return protocolCure(r)
	}
	return originCure(r, e)
}

// protocolCure speaks about clients that are too old, or none of Socket.IO's.
func protocolCure(r *http.Request) string {
	switch r.URL.Query().Get("EIO") {
	case "3":
		return "update that client to socket.io-client 4, or accept version 2 as well: core.Config{AllowEIO3: true}"
	case "":
		return "that is no Socket.IO client, or one older than version 1: connect with socket.io-client 4 instead of a plain WebSocket"
	}
	return "update that client to socket.io-client 4"
}

// originCure: behind a proxy that nobody declared the origin is right and what it is compared with is
// wrong.
func originCure(r *http.Request, e *engineio.Error) string {
	if !strings.HasPrefix(e.Cause, originCause) {
		return ""
	}
	origin := clip(r.Header.Get("Origin"))
	add := fmt.Sprintf("if that page is yours: core.Config{Origins: []string{%q}}", origin)
	if !strings.HasPrefix(origin, "https://") && !strings.HasPrefix(origin, "http://") {
		add = "the page has no origin that could be listed: serve it over http or https"
	}
	proxied := r.Header.Get("X-Forwarded-Proto") + r.Header.Get("X-Forwarded-Host") + r.Header.Get("Forwarded")
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if proxied == "" || err != nil {
		return add
	}
	return fmt.Sprintf("if %s is your reverse proxy: core.Config{TrustedProxies: []string{%q}}; %s", host, host, add)
}
