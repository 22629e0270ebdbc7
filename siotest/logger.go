package siotest

import (
	"log/slog"
	"sync"
	"testing"
)

// Logger returns a logger for core.Config.Logger, and for whatever else the application logs: its lines, from
// debug level on, are part of the test's output, which go test shows when the test has failed, or with -v.
func Logger(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(newOutput(t), &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey && len(groups) == 0 {
				return slog.Attr{}
			}
			return a
		},
	}))
}

// output writes to the log of a test, while that goes on: later it would panic.
type output struct {
	mu sync.Mutex
	t  testing.TB // nil after the test; guarded by mu
}

func newOutput(t testing.TB) *output {
	o := &output{t: t}
	t.Cleanup(func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.t = nil
	})
	return o
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.t == nil {
		return len(p), nil
	}
	return o.t.Output().Write(p)
}
