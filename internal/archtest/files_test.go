package archtest_test

import (
	"bytes"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// longFiles may pass 500 lines, each for its reason.
var longFiles = map[string]string{}

// predictable packages may import math/rand or math/rand/v2, each for its reason: nothing that must be
// hard to guess comes from it.
var predictable = map[string]string{
	"client":                "jitter of the pauses between attempts to reconnect",
	"core":                  "the order in which Shutdown closes connections",
	"cluster/internal/pump": "jitter of the pauses between attempts",
	"internal/delivery":     "choices of tests, which a seed repeats",
	"internal/freeport":     "where to begin to look",
	"internal/shake":        "where to pause",
}

func TestFilesStayShort(t *testing.T) {
	const alarm = 500
	eachGoFile(t, func(p goPackage, name, path string) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		key := p.short() + "/" + name
		lines := bytes.Count(data, []byte("\n"))
		reason, listed := longFiles[key]
		switch {
		case lines > alarm && !listed:
			t.Errorf("%s has %d lines, %d is the alarm: is it still one concept?", key, lines, alarm)
		case lines <= alarm && listed:
			t.Errorf("%s is short again (%d lines): remove it from longFiles (%s)", key, lines, reason)
		}
	})
}

func TestRandomnessIsUnpredictable(t *testing.T) {
	used := map[string]bool{}
	eachGoFile(t, func(p goPackage, name, path string) {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range file.Imports {
			imported := strings.Trim(spec.Path.Value, `"`)
			if !strings.HasPrefix(imported, "math/rand") {
				continue
			}
			used[p.short()] = true
			if _, allowed := predictable[p.short()]; !allowed {
				t.Errorf("%s/%s imports %s: use crypto/rand, or list the package in predictable with its reason",
					p.short(), name, imported)
			}
		}
	})
	for path, reason := range predictable {
		if !used[path] {
			t.Errorf("%s imports math/rand no more: remove it from predictable (%s)", path, reason)
		}
	}
}

// eachGoFile calls fn for every non-test Go file of the module, those of other systems included.
func eachGoFile(t *testing.T, fn func(p goPackage, name, path string)) {
	t.Helper()
	for _, p := range ourPackages(t) {
		for _, name := range slices.Concat(p.GoFiles, p.CgoFiles, p.IgnoredGoFiles) {
			if !strings.HasSuffix(name, "_test.go") {
				fn(p, name, filepath.Join(p.Dir, name))
			}
		}
	}
}

// A path of one machine, or the registry that one machine happened to use, works nowhere else.
func TestFilesNameNoMachine(t *testing.T) {
	// Written apart so that this file passes its own test.
	machine := regexp.MustCompile(`(^|[\s"'` + "`" + `=:(])/(wo` + `rk|ro` + `ot)/|registry\.np` + `mjs|\.home\.ar` + `pa`)
	root := moduleRoot(t)
	skipped := []string{".git", "node_modules", "test-results", "bin", "tmp", "testdata"}
	seen := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if path != root && slices.Contains(skipped, entry.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if slices.Contains(skipped, entry.Name()) { // in a worktree .git is a file, and node_modules may be a link
			return nil
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if bytes.IndexByte(data, 0) >= 0 {
			return nil // not text
		}
		seen++
		for i, line := range bytes.Split(data, []byte("\n")) {
			if found := machine.Find(line); found != nil {
				name, _ := filepath.Rel(root, path)
				t.Errorf("%s:%d names a machine: %q", name, i+1, found)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 10 {
		t.Fatalf("looked at %d files only under %s", seen, root)
	}
}
