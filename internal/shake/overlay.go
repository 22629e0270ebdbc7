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
)

// overlay is the file that go test -overlay reads, in the making.
type overlay struct {
	Replace map[string]string // paths of files, and of those that stand in for them

	dir    string // for the latter
	pauses string // what every package gets, but for the package clause
	places int    // how many there are so far
}

// call is put in front of statements, with the number of the place.
const call = "shake__(%d); "

// seedVariable is what the seed of a run is called in the environment.
const seedVariable = "SHAKE_SEED"

// pauses is the source of that function. It is called with the number of the place, and gets the seed of
// the run from the environment, for another constant would have everything compiled again.
func pauses(p plan) string {
	return fmt.Sprintf(`
import (
	"math/rand/v2"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

var (
	shake__seed, _ = strconv.ParseUint(os.Getenv(%q), 10, 64)
	shake__start   = time.Now()
	shake__rested  [1 << 16]atomic.Int64 // by place: nanoseconds from the start to when it may pause again
)

func shake__(place uint64) {
	every, places, pause := %d, uint64(%d), int64(%d)
	length := rand.Int64N(pause)
	if places == 0 {
		if rand.IntN(every) != 0 {
			return
		}
		if rand.IntN(30) == 0 {
			length *= 20
		}
	} else {
		chance := rand.NewPCG(shake__seed, place)
		if chance.Uint64()%%places != 0 {
			return
		}
		// A place in a loop takes no more than a tenth of the time, after some pauses one after the other.
		now := int64(time.Since(shake__start))
		rested := &shake__rested[place%%uint64(len(shake__rested))]
		at := rested.Load()
		if at > now {
			return
		}
		rested.Store(max(at, now-int64(time.Second)) + 10*length)
	}
	t := syscall.NsecToTimespec(length)
	_ = syscall.Nanosleep(&t, nil)
}
`, seedVariable, p.every, p.places, p.pause.Nanoseconds())
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
		pkg, shaken, err := o.insert(file, source)
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
func (o *overlay) insert(file string, source []byte) (pkg, shaken string, err error) {
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
		fmt.Fprintf(&b, call, o.places)
		o.places++
		from = place
	}
	b.Write(source[from:])
	return f.Name.Name, b.String(), nil
}
