package main

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/siokit/siokit/internal/conformance/exampletest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The official JavaScript client with a cookie jar, on every transport.
func TestJavaScriptClient(t *testing.T) { exampletest.Login(t, "gin", routes) }

func TestSharedSessions(t *testing.T) {
	exampletest.LoginShared(t, "gin", routes)
}
