package main

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/siokit/siokit/internal/conformance/exampletest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
