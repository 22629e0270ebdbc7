package main

import (
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// overlay is the file that go test -overlay reads, in the making.
type overlay struct {
	Replace map[string]string // paths of files, and of those that stand in for them

	dir    string // for the latter
	pauses string // what every package gets, but for the package clause
}

// name is called in front of statements.
const name = "shake__"

// pauses is the source of that function.
func pauses(every int, pause time.Duration) string {
	return fmt.Sprintf(`
import (
	"math/rand/v2"
	"syscall"
)

func %s() {
	if rand.IntN(%d) != 0 {
		return
	}
	longest := int64(%d)
	if rand.IntN(30) == 0 {
		longest *= 20
	}
	pause := syscall.NsecToTimespec(rand.Int64N(longest))
	_ = syscall.Nanosleep(&pause, nil)
}
`, name, every, pause.Nanoseconds())
}

// addPackage shakes the files of a directory, and adds one with the function to each package there.
func (o *overlay) addPackage(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return err
	}
	declared := make(map[string]string) // packages, and the file that gets the function
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		pkg, shaken, err := insert(file, source)
		if err != nil {
			return err
		}
		if shaken == "" {
			continue
		}
		if err := o.add(file, shaken); err != nil {
			return err
		}
		// The function of a package is for its own tests too; a package of tests alone has one in a test.
		if !strings.HasSuffix(file, "_test.go") {
			declared[pkg] = "shake__.go"
		} else if declared[pkg] == "" {
			declared[pkg] = pkg + "_shake__test.go"
		}
	}
	for pkg, file := range declared {
		if err := o.add(filepath.Join(dir, file), "package "+pkg+"\n"+o.pauses); err != nil {
			return err
		}
	}
	return nil
}

func (o *overlay) add(file, source string) error {
	standIn := filepath.Join(o.dir, fmt.Sprintf("%d.go", len(o.Replace)))
	o.Replace[file] = standIn
	return os.WriteFile(standIn, []byte(source), 0o600)
}

// insert puts a call in front of every statement, and leaves the lines what they were. Of files that only
// some systems build it returns nothing.
func insert(file string, source []byte) (pkg, shaken string, err error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, file, source, parser.ParseComments)
	if err != nil {
		return "", "", err
	}
	for _, group := range f.Comments {
		for _, c := range group.List {
			if constraint.IsGoBuild(c.Text) {
				return f.Name.Name, "", nil
			}
		}
	}
	var places []int
	add := func(list []ast.Stmt) {
		for _, s := range list {
			switch s.(type) {
			case *ast.CaseClause, *ast.CommClause: // the body of a switch or select
			default:
				places = append(places, fset.Position(s.Pos()).Offset)
			}
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BlockStmt:
			add(n.List)
		case *ast.CaseClause:
			add(n.Body)
		case *ast.CommClause:
			add(n.Body)
		}
		return true
	})
	slices.Sort(places)
	var b strings.Builder
	from := 0
	for _, place := range places {
		b.Write(source[from:place])
		b.WriteString(name + "(); ")
		from = place
	}
	b.Write(source[from:])
	return f.Name.Name, b.String(), nil
}
