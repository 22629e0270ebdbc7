package conformance_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// runNodeTests runs files of js with node's test runner and fails t unless all of them pass and none
// is skipped. The report goes to $SIOKIT_RESULTS/node-<name>.txt if that is set.
func runNodeTests(t *testing.T, name string, files, env []string) {
	t.Helper()
	args := append([]string{"--test", "--test-reporter=spec", "--test-reporter-destination=stdout"}, files...)
	log := io.Discard
	if dir := os.Getenv("SIOKIT_RESULTS"); dir != "" {
		file, err := os.Create(filepath.Join(dir, "node-"+name+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		log = file
	}
	report, err := runNode(t, args, env, log)
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
		t.Logf("%s of %s JavaScript tests passed in %s", counts["pass"], counts["tests"], name)
	}
}

// failures is the part of a report that a person reads first: what failed, once, or else the end.
func failures(report []byte) []byte {
	if i := bytes.Index(report, []byte("✖ failing tests:")); i >= 0 {
		return report[i:]
	}
	return report[max(0, len(report)-8<<10):]
}

// runNode runs node until it ends by itself, or the test's time is nearly over. What node prints goes
// to log as it comes.
func runNode(t *testing.T, args, env []string, log io.Writer) (output []byte, err error) {
	t.Helper()
	node := needNode(t)
	ctx := t.Context()
	if deadline, ok := t.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-20*time.Second))
		defer cancel()
	}
	cmd := exec.CommandContext(ctx, node, args...)
	cmd.Env = append(os.Environ(), env...)
	// On an interrupt the runner ends its children and says which tests were running.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	var printed bytes.Buffer
	cmd.Stdout = io.MultiWriter(&printed, log)
	cmd.Stderr = cmd.Stdout
	err = cmd.Run()
	return printed.Bytes(), err
}

// needNode returns node's path. A machine without it fails, because skipping would look like passing.
func needNode(t *testing.T) string {
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

// suite returns the test files in js, browser tests apart. Reading every file of js tells go test that
// the result depends on it: otherwise it would repeat a cached one after an edit.
func suite(t *testing.T) (files []string) {
	t.Helper()
	err := filepath.WalkDir("js", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if strings.HasSuffix(path, ".test.mjs") && !strings.Contains(path, ".browser.") {
			files = append(files, path)
		}
		_, err = os.ReadFile(path)
		return err
	})
	_, lockErr := os.ReadFile(filepath.Join(moduleRoot(t), "package-lock.json"))
	if err = errors.Join(err, lockErr); err != nil {
		t.Fatal(err)
	}
	if len(files) < 7 {
		t.Fatalf("conformance: found only %v in js", files)
	}
	return slices.Clip(files)
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return root
}
