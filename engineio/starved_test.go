//go:build unix

package engineio_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/siokit/siokit/engineio"
)

const starvedEnv = "SIOKIT_STARVED_SERVER"

// echoing is a Receiver that echoes.
type echoing struct{ c *engineio.Conn }

func (e echoing) Receive(data []byte, _ bool)   { _ = e.c.Send(message(string(data))) }
func (e echoing) Closed(engineio.Reason, error) {}

// starvedServer is the server of TestStarvedServer, in a process of its own, until that dies.
func starvedServer() {
	srv, err := engineio.NewServer(engineio.Config{
		PingInterval: 200 * time.Millisecond, PingTimeout: 2 * time.Second, // and the client below may be slow for as long
		Accept: func(c *engineio.Conn, _ *http.Request) (engineio.Receiver, error) { return echoing{c}, nil },
	})
	if err == nil {
		var l net.Listener
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err == nil {
			fmt.Println(l.Addr())
			err = http.Serve(l, srv)
		}
	}
	fmt.Println(err)
	os.Exit(1)
}

// F-19: the whole process stands still for much longer than PingTimeout while the pong lies in the
// kernel's buffer: a starved CPU, a frozen container, a suspended laptop. That client is alive.
func TestStarvedServer(t *testing.T) {
	if os.Getenv(starvedEnv) != "" {
		starvedServer()
	}
	child := exec.Command(os.Args[0], "-test.run=^TestStarvedServer$")
	child.Env = append(os.Environ(), starvedEnv+"=1", "GOMAXPROCS=1")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = child.Process.Kill()
		_ = child.Wait()
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	dial := func() *wire {
		c, err := net.Dial("tcp", strings.TrimSpace(address))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return &wire{Conn: c, br: bufio.NewReader(c), t: t}
	}
	dead, _ := dial().handshake(webSocket) // first: nothing may come between the ping of the other and the stop
	dead.text()
	alive, a := dial().handshake(webSocket)
	if a.status != 101 {
		t.Fatal(a.status)
	}
	alive.text()
	alive.wantText("2")
	if err := child.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	alive.send("3")
	time.Sleep(4 * time.Second) // the one thing that cannot be had by waiting for an event
	if err := child.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	alive.send("4still here")
	for {
		switch got := alive.text(); got {
		case "2":
			alive.send("3")
			continue
		case "4still here":
		default:
			t.Fatalf("got %q", got)
		}
		break
	}
	within(t, 3*time.Second, "cutting off who did not answer", func() {
		go func() { // pongs, or the server would be right to end this one too
			for {
				if op, got, err := alive.next(); err != nil || op == opClose {
					return
				} else if got == "2" {
					if _, err := alive.Write(frame(fin|opText, "3")); err != nil {
						return
					}
				}
			}
		}()
		dead.wantEOF()
	})
}
