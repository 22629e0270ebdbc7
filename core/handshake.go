package core

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A Handshake describes the HTTP request that opened a connection. It must not be changed.
type Handshake struct {
	Header     http.Header
	URL        *url.URL // with the query, except the engine's own parameters
	Host       string
	RemoteAddr string // host:port of the peer, which may be a proxy
	RemoteIP   string // the client's address by the adapter's rules, else by Config.TrustedProxies
	Secure     bool   // the request came over TLS to this process
	Time       time.Time
	Revision   int // of Engine.IO: 4, or 3 for socket.io-client 1 and 2, see Config.AllowEIO3

	pathValue func(name string) string // nil: the route has no parameters
}

// PathValue returns a parameter of the route that the connection was opened on: in net/http that of
// mux.Handle("/org/{id}/socket.io/", srv), in gin and echo ":id", in chi "{id}", whose adapters copy
// them. It is "" if there is none of that name.
func (h *Handshake) PathValue(name string) string {
	if h.pathValue == nil {
		return ""
	}
	return h.pathValue(name)
}

// Query returns the parameters of the handshake's URL.
func (h *Handshake) Query() url.Values { return h.URL.Query() }

// Cookie returns the named cookie of the handshake, or http.ErrNoCookie.
func (h *Handshake) Cookie(name string) (*http.Cookie, error) {
	return (&http.Request{Header: h.Header}).Cookie(name)
}

// Header returns the headers of the handshake request, which must not be changed.
func (s *Socket) Header() http.Header { return s.client.handshake.Header }

// Query returns the parameters of the handshake's URL, without the engine's own. Servers and proxies
// write URLs into their logs, so nothing secret belongs there.
func (s *Socket) Query() url.Values { return s.client.handshake.Query() }

type remoteIPKey struct{}

// WithRemoteIP tells the server the client's address as a framework sees it. Adapters put it
// into the context of the handshake request.
func WithRemoteIP(ctx context.Context, ip string) context.Context {
	return context.WithValue(ctx, remoteIPKey{}, ip)
}

type pathValueKey struct{}

// WithPathValues tells the server how to look up the route's parameters. Adapters of routers that do not
// keep them in the request put it into the context of the handshake request. lookup returns "" for what
// does not exist; it is kept as long as the connection and may be called concurrently, so it must read a
// copy.
func WithPathValues(ctx context.Context, lookup func(name string) string) context.Context {
	return context.WithValue(ctx, pathValueKey{}, lookup)
}

func (s *Server) newHandshake(r *http.Request, revision int) *Handshake {
	ip, ok := r.Context().Value(remoteIPKey{}).(string)
	if !ok {
		ip = s.engine.ClientIP(r)
	}
	values, ok := r.Context().Value(pathValueKey{}).(func(string) string)
	if !ok {
		values = pathValues(r)
	}
	u := *r.URL
	q := u.Query()
	for _, own := range []string{"EIO", "transport", "sid", "t", "b64", "j"} {
		q.Del(own)
	}
	u.RawQuery = q.Encode()
	return &Handshake{
		Header:     r.Header,
		URL:        &u,
		Host:       r.Host,
		RemoteAddr: r.RemoteAddr,
		RemoteIP:   ip,
		Secure:     r.TLS != nil,
		Time:       time.Now(),
		pathValue:  values,
		Revision:   revision,
	}
}

// pathValues copies what a ServeMux found in the path, so that the request need not be kept. A request
// cannot list its values, but the pattern names them: "{id}", "{rest...}", in chi "{id:[0-9]+}".
func pathValues(r *http.Request) func(name string) string {
	var values map[string]string
	for _, part := range strings.Split(r.Pattern, "{")[1:] {
		name := part[:max(0, strings.IndexAny(part, ":.}"))]
		if v := r.PathValue(name); v != "" {
			if values == nil {
				values = make(map[string]string)
			}
			values[name] = v
		}
	}
	if values == nil {
		return nil
	}
	return func(name string) string { return values[name] }
}
