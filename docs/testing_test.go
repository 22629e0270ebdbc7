package docs

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// testedApp is what newApp stands for on the page about tests.
const testedApp = `package page

import (
	"context"
	"io"
	"log/slog"
	"net/http"

	gorilla "github.com/gorilla/sessions"

	"github.com/siokit/siokit/auth"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/sessions"
)

type (
	User struct{ ID string }
	Say  struct{ Room, Text string }
	Said struct{ From, Text string }
)

func newApp() (http.Handler, *core.Server) {
	sess, err := sessions.New(gorilla.NewCookieStore([]byte("0123456789abcdef0123456789abcdef")), "app", sessions.Options{})
	if err != nil {
		panic(err)
	}
	users := auth.New(sess, func(_ context.Context, id string) (*User, error) { return &User{id}, nil })
	srv, err := core.New(core.Config{
		Sessions: sess, Authenticate: users.Handshake, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		panic(err)
	}
	srv.OnConnect(func(c *core.Context) error {
		var in struct {
			Token string ` + "`json:\"token\"`" + `
		}
		if _, ok := auth.User[*User](c); !ok && (c.Auth(&in) != nil || in.Token == "") {
			return &core.ConnectError{Message: "please log in", Data: map[string]int{"code": 401}}
		}
		return nil
	})
	core.On(srv, "say", func(c *core.Context, in Say) error { return c.Broadcast().Emit("said", Said{"ann", in.Text}) })
	core.OnCall(srv, "whoami", func(c *core.Context, _ core.None) (string, error) { return auth.MustUser[*User](c).ID, nil })
	mux := http.NewServeMux()
	core.Mount(mux, "/socket.io/", srv)
	mux.HandleFunc("POST /login", func(_ http.ResponseWriter, r *http.Request) {
		if err := users.Login(r.Context(), r.FormValue("name")); err != nil {
			panic(err)
		}
	})
	mux.HandleFunc("POST /logout", func(_ http.ResponseWriter, r *http.Request) {
		if err := users.Logout(r.Context()); err != nil {
			panic(err)
		}
	})
	return users.Middleware(mux), srv
}
`

// The tests on testing.md pass.
func TestTestsOfThePageRun(t *testing.T) {
	text, err := os.ReadFile("testing.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks, problems := goBlocks("testing.md", string(text))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var tests []string
	for _, b := range blocks {
		if strings.HasPrefix(b.code, "func Test") {
			tests = append(tests, b.code)
		}
	}
	if len(tests) < 6 {
		t.Fatalf("the page has %d tests", len(tests))
	}
	code := `package page

import (
	"fmt"
	"net/url"
	"testing"
	"testing/synctest"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/cluster/membus"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/siotest"
)

` + strings.Join(tests, "\n")
	// The package exists for the compiler only.
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	overlay := map[string]string{}
	for name, content := range map[string]string{"page.go": testedApp, "page_test.go": code} {
		real := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(real, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		overlay[filepath.Join(here, "page", name)] = real
	}
	list, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(file, list, 0o600); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "page.test")
	if out, err := exec.Command("go", "test", "-c", "-vet=off", "-o", program, "-overlay="+file, module+"/docs/page").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(program, "-test.v", "-test.timeout=5m").CombinedOutput()
	if ran := strings.Count(string(out), "--- PASS: "); err != nil || ran != len(tests) {
		t.Errorf("%d of %d tests passed: %v\n%s", ran, len(tests), err, out)
	}
}
