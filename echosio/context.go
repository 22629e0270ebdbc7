package echosio

import (
	"context"
	"fmt"
	"slices"

	"github.com/labstack/echo/v4"
	"github.com/siokit/siokit/core"
)

// copied is a request's context with what Echo kept beside it.
type copied struct {
	context.Context
	values map[string]any // one entry for each key named at Mount, nil if it was not set
	names  []string       // of the route's parameters
	params []string       // their values
}

type copiedKey struct{}

// handshake is the context of a handshake request: it holds a copy, never written to, of what must outlive
// the request, and tells the server what Echo knows about it.
func handshake(c echo.Context, keys []string) context.Context {
	s := &copied{
		Context: c.Request().Context(),
		values:  make(map[string]any, len(keys)),
		names:   slices.Clone(c.ParamNames()),
		params:  slices.Clone(c.ParamValues()),
	}
	for _, key := range keys {
		s.values[key] = c.Get(key)
	}
	return core.WithPathValues(core.WithRemoteIP(s, c.RealIP()), s.param)
}

func (c *copied) param(name string) string {
	if i := slices.Index(c.names, name); i >= 0 && i < len(c.params) {
		return c.params[i]
	}
	return ""
}

// Value finds the named keys as they were when the connection was opened, then the values of the
// request's context.
func (c *copied) Value(key any) any {
	switch key := key.(type) {
	case copiedKey:
		return c
	case string:
		if v := c.values[key]; v != nil {
			return v
		}
	}
	return c.Context.Value(key)
}

// Get returns what an Echo middleware stored with c.Set(key, value) before the connection was
// opened. ctx is a socket handler's Context. ok is false if nothing was stored, or a value of
// another type.
//
// Get panics if key was not named at [Mount] or [Handler]: nothing was copied then, and a
// handler would take everybody for a stranger.
func Get[T any](ctx context.Context, key string) (value T, ok bool) {
	if c, mounted := ctx.Value(copiedKey{}).(*copied); mounted {
		if _, named := c.values[key]; !named {
			panic(fmt.Sprintf("echosio: Get(%q): Echo cannot list its keys, so only named ones are copied: add it to the call, echosio.Mount(e, path, srv, %q)", key, key))
		}
	}
	value, ok = ctx.Value(key).(T)
	return value, ok
}

// Param returns a parameter of the route that the connection was opened on, as c.Param did, and
// "" if there is none. ctx is a socket handler's Context, or derives from it; with the Context itself,
// c.Handshake().PathValue(name) says the same in every framework.
func Param(ctx context.Context, name string) string {
	c, mounted := ctx.Value(copiedKey{}).(*copied)
	if !mounted {
		return ""
	}
	return c.param(name)
}
