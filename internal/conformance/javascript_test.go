package conformance_test

import (
	"path/filepath"
	"testing"

	"github.com/siokit/siokit/internal/conformance"
	"github.com/siokit/siokit/internal/conformance/exampletest"
)

// TestJavaScriptClient runs the official clients against siokit, over polling, WebSocket and through
// the upgrade.
func TestJavaScriptClient(t *testing.T) {
	exampletest.NeedNode(t)
	fixture, err := conformance.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := fixture.Close(); err != nil {
			t.Errorf("the fixture did not end: %v", err)
		}
	})
	exampletest.NodeFiles(t, "siokit", suite(t), fixture.Env()...)
}

// TestReferenceServer runs the same suite against socket.io's own server. What fails here is wrong
// with the suite, not with siokit.
func TestReferenceServer(t *testing.T) {
	server, err := conformance.StartProcess(exampletest.NeedNode(t), filepath.Join("js", "reference.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("reference.mjs: %v", err)
		}
	})
	// A tenth of the upgrades: here they only prove that the test is right.
	env := []string{"SIOKIT_UPGRADES=100"}
	for name, url := range server.Addresses {
		env = append(env, name+"="+url)
	}
	exampletest.NodeFiles(t, "reference", suite(t), env...)
}
