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

// refusalLog logs why requests were refused: the first of each kind as a warning, the rest for
// debugging only.
type refusalLog struct {
	log  *slog.Logger
	mu   sync.Mutex
	seen map[refusalKind]struct{} // guarded by mu
}

type refusalKind struct {
	status int
	code   int
	origin string
}

const maxRefusalKinds = 256

// originCause begins engineio's text for a page that may not connect.
const originCause = "the page's origin "

func (l *refusalLog) refused(r *http.Request, e *engineio.Error) {
	level := slog.LevelWarn
	kind := refusalKind{e.Status, e.Code, clip(r.Header.Get("Origin"))}
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

// cure is the line of configuration that lets a refused page in, if the page's origin was the
// reason. Behind a proxy that nobody declared the origin is right and what it is compared with is
// wrong.
func cure(r *http.Request, e *engineio.Error) string {
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
