package exampletest

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// Node runs one test file of this folder as NodeFiles does.
func Node(t *testing.T, name, file string, env ...string) {
	t.Helper()
	folder := filepath.Join(moduleRoot(t), "internal", "conformance", "exampletest")
	dependOn(t, folder, filepath.Join(moduleRoot(t), "package-lock.json"))
	NodeFiles(t, name, []string{filepath.Join(folder, file)}, env...)
}

// NeedNode returns node's path. A machine without it, or without the npm packages, fails: skipping would look like
// passing.
func NeedNode(t *testing.T) string {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatalf("conformance: Node.js is missing (%v): install Node.js 20 or newer and run `make setup`", err)
	}
	if _, err := os.Stat(filepath.Join(moduleRoot(t), "node_modules", "socket.io-client")); err != nil {
		t.Fatalf("conformance: the npm packages are missing (%v): run `make setup`", err)
	}
	return node
}

// NodeFiles runs test files with node's test runner and fails t unless all of their tests pass and none is skipped.
// env is added to the environment. The report goes to $SIOKIT_RESULTS/node-<name>.txt if that is set.
func NodeFiles(t *testing.T, name string, files []string, env ...string) {
	t.Helper()
	node := NeedNode(t)
	log := io.Discard
	if dir := os.Getenv("SIOKIT_RESULTS"); dir != "" {
		report, err := os.Create(filepath.Join(dir, "node-"+name+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		defer report.Close()
		log = report
	}
	ctx := t.Context()
	if deadline, ok := t.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-20*time.Second))
		defer cancel()
	}
	args := append([]string{"--test", "--test-reporter=spec", "--test-reporter-destination=stdout"}, files...)
	cmd := exec.CommandContext(ctx, node, args...)
	cmd.Env = append(os.Environ(), env...)
	// On an interrupt the runner ends its children and says which tests were running.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	var printed bytes.Buffer
	cmd.Stdout = io.MultiWriter(&printed, log)
	cmd.Stderr = cmd.Stdout
	err := cmd.Run()

	report := printed.Bytes()
	counts := map[string]string{}
	for _, found := range regexp.MustCompile(`(?m)^ℹ (\w+) (\d+)`).FindAllSubmatch(report, -1) {
		counts[string(found[1])] = string(found[2])
	}
	switch {
	case err != nil:
		t.Errorf("node: %v\n%s", err, failures(report))
	case counts["tests"] == "" || counts["tests"] == "0" || counts["pass"] != counts["tests"]:
		t.Errorf("node ran %s tests and passed %s; none may be skipped\n%s", counts["tests"], counts["pass"], report)
	default:
		t.Logf("%s of %s JavaScript tests passed against %s", counts["pass"], counts["tests"], name)
	}
}

// failures is the part of a report that a person reads first: what failed, once, or else the end.
func failures(report []byte) []byte {
	if i := bytes.Index(report, []byte("✖ failing tests:")); i >= 0 {
		return report[i:]
	}
	return report[max(0, len(report)-8<<10):]
}

// dependOn reads the scripts of folder and the other files, which tells go test that the result depends on them:
// otherwise it would repeat a cached one after an edit.
func dependOn(t *testing.T, folder string, files ...string) {
	t.Helper()
	scripts, err := filepath.Glob(filepath.Join(folder, "*.mjs"))
	if err != nil || len(scripts) == 0 {
		t.Fatalf("exampletest: no scripts in %s (%v)", folder, err)
	}
	for _, file := range append(scripts, files...) {
		if _, err := os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
}

// moduleRoot is the folder with go.mod, at or above the package that is tested.
func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("exampletest: there is no go.mod above the test: run it inside the repository")
		}
		dir = parent
	}
}
