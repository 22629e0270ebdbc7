package engineio

import (
	"container/heap"
	"math"
	"sync"
	"time"
)

// clock fires all timers of a server from one goroutine, so that ten thousand connections cost
// neither ten thousand runtime timers nor a goroutine each. It starts with the first timer.
type clock struct {
	mu      sync.Mutex
	timers  timerHeap     // guarded by mu
	wake    chan struct{} // tells the goroutine that the first timer changed
	base    time.Time     // monotonic origin of Timer.due; set once, before the goroutine starts
	running bool          // guarded by mu
	stopped bool          // guarded by mu
	done    chan struct{} // closed when the goroutine has ended
}

// A Timer is one pending call. The zero Timer with f set is stopped.
type Timer struct {
	f     func()        // runs on the clock goroutine: it must not block
	due   time.Duration // since clock.base; guarded by clock.mu
	index int           // place in the heap plus one, 0 when stopped; guarded by clock.mu
}

func newClock() *clock {
	return &clock{wake: make(chan struct{}, 1), done: make(chan struct{})}
}

// reset arms t to fire after d, whether or not it was armed.
func (c *clock) reset(t *Timer, d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return
	}
	if !c.running {
		c.running = true
		c.base = time.Now()
		go c.run()
	}
	now := time.Since(c.base)
	t.due = now + min(d, math.MaxInt64-now)
	if t.index == 0 {
		heap.Push(&c.timers, t)
	} else {
		heap.Fix(&c.timers, t.index-1)
	}
	if t.index == 1 {
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
}

// late returns how long ago t, which has just fired, was due.
func (c *clock) late(t *Timer) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Since(c.base) - t.due
}

// stop disarms t and reports whether it was armed.
func (c *clock) stop(t *Timer) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.index == 0 {
		return false
	}
	heap.Remove(&c.timers, t.index-1)
	return true
}

// shutdown ends the goroutine and waits for it. Timers that are still armed never fire.
func (c *clock) shutdown() {
	c.mu.Lock()
	running := c.running
	c.stopped = true
	c.mu.Unlock()
	if running {
		select {
		case c.wake <- struct{}{}:
		default:
		}
		<-c.done
	}
}

func (c *clock) run() {
	defer close(c.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		next, due := c.next()
		switch {
		case due != nil:
			due()
			continue
		case next < 0:
			return
		}
		timer.Reset(next)
		select {
		case <-timer.C:
		case <-c.wake:
		}
	}
}

// next returns the first call that is due, or how long to wait for it; -1 when the clock has
// been shut down.
func (c *clock) next() (time.Duration, func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return -1, nil
	}
	if len(c.timers) == 0 {
		return time.Hour, nil
	}
	first := c.timers[0]
	if wait := first.due - time.Since(c.base); wait > 0 {
		return wait, nil
	}
	heap.Pop(&c.timers)
	return 0, first.f
}

type timerHeap []*Timer

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].due < h[j].due }
func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i+1, j+1
}

func (h *timerHeap) Push(x any) {
	t := x.(*Timer)
	*h = append(*h, t)
	t.index = len(*h)
}

func (h *timerHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	t.index = 0
	return t
}
