package sessions

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
)

// whyNotSent explains a request without our cookie. The browser keeps its reasons to itself, so they are inferred
// from what it does say: which page is asking, and which cookies it sent instead.
func (m *Manager) whyNotSent(r *http.Request) (cause, string) {
	brought := "The request has no Cookie header. "
	if names := cookieNames(r); len(names) > 0 {
		if other := m.sessionUnderAnotherName(r, names); other != "" {
			return causeOtherName, fmt.Sprintf("there is no cookie %q, but the cookie %q is a session of this very store: "+
				"pass %[2]q to sessions.New, the name that the application's other session code uses", m.name, other)
		}
		brought = fmt.Sprintf("The request has no cookie %q. It has %s. ", m.name, quoted(names))
	}
	why, text := m.whyWithheld(r)
	return why, brought + text
}

func (m *Manager) whyWithheld(r *http.Request) (cause, string) {
	page, requested := askingPage(r), requestedHost(r)
	if page != nil && r.Header.Get("Sec-Fetch-Site") == "same-origin" {
		requested = page.Host // a proxy has put another Host in the request
	}
	host, shown := hostname(requested), clip(requested)
	opts := m.cookieOptions(r)
	switch {
	case page != nil && page.Hostname() != host && loopback(page.Hostname()) && loopback(host):
		return causeLoopback, fmt.Sprintf("The page is at %s and the request goes to %s: both are this machine, but to a browser they are "+
			"two sites, and a cookie of one is not sent to the other. Use one of the names everywhere", clip(page.Host), shown)
	case page != nil && page.Hostname() != host && related(page.Hostname(), host):
		return causeOtherHost, fmt.Sprintf("The page is at %s and the request goes to %s: a cookie without Domain is sent to the host that set it only. "+
			"Set Domain in the store's Options to their common part, withCredentials: true in the client, "+
			"and list the page's origin in core.Config.Origins; or serve both from one host", clip(page.Host), shown)
	case r.Header.Get("Sec-Fetch-Site") == "cross-site" || page != nil && page.Hostname() != host:
		from := "another site"
		if page != nil {
			from = clip(page.Scheme + "://" + page.Host)
		}
		return causeCrossSite, fmt.Sprintf("The page belongs to %s and the request goes to %s: browsers keep cookies with SameSite Lax or Strict "+
			"from such requests, and many block all cookies of third parties. Serve both from one host; or set Options.SameSite to "+
			"http.SameSiteNoneMode, use https, set withCredentials: true in the client, and list the page's origin in core.Config.Origins", from, shown)
	case opts.Domain != "" && !underDomain(host, opts.Domain):
		return causeDomain, fmt.Sprintf("The store sets the cookie for the Domain %s, which does not cover %s, so the browser dropped it. "+
			"Correct or remove Domain in the store's Options", clip(opts.Domain), shown)
	case !pathCovers(opts.Path, r.URL):
		return causePath, fmt.Sprintf("The store sets the cookie for the Path %s, and the browser does not send it to %s: "+
			"set Path to \"/\" in the store's Options", clip(opts.Path), clip(r.URL.Path))
	case m.alwaysSecure() && plainHTTP(r, page) && !loopback(host):
		return causeInsecure, "The cookie is set with Secure, and the page came over plain http: browsers drop and withhold it. " +
			"Use https; during development leave Options.Secure at SecureAuto"
	case page == nil && r.Header.Get("Sec-Fetch-Site") == "":
		return causeNoBrowser, "The client does not seem to be a browser (it sent neither Origin nor Referer): give it the cookies that its HTTP login got, " +
			"for example with extraHeaders: {Cookie: …} in socket.io-client for Node.js"
	}
	also := ""
	if opts.Secure && plainHTTP(r, page) {
		also = ". Or other session code saved it with Secure, as the store's Options say (gorilla's NewCookieStore does by default), and this page came over plain http"
	}
	return causeNeverSet, "Nothing looks wrong with the request. Most likely no session was ever set for this browser: that happens when an HTTP route " +
		"first writes to it, or logs somebody in. Or its cookie has expired or was deleted, or the route answered fetch() of a page without " +
		"credentials: \"include\", which makes the browser ignore Set-Cookie" + also
}

