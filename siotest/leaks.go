package siotest

import (
	"bytes"
	"context"
	"fmt"
	"runtime/pprof"
	"strings"
	"sync/atomic"
	"time"
)

// marks finds the goroutines that one Server, its clients and their handlers have started: goroutines
// inherit the labels of the one that starts them, so tests that run in parallel are told apart.
type marks struct{ id string }

var servers atomic.Int64

const label = "siotest"

func newMarks() *marks { return &marks{fmt.Sprintf("server %d", servers.Add(1))} }

// do runs f, whose goroutines are marked.
func (m *marks) do(f func()) {
	pprof.Do(context.Background(), pprof.Labels(label, m.id), func(context.Context) { f() })
}

// left returns the stacks of marked goroutines that do not end.
func (m *marks) left() string {
	for wait := time.Millisecond; ; wait *= 2 {
		stacks := m.find()
		if stacks == "" || wait > 2*time.Second {
			return stacks
		}
		time.Sleep(wait)
	}
}

func (m *marks) find() string {
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		return ""
	}
	mark := fmt.Sprintf("%q:%q", label, m.id)
	var found []string
	for block := range strings.SplitSeq(profile.String(), "\n\n") {
		if strings.Contains(block, "# labels: ") && strings.Contains(block, mark) {
			found = append(found, block)
		}
	}
	return strings.Join(found, "\n\n")
}
