package core

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/siokit/siokit/engineio"
)

// admission bounds how many handshakes run the application's hooks at a time. After a restart all
// clients come back within seconds; without a bound they would all wait for the session store and the
// database together, and none would be done before its client gives up.
type admission struct {
	slots   chan struct{} // one for each handshake that runs hooks
	waiting atomic.Int64
	queue   int64
}

func newAdmission(running, queue int) admission {
	return admission{slots: make(chan struct{}, running), queue: int64(queue)}
}

// admissionPatience bounds the wait of a handshake: a client that is told to come back does better than
// one that hangs.
const admissionPatience = 5 * time.Second

// enter waits for a place. The error is a 503 with Retry-After. leave must be called after nil.
func (a *admission) enter(r *http.Request) error {
	select {
	case a.slots <- struct{}{}:
		return nil
	default:
	}
	if a.waiting.Add(1) > a.queue {
		a.waiting.Add(-1)
		return engineio.Unavailable("too many handshakes at once; see Config.HandshakeQueue")
	}
	defer a.waiting.Add(-1)
	timer := time.NewTimer(admissionPatience)
	defer timer.Stop()
	select {
	case a.slots <- struct{}{}:
		return nil
	case <-timer.C:
		return engineio.Unavailable("the hooks of other handshakes take too long; see Config.Handshakes")
	case <-r.Context().Done():
		return engineio.Unavailable("the client has hung up")
	}
}

func (a *admission) leave() { <-a.slots }
