package engineio

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// ClientIP returns the address of r's client: that of the peer, unless the peer is one of
// Config.TrustedProxies. Then it is the last address of X-Forwarded-For that is not itself a trusted
// proxy's, because everything before that one is only what it claimed. If all are trusted it is the first
// of them. Without X-Forwarded-For a trusted proxy's X-Real-IP counts.
//
// The trusted proxy must append to X-Forwarded-For or replace it, as nginx, HAProxy and the clouds' load
// balancers do.
func (s *Server) ClientIP(r *http.Request) string { return s.cfg.origins.clientIP(r) }

func (p *originPolicy) clientIP(r *http.Request) string {
	peer := r.RemoteAddr
	if host, _, err := net.SplitHostPort(peer); err == nil {
		peer = host
	}
	if !p.trusted(r.RemoteAddr) {
		return peer
	}
	hops := r.Header.Values("X-Forwarded-For")
	if len(hops) == 0 {
		hops = r.Header.Values("X-Real-Ip")
		hops = hops[:min(1, len(hops))]
	}
	client := peer
	list := strings.Split(strings.Join(hops, ","), ",")
	for i := len(list) - 1; i >= 0; i-- {
		addr, ok := hopAddress(list[i])
		if !ok {
			break // not an address: whoever wrote it, the hop after it is the last that is known
		}
		client = addr.String()
		if !p.trusts(addr) {
			break
		}
	}
	return client
}

// hopAddress reads an element of X-Forwarded-For: an address, with a port behind some load balancers.
func hopAddress(hop string) (netip.Addr, bool) {
	hop = strings.TrimSpace(hop)
	if withPort, err := netip.ParseAddrPort(hop); err == nil {
		return withPort.Addr().Unmap(), true
	}
	if inner, ok := strings.CutPrefix(hop, "["); ok {
		hop = strings.TrimSuffix(inner, "]")
	}
	addr, err := netip.ParseAddr(hop)
	return addr.Unmap(), err == nil
}
