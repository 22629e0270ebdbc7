package conformance

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// A Process is a server of another project that serves the contract of js/reference.mjs. It prints one line
// of JSON, the addresses by the names of Fixture.Env, and ends when its standard input closes.
type Process struct {
	Addresses map[string]string

	command *exec.Cmd
	stdin   io.Closer
}

// StartProcess runs such a server until Close.
func StartProcess(name string, args ...string) (*Process, error) {
	command := exec.Command(name, args...)
	command.Stderr = os.Stderr
	stdin, err := command.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("conformance: %w", err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("conformance: %w", err)
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("conformance: %w", err)
	}
	p := &Process{command: command, stdin: stdin}
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &p.Addresses)
	}
	if err != nil {
		_ = p.Close()
		return nil, fmt.Errorf("conformance: %s did not start: %w", name, err)
	}
	return p, nil
}

// Close ends the server.
func (p *Process) Close() error {
	_ = p.stdin.Close()
	return p.command.Wait()
}
