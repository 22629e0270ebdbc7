package adapters_test

import (
	"context"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/siokit/siokit/core"
)

// netHTTP is an application without a framework: one ServeMux, and functions around its handlers.
type netHTTP struct {
	mux    *http.ServeMux
	prefix string
	around []func(http.Handler) http.Handler // outermost first
}

func newNetHTTP(trust bool) router {
	n := &netHTTP{mux: http.NewServeMux()}
	if trust {
		n.use(forwarded)
	}
	return n
}

// forwarded is a trusted-proxy rule such as an application without a framework writes it.
func forwarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		hops := strings.Split(r.Header.Get("X-Forwarded-For"), ",")
		if last := strings.TrimSpace(hops[len(hops)-1]); last != "" && net.ParseIP(host).IsLoopback() {
			r = r.WithContext(core.WithRemoteIP(r.Context(), last))
		}
		next.ServeHTTP(w, r)
	})
}

func (n *netHTTP) ServeHTTP(w http.ResponseWriter, r *http.Request) { n.mux.ServeHTTP(w, r) }

func (n *netHTTP) wrap(h http.Handler) http.Handler {
	for _, mw := range slices.Backward(n.around) {
		h = mw(h)
	}
	return h
}

func (n *netHTTP) use(mw func(http.Handler) http.Handler) { n.around = append(n.around, mw) }

func (n *netHTTP) set(key string, value func(*http.Request) string) { n.use(setting(key, value)) }

func (n *netHTTP) refuse(when func(*http.Request) bool) { n.use(refusing(when)) }

func (n *netHTTP) group(prefix string) router {
	return &netHTTP{n.mux, n.prefix + prefix, slices.Clone(n.around)}
}

func (n *netHTTP) sub(prefix string) router {
	inner := http.NewServeMux()
	n.mux.Handle(n.prefix+prefix+"/", n.wrap(http.StripPrefix(n.prefix+prefix, inner)))
	return &netHTTP{mux: inner}
}

var wildcard = regexp.MustCompile(`\{(\w+)\}`)

// mount registers both patterns, because ServeMux redirects what lacks the last slash. What the path says is in
// the request, so an application that wants it in socket handlers puts it into the context.
func (n *netHTTP) mount(path string, srv *core.Server, _ ...string) {
	base := n.prefix + strings.TrimSuffix(path, "/")
	var h http.Handler = srv
	for _, name := range wildcard.FindAllStringSubmatch(base, -1) {
		h = setting("param "+name[1], func(r *http.Request) string { return r.PathValue(name[1]) })(h)
	}
	n.mux.Handle(base, n.wrap(h))
	n.mux.Handle(base+"/", n.wrap(h))
}

func (n *netHTTP) post(path string, h func(context.Context, http.ResponseWriter, *http.Request)) {
	n.mux.Handle("POST "+n.prefix+path, n.wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h(r.Context(), w, r)
	})))
}

func (*netHTTP) get(ctx context.Context, key string) string {
	v, _ := ctx.Value(ctxKey(key)).(string)
	return v
}

func (n *netHTTP) param(ctx context.Context, name string) string { return n.get(ctx, "param "+name) }
