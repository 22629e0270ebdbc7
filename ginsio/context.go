package ginsio

import (
	"context"

	"github.com/gin-gonic/gin"
)

// copied is a request's context with what gin kept beside it.
type copied struct {
	context.Context
	keys   map[any]any
	params gin.Params
}

type paramsKey struct{}

// snapshot copies what must outlive the request. The copy is never written to.
func snapshot(c *gin.Context) context.Context {
	dup := c.Copy()
	return copied{Context: c.Request.Context(), keys: dup.Keys, params: dup.Params}
}

// Value finds gin's keys as they were when the connection was opened, then the values of the
// request's context.
func (c copied) Value(key any) any {
	if key == (paramsKey{}) {
		return c.params
	}
	if name, ok := key.(string); ok {
		if v, ok := c.keys[name]; ok {
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
// "" if there is none. ctx is a socket handler's Context.
func Param(ctx context.Context, name string) string {
	params, _ := ctx.Value(paramsKey{}).(gin.Params)
	return params.ByName(name)
}
