package sessions

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	gorilla "github.com/gorilla/sessions"
)

const probeKey = reservedPrefix + "probe"

// probe finds out by trial whether the store keeps sessions on a server: a change that is saved later must be seen
// with the cookie from before, which is the only one that a socket ever has. The type says nothing, because stores
// are wrapped (gin-contrib's cookie and Redis stores look alike) and home-made.
func (m *Manager) probe() error {
	ctx, cancel := context.WithTimeout(context.Background(), 4*m.timeout)
	defer cancel()
	r := bare(ctx, &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/"}})
	empty, err := m.open(r)
	if err != nil {
		return fmt.Errorf("sessions: Options.Mode Shared needs the store at start, and it cannot be asked: %w", err)
	}
	gs := gorilla.NewSession(m.store, m.name)
	*gs.Options = *empty.Options

	first := http.Header{}
	gs.Values[probeKey] = "first"
	if err := m.save(ctx, r, gs, first); err != nil {
		return fmt.Errorf("sessions: Options.Mode Shared needs the store at start, and it saves nothing: %w", err)
	}
	gs.Values[probeKey] = "second"
	err = m.save(ctx, r, gs, http.Header{})
	var seen any
	if err == nil {
		var got *gorilla.Session
		if got, err = m.read(m.withCookie(r, first), unchecked); err == nil {
			seen = got.Values[probeKey]
		}
	}
	if erased := m.erase(ctx, r, gs); err == nil {
		err = erased
	}
	switch {
	case err != nil:
		return fmt.Errorf("sessions: Options.Mode Shared needs a store that can be read, written and deleted from: %w", err)
	case seen == "second":
		return nil
	case seen == "first":
		return errors.New("sessions: Options.Mode Shared cannot work with this store, because it keeps the session in the cookie: " +
			"after the handshake no cookie can be set, so HTTP would never see what a socket writes. " +
			"Use a store that keeps sessions on a server (gorilla's NewFilesystemStore, boj/redistore, gin-contrib/sessions/redis), or sessions.Fork")
	default:
		return errors.New("sessions: Options.Mode Shared cannot work with this store, because it did not give back what was just saved: " +
			"is its Options.MaxAge 0 or negative? Server-side stores take that as an order to delete")
	}
}
