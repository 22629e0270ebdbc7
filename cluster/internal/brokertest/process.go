// Package brokertest starts the brokers of Debian for tests: each on ports of its own, with its files in
// the test's directory, and gone when the test is over.
package brokertest

import (
	"bufio"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/siokit/siokit/internal/freeport"
)

// A Process is a broker that is running, or stopped. Its methods are called by one goroutine.
type Process struct {
	// Addr is its host and port.
	Addr string

	cure    string // what to do when it does not start
	command func() *exec.Cmd
	ready   string // is part of a line of its output when it takes connections

	cmd  *exec.Cmd
	read chan struct{} // closed when its output has ended

	mu     sync.Mutex
	output []string // guarded by mu
}

// patience is how long a start may take on a machine that is busy.
const patience = 2 * time.Minute

// Start starts the process and waits until it takes connections.
func (p *Process) Start(t testing.TB) {
	t.Helper()
	if p.cmd != nil {
		return
	}
	cmd := p.command()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: %s", err, p.cure)
	}
	p.cmd, p.read = cmd, make(chan struct{})
	ready := make(chan struct{})
	go func() {
		defer close(p.read)
		for lines, said := bufio.NewScanner(out), false; lines.Scan(); {
			p.mu.Lock()
			p.output = append(p.output, lines.Text())
			p.mu.Unlock()
			if !said && strings.Contains(lines.Text(), p.ready) {
				said = true
				close(ready)
			}
		}
	}()
	problem := ""
	select {
	case <-ready:
		return
	case <-p.read:
		problem = "it ended"
	case <-time.After(patience):
		problem = "it said nothing of being ready"
	}
	p.Stop(t)
	t.Fatalf("%s: %s: %s\n%s", cmd.Path, problem, p.cure, strings.Join(p.output, "\n"))
}

// Stop kills the process.
func (p *Process) Stop(t testing.TB) {
	t.Helper()
	if p.cmd == nil {
		return
	}
	p.signal(t, syscall.SIGKILL)
	<-p.read
	_ = p.cmd.Wait()
	p.cmd = nil
}

// Freeze makes the process stand still, with its connections open, until Thaw.
func (p *Process) Freeze(t testing.TB) { t.Helper(); p.signal(t, syscall.SIGSTOP) }

// Thaw ends Freeze.
func (p *Process) Thaw(t testing.TB) { t.Helper(); p.signal(t, syscall.SIGCONT) }

func (p *Process) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(-p.cmd.Process.Pid, s); err != nil { // with its children: it leads a group
		t.Error(err)
	}
}

// FreePort returns a TCP port that nobody else is given while the caller starts what is to listen on it.
func FreePort(t testing.TB) string {
	t.Helper()
	port, err := freeport.Find()
	if err != nil {
		t.Fatal(err)
	}
	return port
}
