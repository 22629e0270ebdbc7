package client_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/internal/conformance"
	"github.com/siokit/siokit/internal/conformance/exampletest"
)

// addresses of one project's servers. Those that it has no such option for are "".
type addresses struct {
	main, options, ping, recovery, msgpack, restart, control string

	flask bool
	kills bool // control can kill its server
}

func from(env map[string]string) addresses {
	return addresses{
		main: env["SIOKIT_URL"], options: env["SIOKIT_OPTIONS_URL"], ping: env["SIOKIT_PING_URL"], recovery: env["SIOKIT_RECOVERY_URL"],
		msgpack: env["SIOKIT_MSGPACK_URL"], restart: env["SIOKIT_RESTART_URL"], control: env["SIOKIT_CONTROL_URL"],
	}
}

func TestSiokit(t *testing.T) {
	fixture, err := conformance.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := fixture.Close(); err != nil {
			t.Errorf("the fixture did not end: %v", err)
		}
	})
	env := map[string]string{}
	for _, line := range fixture.Env() {
		name, value, _ := strings.Cut(line, "=")
		env[name] = value
	}
	a := from(env)
	a.kills = true
	suite(t, a)
}

func TestNode(t *testing.T) {
	env := start(t, exampletest.NeedNode(t), filepath.Join("..", "js", "reference.mjs"))
	suite(t, from(env))
}

func TestFlask(t *testing.T) {
	// The one that Debian's packages belong to, whatever else is in PATH.
	python := "/usr/bin/python3"
	if out, err := exec.Command(python, "-c", "import flask_socketio, eventlet").CombinedOutput(); err != nil {
		t.Fatalf("conformance: Flask-SocketIO is missing: run `make setup` (Debian: apt-get install python3-flask-socketio python3-eventlet): %v\n%s", err, out)
	}
	env := start(t, python, "site.py")
	a := from(env)
	t.Setenv("FLASK_PING", "1")
	a.ping = start(t, python, "site.py")["SIOKIT_PING_URL"]
	a.flask = true
	suite(t, a)
}

func start(t *testing.T, name, file string) map[string]string {
	t.Helper()
	if _, err := os.ReadFile(file); err != nil { // also so that go test repeats the run after an edit
		t.Fatal(err)
	}
	server, err := conformance.StartProcess(name, file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	})
	return server.Addresses
}

// transports are the ways to connect.
var transports = map[string]client.Options{
	"polling":   {Transports: []string{"polling"}},
	"websocket": {Transports: []string{"websocket"}},
	"upgrade":   {},
}
