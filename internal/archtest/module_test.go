package archtest_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// modulePath is the path every package of this module begins with.
const modulePath = "github.com/siokit/siokit"

// goPackage is what these tests need of go list's answer.
type goPackage struct {
	ImportPath string
	Name       string
	Dir        string
	Standard   bool
	Module     *struct {
		Path string
		Main bool
	}
	GoFiles        []string
	IgnoredGoFiles []string // other systems' files
	CgoFiles       []string
	Imports        []string // of non-test files
	Deps           []string // all of Imports, transitively
}

// short is the path inside the module: "wire/eio".
func (p goPackage) short() string { return shortPath(p.ImportPath) }

// ours reports whether the package belongs to this module.
func (p goPackage) ours() bool { return p.Module != nil && p.Module.Main }

func shortPath(importPath string) string {
	return strings.TrimPrefix(strings.TrimPrefix(importPath, modulePath), "/")
}

// load asks the go command for every package of the module and everything they import, once per run.
var load = sync.OnceValues(func() (map[string]goPackage, error) {
	root, err := goOutput("list", "-m", "-f", "{{.Dir}}")
	if err != nil {
		return nil, err
	}
	out, err := goOutput("list", "-C", strings.TrimSpace(root), "-deps",
		"-json=ImportPath,Name,Dir,Standard,Module,GoFiles,IgnoredGoFiles,CgoFiles,Imports,Deps", "./...")
	if err != nil {
		return nil, err
	}
	packages := map[string]goPackage{}
	for dec := json.NewDecoder(strings.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); err == io.EOF {
			return packages, nil
		} else if err != nil {
			return nil, err
		}
		packages[p.ImportPath] = p
	}
})

// goOutput runs the go command and returns what it printed.
func goOutput(args ...string) (string, error) {
	out, err := exec.Command("go", args...).Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return "", errors.New("go " + strings.Join(args, " ") + ": " + string(failed.Stderr))
	}
	return string(out), err
}

// allPackages returns everything the module compiles, by import path.
func allPackages(t *testing.T) map[string]goPackage {
	t.Helper()
	packages, err := load()
	if err != nil {
		t.Fatal(err)
	}
	return packages
}

// ourPackages returns this module's packages by their short path.
func ourPackages(t *testing.T) map[string]goPackage {
	t.Helper()
	ours := map[string]goPackage{}
	for _, p := range allPackages(t) {
		if p.ours() && !strings.HasPrefix(p.short(), "tmp/") { // a scratch folder that git ignores
			ours[p.short()] = p
		}
	}
	if len(ours) == 0 {
		t.Fatalf("go list found no package of %s", modulePath)
	}
	return ours
}

// moduleRoot is the directory of go.mod.
func moduleRoot(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return root
}
