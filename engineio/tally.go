package engineio

import "sync"

// tally counts what is still running. Unlike with a sync.WaitGroup, more may start while
// somebody waits: a connection that is being closed still starts goroutines.
type tally struct {
	mu   sync.Mutex
	zero sync.Cond // on mu once somebody waits
	n    int       // guarded by mu
}

func (t *tally) add() {
	t.mu.Lock()
	t.n++
	t.mu.Unlock()
}

func (t *tally) done() {
	t.mu.Lock()
	t.n--
	if t.n == 0 && t.zero.L != nil {
		t.zero.Broadcast()
	}
	t.mu.Unlock()
}

// run calls f on a goroutine that counts.
func (t *tally) run(f func()) {
	t.add()
	go func() {
		defer t.done()
		f()
	}()
}

func (t *tally) wait() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.zero.L = &t.mu
	for t.n > 0 {
		t.zero.Wait()
	}
}
