package client

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/siokit/siokit/engineio"
)

// backoff says how long to wait before the next attempt.
type backoff struct {
	opts     *Options
	attempts int // since the last success
}

func (b *backoff) reset() { b.attempts = 0 }

// next counts an attempt and returns how long to wait for it. The wait doubles up to its limit and is then
// spread on both sides of it: JavaScript cuts what is above the limit, so that half of all clients come back
// after exactly five seconds.
func (b *backoff) next(failure error) time.Duration {
	d := b.opts.ReconnectDelay
	for range b.attempts {
		if d *= 2; d >= b.opts.ReconnectDelayMax {
			break
		}
	}
	d = min(d, b.opts.ReconnectDelayMax)
	b.attempts++
	if told, ok := errors.AsType[*engineio.DialError](failure); ok && told.RetryAfter > d {
		return told.RetryAfter + time.Duration(max(b.opts.Jitter, 0)*rand.Float64()*float64(d)) // never earlier
	}
	if b.opts.Jitter > 0 {
		d += time.Duration((2*rand.Float64() - 1) * b.opts.Jitter * float64(d))
	}
	return d
}
