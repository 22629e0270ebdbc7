// Package docs checks that the Go code in the documentation compiles, so that no page can go stale.
//
// Every ```go block of docs/*.md and README.md is type-checked against the module as it is:
//
//   - A block that begins with "package" is a program of its own.
//   - A block that parses as declarations (import, type, func, var) stands at file scope.
//   - Every other block stands in the body of a function that returns an error.
//
// All blocks of a page, programs apart, are one Go package: a type declared in one block serves the others. What a
// page uses and does not declare comes from prelude; packages are imported by the names in imports. A function's
// variable may stay unused, because the page goes on, unless it is an error.
package docs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "github.com/siokit/siokit/chisio" // so that go test repeats these tests when these and the packages below change
	_ "github.com/siokit/siokit/client"
	_ "github.com/siokit/siokit/cluster/busurl"
	_ "github.com/siokit/siokit/cluster/nodewire"
	_ "github.com/siokit/siokit/echosio"
	_ "github.com/siokit/siokit/emitter"
	_ "github.com/siokit/siokit/ginsio"
	_ "github.com/siokit/siokit/siotest"
	_ "github.com/siokit/siokit/wire/msgpack"
)

// imports are the packages that blocks may name without an import declaration.
var imports = map[string]string{
	"context": "context", "errors": "errors", "fmt": "fmt", "http": "net/http", "json": "encoding/json",
	"log": "log", "os": "os", "rand": "crypto/rand", "signal": "os/signal", "slog": "log/slog", "sql": "database/sql", "strings": "strings", "sync": "sync",
	"syscall": "syscall", "time": "time", "tls": "crypto/tls", "x509": "crypto/x509",
	"testing": "testing", "synctest": "testing/synctest", "url": "net/url", "httptest": "net/http/httptest", "fs": "io/fs", // of testing.md
	"siotest": module + "/siotest", "membus": module + "/cluster/membus",
	"binding": "github.com/gin-gonic/gin/binding",
	"gin":     "github.com/gin-gonic/gin", "gorilla": "github.com/gorilla/sessions",
	"echo": "github.com/labstack/echo/v4", "chi": "github.com/go-chi/chi/v5",
	"middleware": "github.com/go-chi/chi/v5/middleware", // Echo has a package of this name too
	"bcrypt":     "golang.org/x/crypto/bcrypt",
	"redis":      "github.com/redis/go-redis/v9", "nats": "github.com/nats-io/nats.go",
	"cluster": module + "/cluster", "emitter": module + "/emitter", "busurl": module + "/cluster/busurl", "redisbus": module + "/cluster/redisbus",
	"rabbitbus": module + "/cluster/rabbitbus", "natsbus": module + "/cluster/natsbus", "kafkabus": module + "/cluster/kafkabus",
	"auth": module + "/auth", "client": module + "/client", "core": module + "/core", "engineio": module + "/engineio",
	"ginsio": module + "/ginsio", "echosio": module + "/echosio", "chisio": module + "/chisio", "sessions": module + "/sessions",
	"nodewire": module + "/cluster/nodewire",
	"sio":      module + "/wire/sio", "msgpack": module + "/wire/msgpack",
}

const module = "github.com/siokit/siokit"

// prelude is what a page may use without declaring it: the application around a snippet.
var prelude = map[string]string{
	"ctx":      "var ctx context.Context",
	"bus":      "var bus cluster.Bus",
	"em":       "var em *emitter.Emitter",
	"store":    "var store gorilla.Store",
	"key":      "var key []byte",
	"sess":     "var sess *sessions.Manager",
	"users":    "var users *auth.Users[*User]",
	"srv":      "var srv *core.Server",
	"c":        "var c *core.Context",
	"router":   "var router *gin.Engine",
	"mux":      "var mux *http.ServeMux",
	"db":       "var db *sql.DB",
	"e":        "var e *echo.Echo",
	"r":        "var r *chi.Mux",
	"order":    "var order struct{ ID int }",
	"User":     "type User struct { ID, Name string; Admin bool }",
	"Say":      "type Say struct { Room, Text string }",
	"Said":     "type Said struct { From, Text string }",
	"newApp":   "func newApp() (http.Handler, *core.Server) { return nil, nil }",
	"ann":      "var ann *siotest.Client",
	"ts":       "var ts *siotest.Server",
	"t":        "var t *testing.T",
	"loadUser": "func loadUser(ctx context.Context, id string) (*User, error) { return nil, auth.ErrNoUser }",
}

