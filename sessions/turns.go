package sessions

import (
	"context"
	"fmt"
	"sync"
)

// turns lets one at a time change the stored session of an id. All Managers of the process share it, because two of
// them may have the same store.
var turns = turnstile{held: make(map[string]*turn)}

type turnstile struct {
	mu   sync.Mutex
	held map[string]*turn // guarded by mu; nobody holds or awaits an id that is missing
}

type turn struct {
	free  chan struct{} // holds a token while nobody has the turn
	users int           // guarded by turnstile.mu; who has it or waits for it
}

// take waits for the turn of id until ctx ends. Call done when the change is stored.
func (t *turnstile) take(ctx context.Context, id string) (done func(), err error) {
	t.mu.Lock()
	one := t.held[id]
	if one == nil {
		one = &turn{free: make(chan struct{}, 1)}
		one.free <- struct{}{}
		t.held[id] = one
	}
	one.users++
	t.mu.Unlock()
	select {
	case <-one.free:
		return func() {
			one.free <- struct{}{}
			t.leave(id, one)
		}, nil
	case <-ctx.Done():
		t.leave(id, one)
		return nil, fmt.Errorf("sessions: the session is being changed by others for too long: is the store slow? %w", ctx.Err())
	}
}

func (t *turnstile) leave(id string, one *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if one.users--; one.users == 0 {
		delete(t.held, id)
	}
}
