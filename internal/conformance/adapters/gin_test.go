package adapters_test

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/ginsio"
)

func init() { gin.SetMode(gin.ReleaseMode) }

type ginRouter struct {
	*gin.Engine
	r gin.IRouter
}

func newGin(trust bool) router {
	e := gin.New()
	proxies := []string{}
	if trust {
		proxies = []string{"127.0.0.1"}
	}
	if err := e.SetTrustedProxies(proxies); err != nil {
		panic(err)
	}
	return &ginRouter{e, e}
}

func (g *ginRouter) use(mw func(http.Handler) http.Handler) { g.r.Use(ginsio.Middleware(mw)) }

func (g *ginRouter) set(key string, value func(*http.Request) string) {
	g.r.Use(func(c *gin.Context) { c.Set(key, value(c.Request)) })
}

func (g *ginRouter) refuse(when func(*http.Request) bool) {
	g.r.Use(func(c *gin.Context) {
		if when(c.Request) {
			c.AbortWithStatusJSON(http.StatusUnauthorized, gin.H{"error": "refused"})
		}
	})
}

func (g *ginRouter) group(prefix string) router {
	return &ginRouter{g.Engine, g.r.Group(colons(prefix))}
}

func (g *ginRouter) sub(prefix string) router {
	inner := gin.New()
	g.r.Any(prefix+"/*rest", gin.WrapH(inner))
	return &ginRouter{inner, inner.Group(prefix)}
}

func (g *ginRouter) mount(path string, srv *core.Server, _ ...string) {
	ginsio.Mount(g.r, colons(path), srv)
}

func (g *ginRouter) post(path string, h func(context.Context, http.ResponseWriter, *http.Request)) {
	g.r.POST(path, func(c *gin.Context) { h(c, c.Writer, c.Request) })
}

func (*ginRouter) get(ctx context.Context, key string) string {
	v, _ := ginsio.Get[string](ctx, key)
	return v
}

func (*ginRouter) param(ctx context.Context, name string) string { return ginsio.Param(ctx, name) }
