// Package leaks looks for goroutines that a package's tests have left behind, on machines that are busy too.
package leaks

import (
	"time"

	"go.uber.org/goleak"
)

// patience is how long goroutines may take that are about to end. goleak alone gives them less than half a second.
const patience = 20 * time.Second

// Main is goleak.VerifyTestMain with patience, for TestMain. It does not return.
func Main(m goleak.TestingM) { goleak.VerifyTestMain(patient{m}) }

type patient struct{ goleak.TestingM }

// Run runs the tests, and waits while goroutines are left. Those that stay are VerifyTestMain's to report.
func (p patient) Run() int {
	code := p.TestingM.Run()
	deadline := time.Now().Add(patience)
	for code == 0 && goleak.Find() != nil && time.Now().Before(deadline) {
		continue // Find has waited
	}
	return code
}
