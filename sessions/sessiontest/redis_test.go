package sessiontest_test

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// redisSocket is the Unix socket of a redis-server that this test run started, and that nobody else uses.
var redisSocket string

// startRedis starts a redis-server that keeps everything in memory and listens on a socket in a directory of its own.
// Call stop when the tests are over.
func startRedis() (socket string, stop func(), err error) {
	dir, err := os.MkdirTemp("", "redis")
	if err != nil {
		return "", nil, err
	}
	socket = filepath.Join(dir, "s")
	cmd := exec.Command("redis-server", "--port", "0", "--unixsocket", socket, "--dir", dir, "--save", "", "--appendonly", "no")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		os.RemoveAll(dir)
		return "", nil, err
	}
	read := make(chan struct{})
	ready := make(chan struct{})
	go func() {
		defer close(read)
		for lines, said := bufio.NewScanner(out), false; lines.Scan(); {
			if !said && strings.Contains(lines.Text(), "connections at "+socket) {
				said = true
				close(ready)
			}
		}
	}()
	stop = func() {
		_ = cmd.Process.Kill()
		<-read
		_ = cmd.Wait()
		os.RemoveAll(dir)
	}
	select {
	case <-ready:
		return socket, stop, nil
	case <-read:
		stop()
		return "", nil, errors.New("redis-server ended before it was ready")
	}
}

func needRedis(t *testing.T) string {
	t.Helper()
	if redisSocket == "" {
		t.Fatal("redis-server did not start: run make setup-redis")
	}
	return redisSocket
}
