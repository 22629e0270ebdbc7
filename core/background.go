package core

import (
	"context"
	"errors"
	"sync"
)

// ErrShutdown is returned by Go and Run when Shutdown has been called.
var ErrShutdown = errors.New("core: the server has been shut down: start it, and its background work, before Shutdown")

// background runs what was given to Go.
type background struct {
	ctx    context.Context // ends with Shutdown
	cancel context.CancelCauseFunc

	mu    sync.Mutex
	ended bool           // guarded by mu: nothing is started any more
	tasks sync.WaitGroup // grows under mu, and only until ended
}

func newBackground() *background {
	b := &background{}
	b.ctx, b.cancel = context.WithCancelCause(context.Background())
	return b
}

// Go runs task on a goroutine of its own that belongs to the server: ctx is cancelled as soon as
// Shutdown is called, with ErrShutdown as its cause, and Shutdown waits for task to return. It is for
// work that no client started: a ticker that emits, a queue that is read, a sweep of old rooms.
//
//	err := srv.Go(func(ctx context.Context) {
//		for tick := time.NewTicker(time.Second); ; {
//			select {
//			case <-tick.C:
//				srv.To("clock").Emit("tick")
//			case <-ctx.Done():
//				return
//			}
//		}
//	})
//
// A panic ends the task, not the process: it is logged with its stack and counted in Panics. Nothing
// starts the task again. After Shutdown Go returns ErrShutdown and task is not run. Go may be called at
// any time, also by handlers and tasks; a task must not call Shutdown, which would wait for it.
//
// Work that belongs to one client needs no Go: a goroutine that ends with the handler's Context.
func (s *Server) Go(task func(ctx context.Context)) error {
	b := s.background
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return ErrShutdown
	}
	b.tasks.Go(func() {
		if p, ok := errors.AsType[*PanicError](protect(func() error { task(b.ctx); return nil })); ok {
			s.panics.Add(1)
			s.cfg.Logger.Error("core: a background task panicked", "panic", p.Value, "stack", string(p.Stack))
		}
	})
	return nil
}

// end cancels every task and lets no further one start.
func (b *background) end() {
	b.mu.Lock()
	b.ended = true
	b.mu.Unlock()
	b.cancel(ErrShutdown)
}
