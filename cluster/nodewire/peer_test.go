package nodewire_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long the tests wait for what must come, on a machine that is busy.
const patience = 30 * time.Second

// process is another program. It ends with the test.
type process struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
}

// run starts testdata/peer.mjs and waits until it is ready. lines gets what it writes from then on.
func run(t testing.TB, lines func(string), redis string) *process {
	t.Helper()
	const ready, cure = "peer is ready", "Node.js and its packages are needed: run make setup-node"
	cmd := exec.Command("node", "testdata/peer.mjs", "redis://"+redis)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: %s", err, cure)
	}
	var output strings.Builder // until it is ready
	isReady, read := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(read)
		scan, said := bufio.NewScanner(out), false
		scan.Buffer(nil, 16<<20)
		for scan.Scan() {
			switch {
			case said:
				lines(scan.Text())
			default:
				fmt.Fprintln(&output, scan.Text())
				if strings.Contains(scan.Text(), ready) {
					said = true
					close(isReady)
				}
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGCONT)
		_ = cmd.Process.Kill()
		<-read
		_ = cmd.Wait()
	})
	select {
	case <-isReady:
	case <-read:
		t.Fatalf("%s ended: %s\n%s", cmd.Path, cure, &output)
	case <-time.After(2 * patience):
		t.Fatalf("%s said nothing of being ready: %s", cmd.Path, cure)
	}
	return &process{cmd: cmd, stdin: stdin}
}

// nodePeer is a process with a Node server, its Redis adapter, the emitter, and official clients.
type nodePeer struct {
	*process
	url string

	mu      sync.Mutex
	next    int                             // guarded by mu
	waiting map[int]chan peerAnswer         // guarded by mu
	told    map[string]chan json.RawMessage // by name; guarded by mu
}

type peerAnswer struct {
	ID     int
	Result json.RawMessage
	Error  string
	Tell   string
}

// startNode starts testdata/peer.mjs.
func startNode(t testing.TB, redis string) *nodePeer {
	t.Helper()
	p := &nodePeer{waiting: make(map[int]chan peerAnswer), told: make(map[string]chan json.RawMessage)}
	p.process = run(t, func(line string) {
		var a peerAnswer
		if json.Unmarshal([]byte(line), &a) != nil {
			t.Log("node:", line)
			return
		}
		if a.Tell != "" {
			p.channel(a.Tell) <- a.Result
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.waiting[a.ID] <- a
	}, redis)
	p.do(t, &p.url, `return url`)
	return p
}

func (p *nodePeer) channel(name string) chan json.RawMessage {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.told[name] == nil {
		p.told[name] = make(chan json.RawMessage, 1000)
	}
	return p.told[name]
}

// start runs the body of an asynchronous function in the peer. The function that it returns waits for what that
// returns and stores it in what result points to.
func (p *nodePeer) start(t testing.TB, code string, args ...any) (wait func(result any) error) {
	t.Helper()
	p.mu.Lock()
	p.next++
	id, answer := p.next, make(chan peerAnswer, 1)
	p.waiting[id] = answer
	p.mu.Unlock()
	line, err := json.Marshal(map[string]any{"id": id, "code": code, "args": args})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.stdin.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
	return func(result any) error {
		select {
		case a := <-answer:
			if a.Error != "" {
				return fmt.Errorf("%s", a.Error)
			}
			if result == nil {
				return nil
			}
			return json.Unmarshal(a.Result, result)
		case <-time.After(patience):
			return context.DeadlineExceeded
		}
	}
}

func (p *nodePeer) do(t testing.TB, result any, code string, args ...any) {
	t.Helper()
	if err := p.start(t, code, args...)(result); err != nil {
		t.Fatalf("%s: %v", code, err)
	}
}

// heard returns the next that the peer tells under a name, as JSON.
func (p *nodePeer) heard(t testing.TB, name string) string {
	t.Helper()
	select {
	case v := <-p.channel(name):
		return string(v)
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", name)
		return ""
	}
}
