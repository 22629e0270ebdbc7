package main

import (
	"testing"

	"github.com/siokit/siokit/internal/conformance/exampletest"
	"github.com/siokit/siokit/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// The official JavaScript client with a cookie jar, on every transport.
func TestJavaScriptClient(t *testing.T) {
	t.Parallel()
	exampletest.Login(t, "nethttp", routes)
}

func TestPageInBrowser(t *testing.T) {
	t.Parallel()
	exampletest.Page(t, "nethttp", routes)
}

func TestSharedSessions(t *testing.T) {
	t.Parallel()
	exampletest.LoginShared(t, "nethttp", routes)
}