// cookieOptions is what the store says about the cookie.
func (m *Manager) cookieOptions(r *http.Request) (o cookieOptions) {
	o.Path = "/"
	empty := r.Clone(r.Context())
	empty.Header.Del("Cookie")
	if got, err := m.peek(empty, m.name); err == nil && got.Options != nil {
		o.Domain, o.Secure = got.Options.Domain, got.Options.Secure
		if got.Options.Path != "" {
			o.Path = got.Options.Path
		}
	}
	return o
}

// alwaysSecure reports whether we set the cookie with Secure whatever the request came over.
func (m *Manager) alwaysSecure() bool {
	return m.secure == SecureAlways || m.sameSite == http.SameSiteNoneMode ||
		strings.HasPrefix(m.name, "__Host-") || strings.HasPrefix(m.name, "__Secure-")
}

// requestedHost is what the browser asked for. A forwarded header is believed: nothing but a text depends on it.
func requestedHost(r *http.Request) string {
	if forwarded, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Host"), ","); strings.TrimSpace(forwarded) != "" {
		return strings.TrimSpace(forwarded)
	}
	return r.Host
}

type cookieOptions struct {
	Path, Domain string
	Secure       bool
}

const namesShown = 10

// cookieNames are the names of what arrived, each once.
func cookieNames(r *http.Request) (names []string) {
	seen := make(map[string]bool)
	for _, c := range r.Cookies() {
		if !seen[c.Name] && len(names) < namesShown {
			seen[c.Name] = true
			names = append(names, c.Name)
		}
	}
	return names
}

// sessionUnderAnotherName finds a cookie that verifies as a session. Signatures cover the cookie's name.
func (m *Manager) sessionUnderAnotherName(r *http.Request, names []string) string {
	for _, name := range names {
		if got, err := m.peek(r, name); err == nil && !got.IsNew {
			return name
		}
	}
	return ""
}

func quoted(names []string) string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = fmt.Sprintf("%q", clip(name))
	}
	return strings.Join(out, ", ")
}

// clip bounds what a stranger can put in a log line.
func clip(s string) string {
	const most = 80
	s = strings.ToValidUTF8(strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return '?'
		}
		return c
	}, s), "?")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// askingPage is the page that made the request, as far as the browser says so.
func askingPage(r *http.Request) *url.URL {
	for _, name := range []string{"Origin", "Referer"} {
		if u, err := url.Parse(r.Header.Get(name)); err == nil && u.Host != "" {
			u.Host = strings.ToLower(u.Host)
			return u
		}
	}
	return nil
}

func hostname(hostport string) string {
	return (&url.URL{Host: strings.ToLower(hostport)}).Hostname()
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

// related reports whether two hosts have the same last two labels: near enough to one site for a guess.
func related(a, b string) bool {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	if len(x) < 2 || len(y) < 2 || net.ParseIP(a) != nil || net.ParseIP(b) != nil {
		return false
	}
	return x[len(x)-1] == y[len(y)-1] && x[len(x)-2] == y[len(y)-2]
}

func underDomain(host, domain string) bool {
	domain = strings.ToLower(strings.TrimPrefix(domain, "."))
	return host == domain || strings.HasSuffix(host, "."+domain)
}

// pathCovers is the path match of RFC 6265, section 5.1.4.
func pathCovers(cookie string, u *url.URL) bool {
	if u == nil || cookie == "/" {
		return true
	}
	requested := path.Clean("/" + u.Path)
	rest, ok := strings.CutPrefix(requested, strings.TrimSuffix(cookie, "/"))
	return ok && (rest == "" || rest[0] == '/')
}

// plainHTTP says that the browser itself speaks plain http: a proxy in front may have taken TLS off.
func plainHTTP(r *http.Request, page *url.URL) bool {
	if page != nil {
		return page.Scheme == "http"
	}
	return r.TLS == nil && r.Header.Get("X-Forwarded-Proto") == "" && r.Header.Get("Sec-Fetch-Site") != ""
}
