package docs

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// features.md is only worth what its third column is: every row names tests that exist, or why there is none.
func TestNamedTestsExist(t *testing.T) {
	text, err := os.ReadFile("features.md")
	if err != nil {
		t.Fatal(err)
	}
	rows, named, problems := checkFeatures(string(text), repositoryTests{})
	for _, problem := range problems {
		t.Error(problem)
	}
	if rows < 200 || named < 300 {
		t.Errorf("%d rows name %d tests: is the page still read as it is written?", rows, named)
	}
	t.Logf("%d rows name %d tests", rows, named)
}

func TestBrokenFeaturesAreFound(t *testing.T) {
	page := func(row string) string {
		return "# F\n\n| feature | siokit | test |\n|---|---|---|\n" + row + "\n"
	}
	for row, want := range map[string]string{
		"| a | b | `core.TestGather` |":                                "",
		"| a | b | `core.TestGather`, `rooms.test.mjs` |":              "",
		"| a | b | **left out**: nobody needs it |":                    "",
		"| a | b | **issue 5** |":                                      "",
		"| a | b | **left out** |":                                     "no reason",
		"| a | b | **later** |":                                        "",
		"| a | b | **someday** |":                                      "names no test",
		"| a | b | |":                                                  "names no test",
		"| a | b |":                                                    "has 2 columns",
		"| a | b | c | `core.TestGather` |":                            "has 4 columns",
		"| a | b | `core.TestNoSuchThing` |":                           "core.TestNoSuchThing",
		"| a | b | `core.TestGather`, `cor.TestGather` |":              "cor.TestGather",
		"| a | b | `core.testGather` |":                                "names no test",
		"| a | b | `core.TestGather`, `core.gather` |":                 "core.gather",
		"| a | b | `none.test.mjs` |":                                  "none.test.mjs",
		"| a | b | `conformance/flask.TestSend` |":                     "",
		"| a | b | `flask.TestSend` |":                                 "flask.TestSend",
		"| a | b | **left out**: it is slow, `core.TestNoSuchThing` |": "core.TestNoSuchThing",
		"| a | b | `core.ExamplePlain`, `wire/msgpack.FuzzMsgpack`, `core.BenchmarkNowhereAt` |": "core.BenchmarkNowhereAt",
	} {
		rows, _, problems := checkFeatures(page(row), repositoryTests{})
		if got := strings.Join(problems, "\n"); rows != 1 || (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s\n%d rows, got %q, want %q", row, rows, got, want)
		}
	}
}

var (
	code     = regexp.MustCompile("`([^`]*)`")
	goTest   = regexp.MustCompile(`^([a-z0-9/-]+)\.((?:Test|Fuzz|Example|Benchmark)\w+)$`)
	nodeTest = regexp.MustCompile(`^[\w.-]+\.test\.mjs$`)
	noTest   = regexp.MustCompile(`^\*\*(left out|issue 5|later)\*\*(.*)$`)
)

// checkFeatures reads the tables of a page and returns how many rows they have, how many tests those name, and what
// is wrong.
func checkFeatures(page string, tests repositoryTests) (rows, named int, problems []string) {
	inTable := false
	for i, line := range strings.Split(page, "\n") {
		if !strings.HasPrefix(line, "|") {
			inTable = false
			continue
		}
		cells := strings.Split(strings.TrimSuffix(strings.TrimPrefix(line, "|"), "|"), "|")
		if head := strings.TrimSpace(cells[0]); !inTable || strings.HasPrefix(head, "---") {
			inTable = true // the first line of a table is its head
			continue
		}
		rows++
		problem := func(format string, args ...any) {
			problems = append(problems, fmt.Sprintf("features.md:%d: the row %q ", i+1, strings.TrimSpace(cells[0]))+fmt.Sprintf(format, args...))
		}
		if len(cells) != 3 {
			problem("has %d columns, want 3", len(cells))
			continue
		}
		last := strings.TrimSpace(cells[2])
		why := noTest.FindStringSubmatch(last)
		if why != nil && why[1] == "left out" && len(strings.TrimLeft(why[2], ": ")) < 5 {
			problem("is left out for no reason")
		}
		found := 0
		for _, quoted := range code.FindAllStringSubmatch(last, -1) {
			name := quoted[1]
			switch {
			case goTest.MatchString(name) || nodeTest.MatchString(name):
				found++
				if !tests.exists(name) {
					problem("names %s, which does not exist", name)
				}
			case why == nil:
				problem("names %s, which is no test", name)
			}
		}
		if named += found; found == 0 && why == nil {
			problem("names no test and does not say why")
		}
	}
	return rows, named, problems
}

// repositoryTests are the tests of packages, by directory; filled as they are asked for.
type repositoryTests map[string]map[string]bool

func (r repositoryTests) exists(name string) bool {
	if nodeTest.MatchString(name) {
		_, err := os.Stat(filepath.Join("..", "internal", "conformance", "js", name))
		return err == nil
	}
	parts := goTest.FindStringSubmatch(name)
	return r.in(parts[1])[parts[2]] || r.in("internal/" + parts[1])[parts[2]]
}

// in returns the names of the test functions in a directory of the repository.
func (r repositoryTests) in(dir string) map[string]bool {
	if known, ok := r[dir]; ok {
		return known
	}
	names := map[string]bool{}
	r[dir] = names
	files, _ := filepath.Glob(filepath.Join("..", filepath.FromSlash(dir), "*_test.go")) // the pattern is well-formed
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			continue // go vet says so
		}
		for _, decl := range parsed.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil {
				names[f.Name.Name] = true
			}
		}
	}
	return names
}
