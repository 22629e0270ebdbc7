package engineio

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// originPolicy decides which pages may talk to the server. Browsers send cookies along with a
// WebSocket handshake from any page and do not apply CORS to it, so with cookie logins this
// check is what stands between a user and every other page they have open.
type originPolicy struct {
	any     bool
	exact   []string         // normalised origins
	suffix  []wildcardOrigin // "https://*.app.example"
	proxies []netip.Prefix   // whose forwarding headers count
}

type wildcardOrigin struct{ scheme, suffix string }

func newOriginPolicy(origins, proxies []string) (*originPolicy, error) {
	p := &originPolicy{}
	for _, o := range origins {
		if o == "*" {
			p.any = true
			continue
		}
		scheme, host, _ := strings.Cut(o, "://")
		if rest, ok := strings.CutPrefix(host, "*."); ok {
			if n, ok := normalOrigin(scheme + "://" + rest); ok {
				_, host, _ := strings.Cut(n, "://")
				p.suffix = append(p.suffix, wildcardOrigin{strings.ToLower(scheme) + "://", "." + host})
				continue
			}
		}
		n, ok := normalOrigin(o)
		if !ok {
			return nil, fmt.Errorf("engineio: Origins holds %q, which is not an origin; did you mean %q?", o, guessOrigin(o))
		}
		p.exact = append(p.exact, n)
	}
	for _, s := range proxies {
		prefix, err := netip.ParsePrefix(s)
		if err != nil {
			addr, err := netip.ParseAddr(s)
			if err != nil {
				return nil, fmt.Errorf("engineio: TrustedProxies holds %q, which is neither an address nor a CIDR range", s)
			}
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		p.proxies = append(p.proxies, prefix)
	}
	return p, nil
}

// listed reports whether the program named the origins itself.
func (p *originPolicy) listed() bool { return p.any || len(p.exact)+len(p.suffix) > 0 }

// check returns nil when the request may proceed, else why not and what to do about it.
func (p *originPolicy) check(r *http.Request) *Error {
	if p.any {
		return nil
	}
	values, present := r.Header["Origin"]
	if !present {
		return p.checkWithoutOrigin(r)
	}
	if len(values) != 1 {
		return Forbidden("the request has more than one Origin header")
	}
	origin, ok := normalOrigin(values[0])
	if ok && p.allows(r, origin) {
		return nil
	}
	return Forbidden(fmt.Sprintf("the page's origin %q is not allowed; allowed: %s. If that page is yours, add it to Origins; if a proxy terminates TLS, name it in TrustedProxies",
		clip(values[0]), strings.Join(p.expected(r), ", ")))
}

// checkWithoutOrigin lets programs through, and same-origin GETs of browsers, which lack the
// header. A browser that says the request comes from another site is refused.
func (p *originPolicy) checkWithoutOrigin(r *http.Request) *Error {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "cross-site", "same-site":
		return Forbidden("a page of another site sent this request (Sec-Fetch-Site) without an Origin header")
	}
	referer := r.Header.Get("Referer")
	if referer == "" || r.Header.Get("Cookie") == "" {
		return nil
	}
	u, err := url.Parse(referer)
	if err == nil {
		if origin, ok := normalOrigin(u.Scheme + "://" + u.Host); ok && p.allows(r, origin) {
			return nil
		}
	}
	return Forbidden("a page of another site sent this request (Referer) with cookies and without an Origin header")
}

func (p *originPolicy) allows(r *http.Request, origin string) bool {
	if !p.listed() {
		return slices.Contains(p.own(r), origin)
	}
	if slices.Contains(p.exact, origin) {
		return true
	}
	for _, w := range p.suffix {
		host, ok := strings.CutPrefix(origin, w.scheme)
		if ok && strings.HasSuffix(host, w.suffix) && len(host) > len(w.suffix) {
			return true
		}
	}
	return false
}

