package auth

import (
	"sync/atomic"
	"time"
)

// limiter lets one call a second through.
type limiter struct{ last atomic.Int64 } // UnixNano

func (l *limiter) allow(now time.Time) bool {
	last := l.last.Load()
	if last != 0 && now.UnixNano()-last < int64(time.Second) {
		return false
	}
	return l.last.CompareAndSwap(last, now.UnixNano())
}
