package siotest

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Defaults of Server.Patience and Server.Quiet.
const (
	patience = 10 * time.Second
	quiet    = 50 * time.Millisecond
)

// reserve is what is left of a test's time for its end, when something did not come.
const reserve = 2 * time.Second

// limits say how long a test waits.
type limits struct {
	patience, quiet time.Duration
	deadline        time.Time // of the whole run; zero: none
}

func limitsOf(t testing.TB, patience, quiet time.Duration) limits {
	return limits{patience, quiet, deadline(t)}
}

// deadline returns when go test -timeout ends everything.
func deadline(t testing.TB) (d time.Time) {
	defer func() { _ = recover() }() // in a bubble there is none, and asking panics
	if t, ok := t.(interface{ Deadline() (time.Time, bool) }); ok {
		d, _ = t.Deadline()
	}
	return d
}

// within shortens a wait so that the test fails, with its story, before the run is ended.
func (l limits) within(d time.Duration) time.Duration {
	if l.deadline.IsZero() {
		return d
	}
	return min(d, max(time.Until(l.deadline)-reserve, l.quiet))
}

// settle waits, in a bubble, until nothing is on its way any more. It reports whether there is a bubble.
func settle() (bubble bool) {
	defer func() {
		if v := recover(); v != nil {
			bubble = strings.Contains(fmt.Sprint(v), "in progress") // somebody else waits already
		}
	}()
	synctest.Wait()
	return true
}
