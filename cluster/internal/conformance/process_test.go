package conformance

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/cluster/busurl"
	"github.com/siokit/siokit/cluster/internal/brokertest"
	"github.com/siokit/siokit/internal/conformance"
	"github.com/siokit/siokit/internal/leaktest"
)

// TestMain runs the tests, or one of the servers that they start: the same program, so that the race detector
// sees those too.
func TestMain(m *testing.M) {
	if name := os.Getenv("SIOKIT_NODE"); name != "" {
		if err := serveNode(name, os.Getenv("SIOKIT_NODE_BUS"), strings.Fields(os.Getenv("SIOKIT_NODE_PARTS")), os.Getenv("SIOKIT_NODE_JOINS") != ""); err != nil {
			fmt.Fprintln(os.Stderr, "node", name, err)
			os.Exit(1)
		}
		return
	}
	leaktest.Main(m)
}

// serveNode serves parts of the fixture, given as part=address, until stdin ends. One that joins another says so
// when they know each other.
func serveNode(name, bus string, parts []string, joins bool) (err error) {
	for _, p := range parts {
		part, address, _ := strings.Cut(p, "=")
		b, err := busurl.Open(bus, busurl.Options{Channel: "siokit-" + part, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			return err
		}
		m := &meeting{Bus: b, hosts: make(map[string]bool), met: make(chan struct{})}
		stop, err := conformance.ServePart(part, address, name, m)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stop()) }()
		if joins {
			select {
			case <-m.met:
			case <-time.After(time.Minute):
				return fmt.Errorf("the other node is not heard on the bus of %s", part)
			}
		}
	}
	fmt.Println("serving")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return nil
}

// meeting is a bus that notices when two nodes have said hello on it: its own, and then the other, which answers.
type meeting struct {
	cluster.Bus
	hosts map[string]bool // owned by the receiver
	met   chan struct{}
}

func (m *meeting) Subscribe(ctx context.Context, receive func([]byte)) error {
	return m.Bus.Subscribe(ctx, func(msg []byte) {
		receive(msg)
		var hello struct {
			Method string `json:"method"`
			Host   string `json:"host_id"`
		}
		if len(m.hosts) < 2 && json.Unmarshal(msg, &hello) == nil && hello.Method == "go.hello" {
			if m.hosts[hello.Host] = true; len(m.hosts) == 2 {
				close(m.met)
			}
		}
	})
}

// Resubscribe is what a node asks of a bus on which nothing comes back.
func (m *meeting) Resubscribe() { m.Bus.(interface{ Resubscribe() }).Resubscribe() }

// A node is a process that serves parts of the fixture.
type node struct {
	name, bus string
	joins     bool              // another that runs already
	ports     map[string]string // of the parts
	cmd       *exec.Cmd
	stdin     io.Closer
}

func newNode(t *testing.T, name, bus string, parts []string) *node {
	n := &node{name: name, bus: bus, ports: make(map[string]string)}
	for _, part := range parts {
		n.ports[part] = brokertest.FreePort(t)
	}
	return n
}

func (n *node) start() error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	var parts []string
	for part, port := range n.ports {
		parts = append(parts, part+"="+net.JoinHostPort("127.0.0.1", port))
	}
	n.cmd = exec.Command(program)
	n.cmd.Env = append(os.Environ(), "SIOKIT_NODE="+n.name, "SIOKIT_NODE_BUS="+n.bus, "SIOKIT_NODE_PARTS="+strings.Join(parts, " "))
	if n.joins {
		n.cmd.Env = append(n.cmd.Env, "SIOKIT_NODE_JOINS=1")
	}
	n.cmd.Stderr = os.Stderr
	if n.stdin, err = n.cmd.StdinPipe(); err != nil {
		return err
	}
	stdout, err := n.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := n.cmd.Start(); err != nil {
		return err
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "serving\n" {
		return errors.Join(fmt.Errorf("node %s does not serve: %q %w", n.name, line, err), n.kill())
	}
	return nil
}

// stop ends the process in order.
func (n *node) stop() error {
	if n.cmd == nil {
		return nil
	}
	_ = n.stdin.Close()
	giveUp := time.AfterFunc(30*time.Second, func() { _ = n.cmd.Process.Kill() })
	defer giveUp.Stop()
	err := n.cmd.Wait()
	n.cmd = nil
	return err
}

// kill ends the process at once.
func (n *node) kill() error {
	err := n.cmd.Process.Kill()
	_ = n.cmd.Wait() // says that it was killed
	n.cmd = nil
	return err
}

// fleet is two nodes behind nginx.
type fleet struct {
	nodes []*node
	env   []string // for the JavaScript suite
}

// newFleet starts nodes that serve parts of the fixture over the bus.
func newFleet(t *testing.T, bus string, parts []string) *fleet {
	t.Helper()
	f := &fleet{env: []string{"SIOKIT_SERVERS=2", "SIOKIT_UPGRADES=40"}}
	for _, name := range []string{"a", "b"} {
		n := newNode(t, name, bus, parts)
		n.joins = name == "b"
		if err := n.start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := n.stop(); err != nil {
				t.Errorf("node %s: %v", n.name, err)
			}
		})
		f.nodes = append(f.nodes, n)
	}
	addresses := map[string]string{}
	var config strings.Builder
	for _, part := range parts {
		port := brokertest.FreePort(t)
		config.WriteString(f.proxy(t, part, port))
		addresses[conformance.Parts[part]] = "http://127.0.0.1:" + port
	}
	brokertest.Nginx(t, config.String())
	for _, name := range []string{
		"SIOKIT_URL", "SIOKIT_PING_URL", "SIOKIT_OPTIONS_URL", "SIOKIT_OLD_URL", "SIOKIT_OLD_PING_URL", "SIOKIT_RECOVERY_URL",
		"SIOKIT_RESTART_URL", "SIOKIT_CONTROL_URL", "SIOKIT_MSGPACK_URL", "SIOKIT_OBJECTS_URL",
	} {
		if addresses[name] == "" {
			addresses[name] = "http://nobody.invalid" // the harness wants all; the tests that run here do not
		}
	}
	for _, name := range slices.Sorted(maps.Keys(addresses)) {
		f.env = append(f.env, name+"="+addresses[name])
	}
	return f
}

// proxy returns docs/deployment/nginx.conf for one part.
func (f *fleet) proxy(t *testing.T, part, port string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs", "deployment", "nginx.conf"))
	if err != nil {
		t.Fatal(err)
	}
	config := string(text)
	for _, change := range [][2]string{
		{"10.0.0.11:5000", "127.0.0.1:" + f.nodes[0].ports[part]},
		{"10.0.0.12:5000", "127.0.0.1:" + f.nodes[1].ports[part]},
		{"listen 80;", "listen 127.0.0.1:" + port + ";"},
		{"siokit", "siokit_" + part},
	} {
		if !strings.Contains(config, change[0]) {
			t.Fatalf("docs/deployment/nginx.conf does not contain %q any more, which this test replaces", change[0])
		}
		config = strings.ReplaceAll(config, change[0], change[1])
	}
	return config
}

var root = filepath.Join("..", "..", "..")
