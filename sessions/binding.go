package sessions

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"

	gorilla "github.com/gorilla/sessions"
)

// EventKey is the string key under which the context of a socket event has an [*atomic.Value] of that event
// alone. Shared mode keeps the event's session in it, so that all calls of one event see the same state and the
// next event reads the store again. A context without one works too: then every call asks the store.
const EventKey = "github.com/siokit/siokit/sessions.event"

// binding is a connection in Shared mode. It does not change after BindSession.
type binding struct {
	m    *Manager
	r    *http.Request   // the handshake: its cookie is the only one that the connection will ever have
	id   string          // the session's at the handshake; empty if the cookie named none
	opts gorilla.Options // the store's
	root *Session        // for the handshake, and for contexts that belong to no event
}

// bind makes the connection of a handshake whose session is gs. The root has what the handshake loaded until the
// first event is over, so that Authenticate asks the store no second time.
func (m *Manager) bind(r *http.Request, gs *gorilla.Session) *Session {
	b := &binding{m: m, r: bare(context.WithoutCancel(r.Context()), r), opts: *gs.Options}
	b.r.TLS = nil // large, and no cookie will be set
	if !gs.IsNew {
		b.id = gs.ID
	}
	b.root = b.session()
	b.root.took(gs, nil)
	return b.root
}

func (b *binding) session() *Session {
	return &Session{m: b.m, kind: inSocket, r: b.r, b: b}
}

// of returns the session of the event that ctx belongs to.
func (b *binding) of(ctx context.Context) *Session {
	slot, ok := ctx.Value(EventKey).(*atomic.Value)
	if !ok {
		return b.root
	}
	if slot.Load() == nil {
		slot.CompareAndSwap(nil, b.session())
	}
	if s, ok := slot.Load().(*Session); ok && s.b == b {
		return s
	}
	return b.root
}

// end saves what the event of ctx wrote. Whoever kept its context asks the store with every call from then on.
func (b *binding) end(ctx context.Context) error {
	failed := b.root.end()
	if slot, ok := ctx.Value(EventKey).(*atomic.Value); ok && !slot.CompareAndSwap(nil, b.root) {
		if s, ok := slot.Load().(*Session); ok && s.b == b {
			failed = errors.Join(failed, s.end())
		}
	}
	return failed
}

// gone is why a session that is not in the store cannot be written.
func (b *binding) gone() error {
	if b.id == "" {
		return ErrNoSession
	}
	return ErrSessionGone
}

// open is the session as the store has it now. Without an id there is none, and there never will be.
func (b *binding) open() (*gorilla.Session, error) {
	if b.id != "" {
		return b.m.open(b.r)
	}
	return b.empty(), nil
}

func (b *binding) empty() *gorilla.Session {
	gs := gorilla.NewSession(b.m.store, b.m.name)
	*gs.Options = b.opts
	gs.IsNew = true
	return gs
}
