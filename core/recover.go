package core

import (
	"errors"
	"net/http"
	"runtime/debug"
)

// protect runs user code. A panic becomes a *PanicError: it ends the event, never the process.
func protect(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return f()
}

// protectHTTP is protect for hooks that run inside an HTTP handler: http.ErrAbortHandler keeps
// its meaning there.
func protectHTTP(f func() error) error {
	err := protect(f)
	if p, ok := err.(*PanicError); ok && p.Value == http.ErrAbortHandler {
		panic(http.ErrAbortHandler)
	}
	return err
}

func isPanic(err error) bool {
	_, ok := errors.AsType[*PanicError](err)
	return ok
}

// panicked counts and logs err if it is a panic of what no client's event has caused, and reports whether it is.
func (s *Server) panicked(err error, what string, about ...any) bool {
	p, ok := errors.AsType[*PanicError](err)
	if ok {
		s.panics.Add(1)
		s.cfg.Logger.Error(what, append(about, "panic", p.Value, "stack", string(p.Stack))...)
	}
	return ok
}

// report hands an error of user code to the error hooks, or to the log.
func (ns *Namespace) report(c *Context, err error) { ns.reportShown(c, err, err) }

// reportShown is report of an error that the client sees as shown.
func (ns *Namespace) reportShown(c *Context, err, shown error) {
	hooks := ns.set.load().onError
	if len(hooks) == 0 {
		hooks = ns.srv.everywhere.load().onError
	}
	if p, ok := errors.AsType[*PanicError](err); ok {
		ns.srv.panics.Add(1)
		ns.log.Error("core: a handler panicked", "event", clip(c.event), "socket", c.id, "panic", p.Value, "stack", string(p.Stack))
	}
	ns.observeError(c, err)
	for _, hook := range hooks {
		if failed := protect(func() error { hook(c, err); return nil }); failed != nil {
			ns.log.Error("core: an error hook panicked", "event", clip(c.event), "socket", c.id, "error", failed)
		}
	}
	if len(hooks) > 0 || isPanic(err) {
		return
	}
	level := ns.log.Warn
	bad, ok := errors.AsType[*ArgumentError](err)
	if misfit := ok && !bad.Invalid; isForClient(shown) && !misfit {
		level = ns.log.Debug // it was made for the client; nothing is wrong here
	}
	level("core: a handler failed", "event", clip(c.event), "socket", c.id, "error", err)
}

// observeError tells those that see the errors of every namespace.
func (ns *Namespace) observeError(c *Context, err error) {
	for _, f := range ns.srv.everywhere.load().onAnyError {
		if failed := protect(func() error { f(c, err); return nil }); failed != nil {
			ns.srv.panics.Add(1)
			ns.log.Error("core: an observer of errors panicked", "event", clip(c.event), "socket", c.id, "error", failed)
		}
	}
}

// clip shortens text that came from a client before it reaches a log.
func clip(s string) string {
	if len(s) > 256 {
		return s[:256] + "..."
	}
	return s
}
