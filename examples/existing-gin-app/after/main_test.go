package main

import (
	"testing"

	"github.com/siokit/siokit/internal/conformance/exampletest"
	"github.com/siokit/siokit/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// The routes do what they did before, and the sockets know who is logged in.
func TestRoutesAndSockets(t *testing.T) {
	exampletest.QuickPasswords(t, passwords)
	s, err := newShop(exampletest.Key)
	if err != nil {
		t.Fatal(err)
	}
	url := exampletest.Serve(t, s.router(), s.sockets)
	exampletest.Node(t, "existing-after-routes", "existing-routes.test.mjs", "EXAMPLE=after", "EXAMPLE_URL="+url)
	exampletest.Node(t, "existing-after", "existing-sockets.test.mjs", "EXAMPLE=after", "EXAMPLE_URL="+url)
}
