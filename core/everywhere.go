package core

// Everywhere is what handlers for all namespaces of a server are registered on: those that exist
// and those that are made later. It is a Registrar. Flask-SocketIO's namespace='*' is the same.
//
// An event is handled by the first of these that there is: in its namespace the handler registered
// by On or OnCall, the method of a class (Listen), OnUnhandled; then the same three Everywhere. So
// what is registered here is the default, and a namespace that has its own handler replaces it.
// Registering here makes no namespace: clients can join those that Server.Of was called for.
type Everywhere struct{ set *handlerSet }

// Everywhere returns what handlers for all namespaces are registered on.
func (s *Server) Everywhere() Everywhere { return Everywhere{s.everywhere} }

func (e Everywhere) registrar() (*handlerSet, options) { return e.set, options{} }

// Group returns a Group whose handlers are behind the guards.
func (e Everywhere) Group(guards ...Guard) *Group { return e.With(Behind(guards...)) }

// With returns a Group whose handlers have these options.
func (e Everywhere) With(opts ...Option) *Group { return &Group{e.set, options{}.with(opts)} }

// EachEvent adds options to every event of every namespace. Guards and middleware run before those of
// the namespace's own EachEvent; a Concurrent or Timeout is the default for events without one.
func (e Everywhere) EachEvent(opts ...Option) { e.set.eachEvent(opts) }

// OnConnect adds a function for the namespaces that have no OnConnect of their own. A guard for every
// connection belongs in Config.Guards instead.
func (e Everywhere) OnConnect(f func(c *Context) error) {
	e.set.connecting(f)
}

// OnDisconnect adds a function for the namespaces that have no OnDisconnect of their own.
func (e Everywhere) OnDisconnect(f func(c *Context, reason Reason)) {
	e.set.disconnecting(f)
}

// OnError adds an error hook for the namespaces that have no OnError of their own: Flask-SocketIO's
// on_error_default.
func (e Everywhere) OnError(f func(c *Context, err error)) {
	e.set.failing(f)
}

// OnAnyError adds an observer of what OnError gets, in every namespace, before the hooks of OnError and whether
// or not there are any: it takes nothing from them or from the log, so it suits error trackers and tests. It
// also gets ErrNoHandler, for events that nothing handles; c.Event says which. It runs before the client is
// answered.
func (e Everywhere) OnAnyError(f func(c *Context, err error)) { e.set.observeErrors(f) }

// MapError adds a function for the errors that the namespace's own MapError functions leave as they
// are. See Namespace.MapError.
func (e Everywhere) MapError(f func(c *Context, err error) error) { e.set.mapError(f) }

// OnAny adds an observer of every event in every namespace, called before the namespace's own. See
// Namespace.OnAny.
func (e Everywhere) OnAny(f func(c *Context, event string, args Args)) { e.set.observe(f) }

// OnUnhandled registers the handler of all events that nothing else handles. See
// Namespace.OnUnhandled.
func (e Everywhere) OnUnhandled(f func(c *Context, event string, args Args) (answer any, err error), opts ...Option) {
	e.set.catch(f, caller(2), opts)
}
