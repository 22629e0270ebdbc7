package conformance_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/siokit/siokit/internal/conformance"
	"github.com/siokit/siokit/internal/conformance/exampletest"
)

// TestPythonClient runs python-socketio's clients, the one with threads and the one with asyncio, against siokit.
func TestPythonClient(t *testing.T) {
	t.Parallel() // with the next: both wait for heartbeats most of the time
	fixture, err := conformance.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := fixture.Close(); err != nil {
			t.Errorf("the fixture did not end: %v", err)
		}
	})
	python(t, "siokit", fixture.Env())
}

// TestPythonClientOfReference runs the same suite against socket.io's own server, but for what that server
// cannot do for these clients.
func TestPythonClientOfReference(t *testing.T) {
	t.Parallel()
	server, err := conformance.StartProcess(exampletest.NeedNode(t), filepath.Join("js", "reference.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("reference.mjs: %v", err)
		}
	})
	env := []string{"SIOKIT_REFERENCE=1"}
	for name, url := range server.Addresses {
		env = append(env, name+"="+url)
	}
	python(t, "reference", env)
}

// python runs python/clients.py with the Python that Debian's packages belong to, whatever else is in PATH. The report
// goes to $SIOKIT_RESULTS/python-<name>.txt if that is set.
func python(t *testing.T, name string, env []string) {
	t.Helper()
	const interpreter = "/usr/bin/python3"
	if out, err := exec.Command(interpreter, "-c", "import socketio, requests, websocket, aiohttp").CombinedOutput(); err != nil {
		t.Fatalf("conformance: python-socketio's clients are missing: run `make setup` (Debian: apt-get install python3-socketio python3-requests python3-websocket python3-aiohttp): %v\n%s", err, out)
	}
	script := filepath.Join("python", "clients.py")
	if _, err := os.ReadFile(script); err != nil { // also so that go test repeats the run after an edit
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), interpreter, "-B", script, "--verbose")
	command.Env = append(os.Environ(), env...)
	var report bytes.Buffer
	command.Stdout = &report
	if dir := os.Getenv("SIOKIT_RESULTS"); dir != "" {
		file, err := os.Create(filepath.Join(dir, "python-"+name+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		command.Stdout = io.MultiWriter(&report, file)
	}
	command.Stderr = command.Stdout
	err := command.Run()
	ran := regexp.MustCompile(`(?m)^Ran ([0-9]+) tests? in`).FindSubmatch(report.Bytes())
	if err != nil || ran == nil || string(ran[1]) == "0" {
		t.Fatalf("%s: %v\n%s", script, err, report.Bytes())
	}
	t.Logf("%s Python tests passed against %s", ran[1], name)
}
