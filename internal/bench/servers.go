//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const benchPackage = "github.com/siokit/siokit/internal/bench"

// The servers that can be measured, in the order of their turns in a round.
const (
	bare   = "bare"
	node   = "node"
	siokit = "siokit"
)

// build returns the command lines that start the servers. Binaries go to dir.
// It must run inside the module, with socket.io installed at its top for node.
func build(ctx context.Context, dir string, servers []string) (map[string][]string, error) {
	commands := map[string][]string{}
	for _, s := range servers {
		switch s {
		case bare, siokit:
			bin := filepath.Join(dir, s)
			if _, err := output(ctx, "go", "build", "-o", bin, benchPackage+"/"+s+"server"); err != nil {
				return nil, err
			}
			commands[s] = []string{bin}
		case node:
			src, err := output(ctx, "go", "list", "-f", "{{.Dir}}", benchPackage)
			if err != nil {
				return nil, err
			}
			commands[s] = []string{"node", "--expose-gc", filepath.Join(src, "nodeserver", "server.mjs")}
		default:
			return nil, fmt.Errorf("bench: no server %q: choose from %s, %s, %s", s, bare, node, siokit)
		}
	}
	return commands, nil
}

func output(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("bench: %s %s: %w\n%s", name, strings.Join(args, " "), err, stderr.Bytes())
	}
	return strings.TrimSpace(string(out)), nil
}

// server is one running server process.
type server struct {
	addr    netip.AddrPort
	version string // of the library, as the server names it

	cmd   *exec.Cmd
	alive io.Closer // its standard input: it ends when this closes, even if we crash
	kill  context.CancelFunc
}

// startServer starts a server and returns when it listens. The server ends with
// ctx, with stop, and with this process.
// Whether its handlers get values or bytes is decode's choice; Node knows only values.
func startServer(ctx context.Context, command []string, decode bool, env ...string) (*server, error) {
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "ADDR=127.0.0.1:0", "DECODE="+map[bool]string{true: "1", false: "0"}[decode])
	cmd.Env = append(cmd.Env, env...)
	cmd.Stderr = os.Stderr
	cmd.WaitDelay = 5 * time.Second
	stdin, errIn := cmd.StdinPipe()
	stdout, errOut := cmd.StdoutPipe()
	if err := errors.Join(errIn, errOut); err != nil {
		cancel()
		return nil, fmt.Errorf("bench: %w", err)
	}
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("bench: %w", err)
	}
	s := &server{cmd: cmd, alive: stdin, kill: cancel}
	// A server that never prints a line is ended by this timer, which ends the read.
	slow := time.AfterFunc(15*time.Second, cancel)
	line, err := bufio.NewReader(stdout).ReadString('\n')
	slow.Stop()
	if err == nil {
		addr, version, _ := strings.Cut(strings.TrimSpace(line), " ")
		s.version = version
		s.addr, err = netip.ParseAddrPort(addr)
	}
	if err == nil && !s.addr.Addr().IsLoopback() {
		err = fmt.Errorf("%v is not on loopback", s.addr)
	}
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("bench: %s did not start: %w (is socket.io installed? npm ci)", command[len(command)-1], err)
	}
	return s, nil
}

func (s *server) pid() int { return s.cmd.Process.Pid }

func (s *server) cpu() (time.Duration, error) { return cpuTime(s.pid()) }

// stop kills the process and waits for its end.
func (s *server) stop() {
	s.kill()
	s.alive.Close()
	s.cmd.Wait() // the error would only say that it was killed
}
