package exampletest

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/examples/login/app"
)

// Key signs the session cookies of tests.
var Key = []byte("0123456789abcdef0123456789abcdef")

// Serve serves handler until the test ends, and returns its URL. sockets, if not nil, is ended first: if it does not end
// in time the test fails.
func Serve(t *testing.T, handler http.Handler, sockets *core.Server) (url string) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		if sockets != nil {
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			if err := sockets.Shutdown(ctx); err != nil {
				t.Errorf("Shutdown: %v", err)
			}
		}
		server.Close()
	})
	return server.URL
}

// Login runs the contract of the login examples, login.test.mjs, against the one with these routes. name is the
// example's.
func Login(t *testing.T, name string, routes func(*app.App) http.Handler) {
	t.Helper()
	Node(t, "login-"+name, "login.test.mjs", "EXAMPLE="+name, "EXAMPLE_URL="+serveLogin(t, routes, ""))
}

// LoginShared is Login for the application whose sockets and routes share sessions, which are files.
func LoginShared(t *testing.T, name string, routes func(*app.App) http.Handler) {
	t.Helper()
	Node(t, "login-shared-"+name, "login.test.mjs", "EXAMPLE="+name, "EXAMPLE_SHARED=1",
		"EXAMPLE_URL="+serveLogin(t, routes, t.TempDir()))
}

// Page opens the page of a login example in Chromium. One example is enough: they share the page.
func Page(t *testing.T, name string, routes func(*app.App) http.Handler) {
	t.Helper()
	Node(t, "login-page-"+name, "page.browser.test.mjs", "EXAMPLE="+name, "EXAMPLE_URL="+serveLogin(t, routes, ""))
}

func serveLogin(t *testing.T, routes func(*app.App) http.Handler, sessionDir string) (url string) {
	t.Helper()
	// As the demo's, with hashes that are quick to compare.
	accounts := app.Accounts{
		"ann": {Name: "ann", Hash: quickHash(t, "ann-secret")},
		"bob": {Name: "bob", Hash: quickHash(t, "bob-secret")},
		"":    {Hash: quickHash(t, "nobody")},
	}
	client := os.DirFS(filepath.Join(moduleRoot(t), "node_modules", "socket.io-client", "dist"))
	a, err := app.New(app.Config{Key: Key, Client: client, Accounts: accounts, SessionDir: sessionDir})
	if err != nil {
		t.Fatal(err)
	}
	return Serve(t, routes(a), a.Sockets)
}

// QuickPasswords replaces the hashes of an example's accounts, name to hash, until the test ends: the passwords are still
// the name and "-secret", and quick to compare. It fails t if they were not the hashes of app.DemoAccounts, whose
// passwords are tested there.
func QuickPasswords(t *testing.T, hashes map[string]string) {
	t.Helper()
	kept := maps.Clone(hashes)
	t.Cleanup(func() { maps.Copy(hashes, kept) })
	for name, hash := range kept {
		if user := app.DemoAccounts[name]; user == nil || user.Hash != hash {
			t.Errorf("%s has another hash than in app.DemoAccounts: can they log in with %s-secret?", name, name)
		}
		hashes[name] = quickHash(t, name+"-secret")
	}
}

func quickHash(t *testing.T, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}
