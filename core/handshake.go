package core

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"time"
)

// A Handshake describes the HTTP request that opened a connection. It must not be changed.
type Handshake struct {
	Header     http.Header
	URL        *url.URL // with the query, except the engine's own parameters
	Host       string
	RemoteAddr string // host:port of the peer, which may be a proxy
	RemoteIP   string // the client's address by the adapter's trusted-proxy rules, else that of RemoteAddr
	Secure     bool   // the request came over TLS to this process
	Time       time.Time
	Revision   int // of Engine.IO: 4, or 3 for socket.io-client 1 and 2, see Config.AllowEIO3
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

func newHandshake(r *http.Request, revision int) *Handshake {
	ip, ok := r.Context().Value(remoteIPKey{}).(string)
	if !ok {
		ip = r.RemoteAddr
		if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
			ip = host
		}
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
		Revision:   revision,
	}
}
