package brokertest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Redis starts a redis-server that keeps everything in memory, with more arguments if there are any.
func Redis(t testing.TB, args ...string) *Process {
	t.Helper()
	port, dir := FreePort(t), t.TempDir()
	p := &Process{
		Addr: net.JoinHostPort("127.0.0.1", port), ready: "eady to accept connections",
		cure: "redis-server is needed: run make setup-redis",
		command: func() *exec.Cmd {
			return exec.Command("redis-server", append([]string{
				"--bind", "127.0.0.1", "--port", port, "--dir", dir, "--save", "", "--appendonly", "no",
			}, args...)...)
		},
	}
	t.Cleanup(func() { p.Stop(t) })
	p.Start(t)
	return p
}

// Sentinel starts a Redis Sentinel that watches a master and is enough by itself to replace it when it
// has not answered for so long. On a busy machine a second of that may be chance.
func Sentinel(t testing.TB, name, master string, away time.Duration) *Process {
	t.Helper()
	port, dir := FreePort(t), t.TempDir()
	host, masterPort, _ := net.SplitHostPort(master)
	config := filepath.Join(dir, "sentinel.conf") // which it writes to
	text := fmt.Sprintf("bind 127.0.0.1\nport %s\ndir %s\nsentinel monitor %s %s %s 1\nsentinel down-after-milliseconds %[3]s %[6]d\n",
		port, dir, name, host, masterPort, away.Milliseconds())
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &Process{
		Addr: net.JoinHostPort("127.0.0.1", port), ready: "+monitor master",
		cure:    "redis-server is needed: run make setup-redis",
		command: func() *exec.Cmd { return exec.Command("redis-server", config, "--sentinel") },
	}
	t.Cleanup(func() { p.Stop(t) })
	p.Start(t)
	return p
}
