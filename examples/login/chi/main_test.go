package main

import (
	"testing"

	"github.com/siokit/siokit/internal/conformance/exampletest"
	"github.com/siokit/siokit/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// The official JavaScript client with a cookie jar, on every transport.
func TestJavaScriptClient(t *testing.T) { exampletest.Login(t, "chi", routes) }
