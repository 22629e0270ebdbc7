package conformance_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

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
