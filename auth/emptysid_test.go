package auth_test

import (
	"context"
	"testing"

	gorilla "github.com/gorilla/sessions"

	"github.com/siokit/siokit/auth"
)

// The engine takes a sid without a value for a handshake. What opens a connection that way must be known to logouts,
// also where core has no Sessions and Handshake binds the session itself.
func TestAnEmptySidIsAHandshake(t *testing.T) {
	eachStore(t, func(t *testing.T, store gorilla.Store) {
		for _, query := range []string{"", "&sid=", "&sid"} {
			a := newApp(t, store, auth.Options{})
			ann, _ := a.visit("", "/login?id=ann")
			life, closeConn := context.WithCancel(t.Context())
			ctx, principal, err := a.users.Handshake(handshake(life, ann, query))
			if err != nil || principal != "ann" {
				t.Fatalf("%q: %q, %v", query, principal, err)
			}
			c := &connection{ctx, principal, closeConn}
			c.open(t)
			a.visit(ann, "/logout")
			c.cutBy(t, auth.ErrLoggedOut)
			closeConn()
		}
	})
}
