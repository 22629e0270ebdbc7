package conformance_test

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
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
	server := exec.Command(exampletest.NeedNode(t), filepath.Join("js", "reference.mjs"))
	server.Stderr = os.Stderr
	stdin, err := server.StdinPipe() // the server ends when it closes
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		if err := server.Wait(); err != nil {
			t.Errorf("reference.mjs: %v", err)
		}
	})
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil {
		t.Fatalf("reference.mjs did not start: %v", err)
	}
	addresses := map[string]string{}
	if err := json.Unmarshal(line, &addresses); err != nil {
		t.Fatal(err)
	}
	// A tenth of the upgrades: here they only prove that the test is right.
	env := []string{"SIOKIT_UPGRADES=100"}
	for name, url := range addresses {
		env = append(env, name+"="+url)
	}
	exampletest.NodeFiles(t, "reference", suite(t), env...)
}