func TestSnippetsCompile(t *testing.T) {
	names, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	load := newImporter(t)
	for _, name := range append(names, "../README.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Error(err)
			continue
		}
		blocks, problems := goBlocks(name, string(text))
		for _, problem := range append(problems, check(blocks, load)...) {
			t.Error(problem)
		}
		t.Logf("%s: %d Go blocks", name, len(blocks))
	}
}

// A checker that finds nothing would let every page rot: each of these must be found, at its line.
func TestBrokenSnippetsAreFound(t *testing.T) {
	page := func(lines ...string) string { return "# Page\n\n```go\n" + strings.Join(lines, "\n") + "\n```\n" }
	load := newImporter(t)
	for name, c := range map[string]struct{ text, want string }{
		"misspelt function":  {page("// fine", `core.Onn(srv, "say", nil)`), "page.md:5"},
		"wrong handler":      {page(`core.On(srv, "say", func(c *core.Context, in string) {})`), "page.md:4"},
		"unknown field":      {page("cfg := core.Config{", "\tPort: 5000,", "}"), "page.md:5"},
		"unknown variable":   {page("nobody.Emit(1)"), "page.md:4"},
		"error not handled":  {page("srv, err := core.New(core.Config{})"), "err"},
		"in a declaration":   {page("func f() error {", `	return srv.Emot("x")`, "}"), "page.md:5"},
		"in a program":       {page("package main", "", `import "log"`, "", "func main() {}"), `"log" imported and not used`},
		"no Go at all":       {page("say what you want"), "page.md:4"},
		"ignored block":      {"```go ignore\nx\n```\n", "page.md:1"},
		"block without end":  {"```go\nvar x int\n", "page.md:1"},
		"declared elsewhere": {page("var a Letter") + "```go\ntype Lettre struct{}\n```\n", "undefined: Letter"},
	} {
		t.Run(name, func(t *testing.T) {
			blocks, problems := goBlocks("page.md", c.text)
			problems = append(problems, check(blocks, load)...)
			if len(problems) == 0 || !strings.Contains(problems[0], c.want) || !strings.Contains(problems[0], "page.md:") {
				t.Errorf("got %q, want a problem with %q", problems, c.want)
			}
		})
	}
	good := page("srv, err := core.New(core.Config{})", "if err != nil {", "\treturn err", "}") +
		"```js\nnot Go\n```\n" + page("type Letter struct{ Text string }") + page(`_ = c.Emit("letter", Letter{"hello"})`)
	blocks, problems := goBlocks("page.md", good)
	if problems = append(problems, check(blocks, load)...); len(problems) > 0 || len(blocks) != 3 {
		t.Errorf("a good page with %d of 3 blocks has problems: %q", len(blocks), problems)
	}
}

// A block is the Go code between two fences.
type block struct {
	page string
	line int // of its first line
	code string
}

// goBlocks finds the Go blocks of a page, and the fences that are wrong.
func goBlocks(page, text string) (blocks []block, problems []string) {
	var fence string // the one that is open
	var info string  // what stands behind it
	var start int
	var code strings.Builder
	for i, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(line)
		ticks := trimmed[:len(trimmed)-len(strings.TrimLeft(trimmed, "`"))]
		switch {
		case fence == "" && len(ticks) >= 3:
			fence, info, start = ticks, strings.TrimSpace(trimmed[len(ticks):]), i+1
			code.Reset()
			if word, _, more := strings.Cut(info, " "); strings.EqualFold(word, "go") && (more || info != "go") {
				problems = append(problems, fmt.Sprintf("%s:%d: a block of Go is marked %q: every block is checked, write ```go", page, i+1, info))
			}
		case fence != "" && trimmed == fence:
			if info == "go" {
				blocks = append(blocks, block{page, start + 1, code.String()})
			}
			fence = ""
		case fence != "":
			code.WriteString(line + "\n")
		}
	}
	if fence != "" {
		problems = append(problems, fmt.Sprintf("%s:%d: the block never ends", page, start))
	}
	return blocks, problems
}

