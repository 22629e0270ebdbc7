package siotest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/core"
)

// A failure is what a callback of the application, or of a client, has returned or panicked with.
type failure struct {
	place  string // for texts
	event  string // of a handler of the server's
	socket string // the id of its client
	err    error
	stack  []byte // of a panic
	asked  bool   // the test has seen it: Server.Failed
	told   bool   // it was reported
}

func (f *failure) String() string {
	if f.err == core.ErrNoHandler {
		return f.place + " has no handler"
	}
	return fmt.Sprintf("%s: %v", f.place, f.err)
}

// failures are those of one Serve, its clients' included.
type failures struct {
	servers []*core.Server

	mu      sync.Mutex    // guards all below
	changed chan struct{} // closed and replaced at each change
	all     []*failure
	panics  map[*core.Server]int64 // of handlers, seen here
	calls   []*call
}

// A call waits for an answer.
type call struct {
	socket, event string
	cancel        context.CancelCauseFunc
}

func newFailures(servers []*core.Server) *failures {
	return &failures{servers: servers, changed: make(chan struct{}), panics: make(map[*core.Server]int64)}
}

func (fs *failures) add(f *failure) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.all = append(fs.all, f)
	if len(fs.all) > kept {
		if i := slices.IndexFunc(fs.all, func(f *failure) bool { return f.stack == nil }); i >= 0 {
			fs.all = slices.Delete(fs.all, i, i+1)
		}
	}
	close(fs.changed)
	fs.changed = make(chan struct{})
	var waiting []*call
	for _, c := range fs.calls {
		if c.socket == f.socket && c.event == f.event {
			waiting = append(waiting, c)
		}
	}
	switch {
	case len(waiting) != 1: // none, or nobody knows which
	case f.err == core.ErrNoHandler:
		waiting[0].cancel(f.err)
	case f.stack != nil: // a MapError may answer it yet
		time.AfterFunc(grace, func() { waiting[0].cancel(f.err) })
	}
}

// kept is how many failures are kept, panics apart.
const kept = 1000

// grace is how long the ack of a handler that has panicked is waited for.
const grace = time.Second

// watch notes what fails in srv.
func (fs *failures) watch(srv *core.Server) {
	srv.Everywhere().OnAnyError(func(c *core.Context, err error) {
		f := &failure{place: fmt.Sprintf("%q in %s", c.Event(), c.Namespace().Name()), event: c.Event(), socket: c.ID(), err: err}
		if p, ok := errors.AsType[*core.PanicError](err); ok {
			f.stack = p.Stack
			fs.mu.Lock()
			fs.panics[srv]++
			fs.mu.Unlock()
		}
		fs.add(f)
	})
}

// watchHTTP notes the panics of a router.
func (fs *failures) watchHTTP(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v != http.ErrAbortHandler {
				event := r.Method + " " + r.URL.Path
				stack := debug.Stack()
				fs.add(&failure{place: event, event: event, err: &core.PanicError{Value: v, Stack: stack}, stack: stack})
			}
			panic(v) // net/http ends the connection
		}()
		h.ServeHTTP(w, r)
	})
}

// watchClient notes what fails in a client's callbacks, and tells own, which may be nil.
func (fs *failures) watchClient(own func(context.Context, error)) func(context.Context, error) {
	return func(ctx context.Context, err error) {
		f := &failure{place: "a callback of a client", err: err}
		if s, ok := client.From(ctx); ok {
			f.place += " in " + s.Namespace()
		}
		if p, ok := errors.AsType[*client.PanicError](err); ok {
			f.stack = p.Stack
		}
		fs.add(f)
		if own != nil {
			own(ctx, err)
		}
	}
}

// asking returns a context for a call, which ends when its answer cannot come any more; context.Cause says why.
func (fs *failures) asking(ctx context.Context, socket, event string) (_ context.Context, done func()) {
	c := &call{socket: socket, event: event}
	ctx, c.cancel = context.WithCancelCause(ctx)
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.calls = append(fs.calls, c)
	return ctx, func() {
		c.cancel(nil)
		fs.mu.Lock()
		defer fs.mu.Unlock()
		fs.calls = slices.DeleteFunc(fs.calls, func(other *call) bool { return other == c })
	}
}

// next marks the first failure of that event as expected.
func (fs *failures) next(event string, within time.Duration) error {
	timer := time.NewTimer(within)
	defer timer.Stop()
	for {
		fs.mu.Lock()
		i := slices.IndexFunc(fs.all, func(f *failure) bool { return f.event == event && !f.asked })
		changed := fs.changed
		if i >= 0 {
			fs.all[i].asked = true
			err := fs.all[i].err
			fs.mu.Unlock()
			return err
		}
		fs.mu.Unlock()
		select {
		case <-changed:
		case <-timer.C:
			return nil
		}
	}
}

// story lists them, and the handlers that have not ended, for a test that fails.
func (fs *failures) story() string {
	var b strings.Builder
	for i, r := range fs.running() {
		if i == 0 {
			b.WriteString("\nhandlers that are still running:")
		}
		fmt.Fprintf(&b, "\n\t%q in %s, for %s", r.Event, r.Namespace, r.For.Round(time.Millisecond))
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for i, f := range fs.all[max(0, len(fs.all)-remembered):] {
		if i == 0 {
			b.WriteString("\nwhat failed in handlers:")
		}
		fmt.Fprintf(&b, "\n\t%s", f)
	}
	return b.String()
}

func (fs *failures) running() (all []core.RunningHandler) {
	for _, srv := range fs.servers {
		all = append(all, srv.LongRunning(0)...)
	}
	return all
}

// report logs what the test did not ask for, and fails it for panics unless they are allowed.
func (fs *failures) report(t testing.TB, allowed bool) {
	t.Helper()
	fs.mu.Lock()
	defer fs.mu.Unlock()
	logged := 0
	for _, f := range fs.all {
		switch {
		case f.asked || f.told:
			continue
		case f.stack != nil && !allowed:
			t.Errorf("siotest: %s\n%s", f, applications(f.stack))
		default:
			if logged++; logged <= remembered {
				t.Logf("siotest: %s", f)
			}
		}
		f.told = true
	}
	if logged > remembered {
		t.Logf("siotest: and %d more failures of handlers", logged-remembered)
	}
}

// applications returns the frames of a stack between the panic and the package that has called the application.
func applications(stack []byte) string {
	_, frames, found := strings.Cut(string(stack), "\npanic(")
	if !found {
		return string(stack)
	}
	var b strings.Builder
	lines := strings.Split(frames, "\n")
	for i := 2; i+1 < len(lines); i += 2 { // after the two of panic: a function, and its place
		if strings.HasPrefix(lines[i], "github.com/siokit/siokit/core.") || strings.HasPrefix(lines[i], "github.com/siokit/siokit/client.") {
			break
		}
		fmt.Fprintf(&b, "%s\n%s\n", lines[i], lines[i+1])
	}
	if b.Len() == 0 {
		return string(stack)
	}
	return b.String()
}

// reportHidden fails the test for panics that core has recovered outside of handlers.
func (fs *failures) reportHidden(t testing.TB, srv *core.Server, before int64) {
	t.Helper()
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if n := srv.Panics() - before - fs.panics[srv]; n > 0 {
		t.Errorf("siotest: %d panics of hooks or tasks of the server: core.Config.Logger has the stacks; see siotest.Logger", n)
	}
}
