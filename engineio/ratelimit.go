package engineio

import (
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// RateLimit bounds what one client address may ask for. Beyond it requests are answered with 429 and
// Retry-After, before Config.Accept runs. An IPv6 client counts by its /64 network. Memory is bounded:
// the 32,768 addresses seen last are remembered, about 4 MiB, and only for as long as it takes to
// refill their budget.
//
// Many users can share one address: an office, a mobile network, a school. Behind a reverse proxy that
// nobody declared ALL users share the proxy's. Declare it before switching this on: in TrustedProxies, and
// in the framework, or return the address from ClientIP.
type RateLimit struct {
	// Handshakes is how many sessions one address may open per second in the long run. Default 20.
	// Negative: any number.
	Handshakes float64
	// Burst is how many it may open at once after a quiet time. Default 100.
	Burst int
	// UnknownSessions is how many requests per second may name a session that does not exist, before
	// they get 429 instead of 400. One second's worth may come at once. Sessions that exist are
	// served all the same. Default 50. Negative: any number.
	UnknownSessions float64
	// ClientIP returns the client's address, or "" for the default, which is what Server.ClientIP says.
	// What is no IP address is not limited. It may be called concurrently and must not block. Default nil. (Package core asks the
	// framework's adapter first.)
	ClientIP func(r *http.Request) string
}

// limiter is a RateLimit at work. A nil limiter allows everything.
type limiter struct {
	handshakes *budgets
	unknown    *budgets
	clientIP   func(r *http.Request) string
	origins    *originPolicy // knows the proxies
	retryAfter string        // seconds
}

func (l *RateLimit) validate() error {
	if l == nil {
		return nil
	}
	if l.Burst < 0 {
		return fmt.Errorf("engineio: RateLimit.Burst must not be negative, got %d; for no limit set Handshakes to -1", l.Burst)
	}
	for name, rate := range map[string]float64{"Handshakes": l.Handshakes, "UnknownSessions": l.UnknownSessions} {
		if math.IsNaN(rate) || rate > 0 && rate < 0.001 || rate > 1e6 {
			return fmt.Errorf("engineio: RateLimit.%s must be 0.001 to 1,000,000 a second, got %v; negative is no limit", name, rate)
		}
	}
	return nil
}

func newLimiter(l *RateLimit, origins *originPolicy) *limiter {
	if l == nil {
		return nil
	}
	rate, burst, unknown := l.Handshakes, l.Burst, l.UnknownSessions
	if rate == 0 {
		rate = 20
	}
	if burst == 0 {
		burst = 100
	}
	if unknown == 0 {
		unknown = 50
	}
	wait := 1.0
	if rate > 0 {
		wait = max(1, math.Ceil(1/rate))
	}
	return &limiter{
		handshakes: newBudgets(rate, burst),
		unknown:    newBudgets(unknown, int(max(1, math.Ceil(unknown)))),
		clientIP:   l.ClientIP,
		origins:    origins,
		retryAfter: strconv.Itoa(int(wait)),
	}
}

// retry is how long a client should stay away, in seconds.
func (l *limiter) retry() string {
	if l == nil {
		return "1"
	}
	return l.retryAfter
}

// handshake reports whether r may open a session.
func (l *limiter) handshake(r *http.Request) bool {
	return l == nil || l.handshakes.take(l.client(r))
}

// stranger reports whether r may be told that its session does not exist.
func (l *limiter) stranger(r *http.Request) bool {
	return l == nil || l.unknown.take(l.client(r))
}

// client returns whose budget counts; the zero Addr when nobody knows.
func (l *limiter) client(r *http.Request) netip.Addr {
	ip := ""
	if l.clientIP != nil {
		ip = l.clientIP(r)
	}
	if ip == "" {
		ip = l.origins.clientIP(r)
	}
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return netip.Addr{}
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		network, _ := addr.Prefix(64) // 64 fits
		addr = network.Addr()
	}
	return addr
}

func tooManyRequests(cause string) *Error {
	return &Error{http.StatusTooManyRequests, CodeForbidden, "Too many requests", cause}
}

// budgets counts by the generic cell rate algorithm: of an address it remembers only when its budget
// will be whole again. The addresses are in two generations, and the older one is forgotten when
// everything in it is whole, or for want of room.
type budgets struct {
	every time.Duration // that one request costs
	burst time.Duration // that may be owed

	mu     sync.Mutex
	base   time.Time                    // monotonic origin of the times below; guarded by mu
	turned time.Duration                // when recent was begun; guarded by mu
	recent map[netip.Addr]time.Duration // when whole again; guarded by mu
	before map[netip.Addr]time.Duration // guarded by mu
}

// maxAddresses is how many fit in one generation.
const maxAddresses = 16 << 10

// newBudgets returns nil, which allows everything, for a negative rate.
func newBudgets(rate float64, burst int) *budgets {
	if rate < 0 {
		return nil
	}
	every := time.Duration(float64(time.Second) / rate)
	most := math.MaxInt64 / 4 / every // 73 years are as good as any number
	return &budgets{every: every, burst: every * min(time.Duration(burst), most), recent: make(map[netip.Addr]time.Duration)}
}

// take reports whether addr may make one more request now, and counts it if so.
func (b *budgets) take(addr netip.Addr) bool {
	if b == nil || !addr.IsValid() {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.base.IsZero() {
		b.base = time.Now()
	}
	now := time.Since(b.base)
	if now-b.turned >= b.burst || len(b.recent) >= maxAddresses {
		b.before, b.recent, b.turned = b.recent, make(map[netip.Addr]time.Duration), now
	}
	whole, known := b.recent[addr]
	if !known {
		whole = b.before[addr]
	}
	whole = max(whole, now)
	allowed := whole+b.every-now <= b.burst
	if allowed {
		whole += b.every
	}
	b.recent[addr] = whole
	return allowed
}
