package adapters_test

import (
	"context"
	"net/http"
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

// newNetHTTP has no rule of its own for addresses: core.Config.TrustedProxies is the rule.
func newNetHTTP(bool) router { return &netHTTP{mux: http.NewServeMux()} }

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

// mount registers both patterns, because ServeMux redirects what lacks the last slash.
func (n *netHTTP) mount(path string, srv *core.Server, _ ...string) {
	base := n.prefix + strings.TrimSuffix(path, "/")
	n.mux.Handle(base, n.wrap(srv))
	n.mux.Handle(base+"/", n.wrap(srv))
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

func (*netHTTP) param(ctx context.Context, name string) string {
	c, _ := core.From(ctx)
	return c.Handshake().PathValue(name)
}
