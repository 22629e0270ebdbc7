package archtest_test

import (
	"fmt"
	"go/version"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// coreModules are the modules that a user of core compiles. Four at most: each one is a licence to
// read, an advisory to watch and a build that may break.
var coreModules = []string{
	"github.com/go-json-experiment/json", // exact numbers, []byte as attachments, one pass
	"github.com/gorilla/websocket",
}

func TestCoreNeedsFewModules(t *testing.T) {
	all := allPackages(t)
	core, ok := all[modulePath+"/core"]
	if !ok {
		t.Fatal("package core does not exist")
	}
	found := map[string]bool{}
	for _, dep := range core.Deps {
		if p := all[dep]; !p.Standard && !p.ours() && p.Module != nil {
			found[p.Module.Path] = true
		}
	}
	modules := slices.Sorted(maps.Keys(found))
	if len(modules) > 4 {
		t.Errorf("core needs %d modules, 4 are allowed: %v", len(modules), modules)
	}
	if !slices.Equal(modules, coreModules) {
		t.Errorf("core needs the modules %v, listed are %v: is the change worth it to every user?", modules, coreModules)
	}
}

// Versions below these have known vulnerabilities, or lack what we rely on.
func TestDependencyFloors(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(moduleRoot(t), "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	goMod := string(data)

	const goFloor = "1.26.6"
	goLine := regexp.MustCompile(`(?m)^go (\S+)$`).FindStringSubmatch(goMod)
	if goLine == nil || version.Compare("go"+goLine[1], "go"+goFloor) < 0 {
		t.Errorf("go.mod says %q, want go %s or newer", goLine, goFloor)
	}

	for _, floor := range []struct {
		path, least string
		exact       bool
	}{
		{path: "github.com/gin-gonic/gin", least: "v1.9.1"},
		// Servers do not mask frames, so v1.5.3 is safe here although its mask generator is weak. Newer
		// tags do not exist; a pseudo-version needs a look at the wire by hand.
		{path: "github.com/gorilla/websocket", least: "v1.5.3", exact: true},
		{path: "github.com/gorilla/sessions", least: "v1.4.0"},
		{path: "github.com/gorilla/securecookie", least: "v1.1.2"},
	} {
		found := regexp.MustCompile(`(?m)^(?:require )?\s*` + regexp.QuoteMeta(floor.path) + ` (\S+)`).FindStringSubmatch(goMod)
		switch {
		case found == nil:
			t.Errorf("go.mod does not require %s", floor.path)
		case floor.exact && found[1] != floor.least:
			t.Errorf("%s %s, want exactly %s", floor.path, found[1], floor.least)
		case olderThan(found[1], floor.least):
			t.Errorf("%s %s, want %s or newer", floor.path, found[1], floor.least)
		}
	}
}

func TestOlderThan(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"v1.9.0", "v1.9.1", true}, {"v1.9.1", "v1.9.1", false}, {"v1.10.0", "v1.9.1", false},
		{"v0.99.99", "v1.0.0", true}, {"v2.0.0", "v1.9.1", false}, {"v1.9.1-rc.1", "v1.9.1", true},
	} {
		if got := olderThan(c.a, c.b); got != c.want {
			t.Errorf("olderThan(%s, %s) = %v, want %v", c.a, c.b, got, c.want)
		}
	}
}

// olderThan compares release numbers; a pre-release is older than its release.
func olderThan(a, b string) bool {
	x, y := numbers(a), numbers(b)
	if c := slices.Compare(x[:], y[:]); c != 0 {
		return c < 0
	}
	return strings.Contains(a, "-") && !strings.Contains(b, "-")
}

func numbers(v string) (n [3]int) {
	release, _, _ := strings.Cut(strings.TrimPrefix(v, "v"), "-")
	for i, part := range strings.SplitN(release, ".", 3) {
		var err error
		if n[i], err = strconv.Atoi(part); err != nil {
			panic(fmt.Sprintf("archtest: %q is not a version", v))
		}
	}
	return n
}
