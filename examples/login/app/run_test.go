package app

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/siokit/siokit/auth"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestDemoPasswords(t *testing.T) {
	nobodyCost, err := bcrypt.Cost([]byte(DemoAccounts[""].Hash))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ann", "bob"} {
		if user, ok := DemoAccounts.check(name, name+"-secret"); !ok || user.Name != name {
			t.Errorf("%s cannot log in with %s-secret", name, name)
		}
		if cost, err := bcrypt.Cost([]byte(DemoAccounts[name].Hash)); cost != nobodyCost || err != nil {
			t.Errorf("an unknown name costs %d, %s costs %d: the time tells which names exist (%v)", nobodyCost, name, cost, err)
		}
	}
	if _, err := DemoAccounts.load(t.Context(), ""); !errors.Is(err, auth.ErrNoUser) {
		t.Errorf("the account that nobody has was loaded: %v", err)
	}
}

func TestProblem(t *testing.T) {
	for _, row := range []struct {
		err    error
		status int
		text   string
	}{
		{errPassword, 401, "wrong name or password"},
		{fmt.Errorf("x: %w", auth.ErrUnauthenticated), 401, "please log in"},
		{&core.Error{Code: "bad_text", Message: "too long"}, 400, "too long"},
		{errors.New("dial tcp 10.0.0.3:6379: refused"), 503, "that did not work, please try again"},
	} {
		if status, text := Problem(row.err); status != row.status || text != row.text {
			t.Errorf("%v: %d %q, want %d %q", row.err, status, text, row.status, row.text)
		}
	}
}

// urls hands on the attribute "url" of what is logged.
type urls chan string

func (u urls) Write(line []byte) (int, error) {
	if _, url, ok := strings.Cut(strings.TrimSpace(string(line)), "url="); ok {
		u <- url
	}
	return len(line), nil
}

// From the start to the interrupt: what main does, with the settings of the environment.
func TestRunEndsWell(t *testing.T) {
	client := t.TempDir()
	if err := os.WriteFile(filepath.Join(client, "socket.io.min.js"), []byte("io()"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("ADDR", "127.0.0.1:0")
	t.Setenv("SESSION_KEY", strings.Repeat("k", 32))
	t.Setenv("CLIENT_DIR", client)
	logged := make(urls, 1)
	previous := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(logged, nil)))
	t.Cleanup(func() { slog.SetDefault(previous) })

	ended := make(chan error, 1)
	go func() {
		ended <- run(func(a *App) http.Handler {
			mux := http.NewServeMux()
			mux.HandleFunc("/", Page)
			mux.Handle("/socket.io/", a.Sockets)
			return Guard(a.Users.Middleware(mux))
		})
	}()
	var url string
	select {
	case url = <-logged:
	case err := <-ended:
		t.Fatal(err)
	case <-time.After(time.Minute):
		t.Fatal("it does not start")
	}
	browser := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}
	for path, want := range map[string]string{"/": "<title>siokit login</title>", "/socket.io/socket.io.min.js": "io()"} {
		answer, err := browser.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != 200 || !strings.Contains(string(body), want) {
			t.Errorf("%s: %d %v, without %q", path, answer.StatusCode, err, want)
		}
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it does not end")
	}
}

func TestBadSettingsNameTheCure(t *testing.T) {
	routes := func(*App) http.Handler { t.Error("it starts"); return nil }
	client := t.TempDir()
	if err := os.WriteFile(filepath.Join(client, "socket.io.min.js"), []byte("io()"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ name, value, cure string }{
		{"SESSION_KEY", "too short", "openssl rand -hex 32"},
		{"CLIENT_DIR", t.TempDir(), "make setup-node"},
		{"SESSION_DIR", filepath.Join(t.TempDir(), "missing"), "no such file or directory"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Setenv("SESSION_KEY", strings.Repeat("k", 32))
			t.Setenv("CLIENT_DIR", client)
			t.Setenv(row.name, row.value)
			if err := run(routes); err == nil || !strings.Contains(err.Error(), row.cure) {
				t.Errorf("got %v, want an error with %q", err, row.cure)
			}
		})
	}
}