// expected lists what check compared with, for the log.
func (p *originPolicy) expected(r *http.Request) []string {
	if !p.listed() {
		return p.own(r)
	}
	all := slices.Clone(p.exact)
	for _, w := range p.suffix {
		all = append(all, w.scheme+"*"+w.suffix)
	}
	return all
}

// own returns the origins that the request itself was sent to: as this server sees it and, from
// a trusted proxy, as the proxy saw it.
func (p *originPolicy) own(r *http.Request) []string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	var own []string
	if o, ok := normalOrigin(scheme + "://" + r.Host); ok {
		own = append(own, o)
	}
	if !p.trusted(r.RemoteAddr) {
		return own
	}
	proto, host := firstOf(r.Header.Get("X-Forwarded-Proto")), firstOf(r.Header.Get("X-Forwarded-Host"))
	if proto == "" {
		proto = scheme
	}
	if host == "" {
		host = r.Host
	}
	if o, ok := normalOrigin(proto + "://" + host); ok && !slices.Contains(own, o) {
		own = append(own, o)
	}
	return own
}

func (p *originPolicy) trusted(remote string) bool {
	if len(p.proxies) == 0 {
		return false
	}
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	return p.trusts(addr.Unmap())
}

func (p *originPolicy) trusts(addr netip.Addr) bool {
	return slices.ContainsFunc(p.proxies, func(prefix netip.Prefix) bool { return prefix.Contains(addr) })
}

func firstOf(list string) string {
	first, _, _ := strings.Cut(list, ",")
	return strings.TrimSpace(first)
}

// normalOrigin returns a serialised origin (RFC 6454) in lower case without a default port. It
// accepts only scheme, host and port: no path, no user, no trailing dot, nothing a lenient
// parser would read differently.
func normalOrigin(s string) (string, bool) {
	if len(s) > 512 || strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII }) {
		return "", false // browsers send punycode; and lower case maps foreign letters to ASCII ones
	}
	s = strings.ToLower(s)
	scheme, host, ok := strings.Cut(s, "://")
	if !ok || host == "" || (scheme != "http" && scheme != "https") {
		return "", false
	}
	name, port := host, ""
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		name, port = host[:i], host[i+1:]
		if port == "" || strings.Trim(port, "0123456789") != "" {
			return "", false
		}
	}
	if v6, ok := strings.CutPrefix(name, "["); ok {
		v6, ok = strings.CutSuffix(v6, "]")
		if addr, err := netip.ParseAddr(v6); !ok || err != nil || !addr.Is6() || addr.Zone() != "" {
			return "", false
		}
	} else if name == "" || strings.HasSuffix(name, ".") || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789.-_") != "" {
		return "", false
	}
	if port == "" || scheme == "http" && port == "80" || scheme == "https" && port == "443" {
		return scheme + "://" + name, true
	}
	return scheme + "://" + name + ":" + port, true
}

// guessOrigin proposes what the programmer may have meant by s.
func guessOrigin(s string) string {
	if !strings.Contains(s, "://") {
		s = "https://" + s
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return "https://app.example"
	}
	return u.Scheme + "://" + u.Host
}

// setCORS adds what a browser needs to let a page of a listed origin read the answer. It
// replaces what a middleware before may have set, because a doubled value is refused.
func (p *originPolicy) setCORS(h http.Header, r *http.Request) {
	if !p.listed() {
		return
	}
	origin := r.Header.Get("Origin")
	if p.any {
		h.Set("Access-Control-Allow-Origin", "*")
		return
	}
	p.vary(h)
	if origin == "" {
		return
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
}

// vary tells caches that the answer depends on the page, which holds for refusals too.
func (p *originPolicy) vary(h http.Header) {
	if p.listed() && !p.any && !slices.Contains(h.Values("Vary"), "Origin") {
		h.Add("Vary", "Origin")
	}
}

// preflight answers an OPTIONS request of an allowed origin.
func (p *originPolicy) preflight(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	p.setCORS(h, r)
	h.Set("Access-Control-Allow-Methods", "GET, POST")
	if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
		h.Set("Access-Control-Allow-Headers", asked)
	}
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
}
