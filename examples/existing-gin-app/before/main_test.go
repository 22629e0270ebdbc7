package main

import (
	"testing"

	"github.com/siokit/siokit/internal/conformance/exampletest"
	"github.com/siokit/siokit/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestRoutes(t *testing.T) {
	exampletest.QuickPasswords(t, passwords)
	s, err := newShop(exampletest.Key)
	if err != nil {
		t.Fatal(err)
	}
	url := exampletest.Serve(t, s.router(), nil)
	exampletest.Node(t, "existing-before", "existing-routes.test.mjs", "EXAMPLE=before", "EXAMPLE_URL="+url)
}
