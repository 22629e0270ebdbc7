package core

import "slices"

// OnEmit adds a function that sees every event that the program emits in the namespace, to one
// client or to many, once for each emit: for logs, counts, a history. It runs before the event is
// queued, on the goroutine that emits, which waits for it. args may be kept; what they point to is the
// emitter's. It is not called for acks, nor for events that cannot be encoded or that are
// addressed to nobody. Panics are recovered and logged.
//
// A function that emits in the same namespace is called for that too.
func (ns *Namespace) OnEmit(f func(event string, args []any, to Broadcast)) {
	ns.set.change(func(r *registered) { r.onEmit = append(r.onEmit, f) })
}

// observed reports whether there is anybody to tell of an emit.
func (ns *Namespace) observed() bool { return len(ns.set.load().onEmit) > 0 }

// observe tells the functions of OnEmit. Call it if observed.
func (ns *Namespace) observe(event string, args []any, to Broadcast) {
	kept := slices.Clone(args) // so that the caller's need not be on the heap when nobody observes
	for _, f := range ns.set.load().onEmit {
		err := protect(func() error { f(event, kept, to); return nil })
		if p, ok := err.(*PanicError); ok {
			ns.srv.panics.Add(1)
			ns.log.Error("core: an OnEmit function panicked", "event", event, "panic", p.Value, "stack", string(p.Stack))
		}
	}
}
