// Package leaktest finds goroutines that outlive the tests of a package, and leaves those that are about to end the
// time for it.
package leaktest

import (
	"time"

	"go.uber.org/goleak"
)

// patience is how long goroutines may take to end. goleak alone waits for less than half a second in all, which is not
// enough for a connection's last goroutine on a machine that is busy with other tests.
const patience = 20 * time.Second

// Main is for TestMain: it runs the tests and ends the process, with a failure if a goroutine is left.
func Main(m goleak.TestingM) { goleak.VerifyTestMain(settled{m}) }

// Find returns an error with the stacks of the goroutines that are left and do not end, nil if there are none.
func Find(options ...goleak.Option) error { return find(patience, options...) }

// settled are the tests of a package and the time until their goroutines have ended.
type settled struct{ goleak.TestingM }

func (s settled) Run() int {
	code := s.TestingM.Run()
	if code == 0 {
		_ = Find() // goleak looks again, and says what is left
	}
	return code
}

func find(patience time.Duration, options ...goleak.Option) (err error) {
	for end := time.Now().Add(patience); ; {
		if err = goleak.Find(options...); err == nil || time.Now().After(end) {
			return err
		}
	}
}
