package ginsio

import (
	"context"

	"github.com/gin-gonic/gin"
	"github.com/siokit/siokit/core"
)

// copied is a request's context with what gin kept beside it.
type copied struct {
	context.Context
	key    func(name string) (value any, ok bool)
	params gin.Params
}

type paramsKey struct{}

// handshake is the context of a handshake request: it holds a copy, never written to, of what must outlive
// the request, and tells the server what gin knows about it.
func handshake(c *gin.Context) context.Context {
	dup := c.Copy()
	keys := dup.Keys // until gin 1.10 a map[string]any
	key := func(name string) (any, bool) {
		v, ok := keys[name]
		return v, ok
	}
	ctx := core.WithRemoteIP(copied{Context: c.Request.Context(), key: key, params: dup.Params}, c.ClientIP())
	return core.WithPathValues(ctx, dup.Params.ByName)
}

// Value finds gin's keys as they were when the connection was opened, then the values of the
// request's context.
func (c copied) Value(key any) any {
	if key == (paramsKey{}) {
		return c.params
	}
	if name, ok := key.(string); ok {
		if v, ok := c.key(name); ok {
			return v
		}
	}
	return c.Context.Value(key)
}

// Get returns what a gin middleware stored with c.Set(key, value) before the connection was
// opened. ctx is a socket handler's Context.
func Get[T any](ctx context.Context, key string) (value T, ok bool) {
	value, ok = ctx.Value(key).(T)
	return value, ok
}

// Param returns a parameter of the route that the connection was opened on, as c.Param did, and
// "" if there is none. ctx is a socket handler's Context, or derives from it; with the Context itself,
// c.Handshake().PathValue(name) says the same in every framework.
func Param(ctx context.Context, name string) string {
	params, _ := ctx.Value(paramsKey{}).(gin.Params)
	return params.ByName(name)
}
