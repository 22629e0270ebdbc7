package core

import (
	"runtime"
	"sync"
)

// dispatchers runs the dispatchers of a server's sockets. A goroutine that is through with one
// socket waits for the next: its stack has grown to what handlers and their JSON need, and
// growing a new one each time was a quarter of the CPU time of an echo.
type dispatchers struct {
	mu      sync.Mutex
	changed sync.Cond   // on mu: busy or running fell
	idle    []chan work // goroutines that wait, the last used last; guarded by mu
	busy    int         // sockets being dispatched, and handlers beside them; guarded by mu
	running int         // goroutines; guarded by mu
	closed  bool        // goroutines do not wait any more; guarded by mu
}

// maxIdleDispatchers is how many goroutines wait for work, for each processor.
const maxIdleDispatchers = 16

// work is a socket that nobody dispatches, and its first task; or a handler that runs beside its
// dispatcher.
type work struct {
	socket *Socket
	first  task
	beside func() // nil for a socket to dispatch
}

func (w work) do() {
	if w.beside != nil {
		w.beside()
	} else {
		w.socket.dispatch(w.first)
	}
}

// start does w.
func (d *dispatchers) start(w work) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy++
	if last := len(d.idle) - 1; last >= 0 {
		d.idle[last] <- w // has room: its goroutine holds nothing
		d.idle = d.idle[:last]
		return
	}
	d.running++
	go d.run(w)
}

func (d *dispatchers) run(w work) {
	ended := false
	defer func() {
		if !ended { // runtime.Goexit in a handler, as t.FailNow does: the goroutine is lost
			d.replace(w)
		}
	}()
	next := make(chan work, 1)
	for ok := true; ok; w, ok = <-next {
		w.do()
		w = work{} // a waiting goroutine holds nothing
		if !d.park(next) {
			break
		}
	}
	ended = true
}

// replace goes on with a socket whose goroutine was ended by a handler.
func (d *dispatchers) replace(w work) {
	w.socket.ns.log.Error("core: a handler ended its goroutine with runtime.Goexit; its ack stays unanswered", "socket", w.socket.id)
	if w.beside != nil {
		w.beside = func() {} // the socket has a dispatcher
	}
	w.first = task{kind: taskNothing}
	go d.run(w)
}

// park says that a socket is through and offers the goroutine for more work. It reports false
// when the goroutine is to end.
func (d *dispatchers) park(next chan work) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy--
	stay := !d.closed && len(d.idle) < maxIdleDispatchers*runtime.GOMAXPROCS(0)
	if stay {
		d.idle = append(d.idle, next)
	} else {
		d.running--
	}
	if d.changed.L != nil {
		d.changed.Broadcast()
	}
	return stay
}

// wait returns when no socket is being dispatched and no handler runs.
func (d *dispatchers) wait() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.changed.L = &d.mu
	for d.busy > 0 {
		d.changed.Wait()
	}
}

// close ends the goroutines as soon as they are through, and waits for them.
func (d *dispatchers) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for _, next := range d.idle {
		close(next)
		d.running--
	}
	d.idle = nil
	d.changed.L = &d.mu
	for d.running > 0 {
		d.changed.Wait()
	}
}
