package core_test

import (
	"runtime"
	"testing"

	"github.com/siokit/siokit/core"
)

// A handler may end its goroutine (t.FailNow does). The socket and Shutdown go on without it.
func TestGoexitInHandler(t *testing.T) {
	a := serve(t, core.Config{})
	core.On(a.Server, "exit", func(*core.Context, core.None) error { runtime.Goexit(); return nil })
	core.OnCall(a.Server, "echo", func(_ *core.Context, in string) (string, error) { return in, nil })
	p := a.dial("websocket")
	p.join("/", "")
	p.send(`20["exit"]`, `21["echo","a"]`)
	p.want(`31["a"]`)
}