// check type-checks the blocks of one page and returns what is wrong, each with its file and line.
func check(blocks []block, load types.Importer) (problems []string) {
	fset := token.NewFileSet()
	var page []*ast.File
	declared := map[string]bool{}
	for _, b := range blocks {
		if strings.HasPrefix(firstCode(b.code), "package ") {
			file, err := parse(fset, b, "", "")
			if err != nil {
				problems = append(problems, err.Error())
				continue
			}
			problems = append(problems, typeCheck(fset, []*ast.File{file}, load)...)
			continue
		}
		file, err := parse(fset, b, "package page\n", "")
		if err != nil {
			file, err = parse(fset, b, "package page\nfunc _() error {\n", "\nreturn nil\n}\n")
		}
		if err != nil {
			problems = append(problems, err.Error())
			continue
		}
		for name := range file.Scope.Objects {
			declared[name] = true
		}
		page = append(page, file)
	}
	if len(page) == 0 {
		return problems
	}
	var rest strings.Builder
	for _, name := range slices.Sorted(maps.Keys(prelude)) {
		if !declared[name] {
			rest.WriteString(prelude[name] + "\n")
		}
	}
	file, err := parse(fset, block{"the prelude of the pages", 1, rest.String()}, "package page\n", "")
	if err != nil {
		return append(problems, err.Error())
	}
	return append(problems, typeCheck(fset, append(page, file), load)...)
}

func firstCode(code string) string {
	for line := range strings.Lines(code) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			return line
		}
	}
	return ""
}

// parse parses a block between before and after, with positions of the page, and adds the imports it lacks.
func parse(fset *token.FileSet, b block, before, after string) (*ast.File, error) {
	source := func(imported string) string {
		return strings.Replace(before, "\n", "\n"+imported, 1) + fmt.Sprintf("//line %s:%d\n", b.page, b.line) + b.code + after
	}
	file, err := parser.ParseFile(token.NewFileSet(), "", source(""), 0)
	if err == nil && before != "" {
		var lacking strings.Builder
		for _, id := range file.Unresolved {
			if path, known := imports[id.Name]; known && !strings.Contains(lacking.String(), id.Name+" \"") {
				fmt.Fprintf(&lacking, "import %s %q\n", id.Name, path)
			}
		}
		return parser.ParseFile(fset, "", source(lacking.String()), 0)
	}
	if err != nil {
		return nil, err
	}
	return parser.ParseFile(fset, "", source(""), 0)
}

func typeCheck(fset *token.FileSet, files []*ast.File, load types.Importer) (problems []string) {
	config := types.Config{Importer: load, Error: func(err error) {
		if e, ok := errors.AsType[types.Error](err); ok && e.Soft && unusedVariable(e.Msg) {
			return
		}
		problems = append(problems, err.Error())
	}}
	_, _ = config.Check("page", fset, files, nil) // Error has them all
	return problems
}

func unusedVariable(message string) bool {
	name, ok := strings.CutPrefix(message, "declared and not used: ")
	return ok && name != "err"
}

// newImporter reads the compiled packages that blocks may import, which go list builds if need be.
func newImporter(t *testing.T) types.Importer {
	t.Helper()
	args := append([]string{"list", "-export", "-deps", "-json=ImportPath,Export"}, slices.Sorted(maps.Values(imports))...)
	out, err := exec.Command("go", args...).Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Fatalf("go list: %s", failed.Stderr)
	} else if err != nil {
		t.Fatal(err)
	}
	compiled := map[string]string{}
	for list := json.NewDecoder(bytes.NewReader(out)); list.More(); {
		var p struct{ ImportPath, Export string }
		if err := list.Decode(&p); err != nil {
			t.Fatal(err)
		}
		compiled[p.ImportPath] = p.Export
	}
	return importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		if compiled[path] == "" {
			return nil, fmt.Errorf("%s is not among the imports that snippets may use", path)
		}
		return os.Open(compiled[path])
	})
}
