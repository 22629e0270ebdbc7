package engineio_test

import (
	"fmt"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/siokit/siokit/engineio"
)

// The numbers are those that users get; all clients of a rig in memory have one address.
func TestRateLimit(t *testing.T) {
	t.Run("handshakes", func(t *testing.T) {
		bubble(t, engineio.Config{RateLimit: &engineio.RateLimit{}}, func(t *testing.T, r *rig) {
			open := func() (a answer) {
				if r.accepted()%2 == 0 {
					return r.request(t, "GET", polling)
				}
				return r.request(t, "GET", webSocket, upgradeHeaders...)
			}
			refused := func() {
				t.Helper()
				before := r.accepted()
				for _, a := range []answer{r.request(t, "GET", polling), r.request(t, "GET", webSocket, upgradeHeaders...)} {
					a.wantRefused(t, 429, 4, "Too many requests")
					if got := a.header.Get("Retry-After"); got != "1" {
						t.Errorf("Retry-After %q", got)
					}
				}
				if r.accepted() != before {
					t.Error("Accept was called")
				}
			}
			for i := range 100 {
				if a := open(); a.status/100 == 4 {
					t.Fatalf("%d: %d %s", i, a.status, a.body)
				}
			}
			refused()
			pass(time.Second / 20)
			open()
			refused() // being refused costs nothing, and earns nothing
			pass(time.Second)
			for i := range 20 {
				if a := open(); a.status/100 == 4 {
					t.Fatalf("%d: %d %s", i, a.status, a.body)
				}
			}
			refused()
			if got := r.srv.Stats().Refused; got != 6 {
				t.Errorf("%d refused", got)
			}
		})
	})
	t.Run("sessions are served", func(t *testing.T) {
		r := serve(t, engineio.Config{RateLimit: &engineio.RateLimit{Handshakes: 0.001, Burst: 1, UnknownSessions: 0.001}})
		sid, _ := r.open(t)
		a := r.get(t, "")
		a.wantRefused(t, 429, 4, "Too many requests")
		if got := a.header.Get("Retry-After"); got != "1000" {
			t.Errorf("Retry-After %q", got)
		}
		r.get(t, "unknown").wantUnknownSession(t)
		r.get(t, "unknown").wantRefused(t, 429, 4, "Too many requests")
		r.alive(t, sid)
		r.upgrade(t, sid)
	})
	t.Run("unknown sessions", func(t *testing.T) {
		bubble(t, engineio.Config{RateLimit: &engineio.RateLimit{Handshakes: -1}}, func(t *testing.T, r *rig) {
			for i := range 50 {
				method, header := "GET", []string{"X-None: 1"}
				if i%2 == 0 {
					method = "POST"
				}
				r.request(t, method, fmt.Sprint(polling, "&sid=guess", i), header...).wantUnknownSession(t)
			}
			r.request(t, "GET", polling+"&sid=guess").wantRefused(t, 429, 4, "Too many requests")
			r.request(t, "GET", webSocket+"&sid=guess", upgradeHeaders...).wantRefused(t, 429, 4, "Too many requests")
			for range 200 { // and handshakes are not limited
				r.open(t)
			}
			pass(time.Second / 50)
			r.request(t, "GET", polling+"&sid=guess").wantUnknownSession(t)
		})
	})
	t.Run("off", func(t *testing.T) {
		r := serve(t, engineio.Config{})
		for range 150 {
			r.open(t)
			r.get(t, "unknown").wantUnknownSession(t)
		}
	})
}

// Whose budget counts.
func TestRateLimitAddresses(t *testing.T) {
	for _, row := range []struct {
		name, remote, forwarded string
		real                    string // X-Real-IP
		same, other             string // remote or forwarded of a second request
	}{
		{name: "IPv4", remote: "192.0.2.7:1", same: "192.0.2.7:2", other: "192.0.2.8:1"},
		{name: "mapped", remote: "192.0.2.7:1", same: "[::ffff:192.0.2.7]:2", other: "[::ffff:192.0.2.8]:2"},
		{name: "IPv6 network", remote: "[2001:db8:1:2::1]:1", same: "[2001:db8:1:2:ffff::9]:1", other: "[2001:db8:1:3::1]:1"},
		{name: "undeclared proxy", remote: "192.0.2.7:1", forwarded: "198.51.100.1", same: "192.0.2.7:1", other: "192.0.2.8:1"},
		{name: "declared proxy", remote: "10.0.0.1:1", forwarded: "6.6.6.6, 198.51.100.1, 10.0.0.2", same: "10.0.0.1:1 7.7.7.7, 198.51.100.1", other: "10.0.0.1:1 198.51.100.1, 7.7.7.7"},
		{name: "no X-Forwarded-For", remote: "10.0.0.1:1", same: "10.0.0.1:2", other: "10.0.0.2:1"},
		{name: "X-Real-IP", remote: "10.0.0.1:1", real: "198.51.100.1", same: "10.0.0.1:1 198.51.100.1", other: "10.0.0.1:1"},
		{name: "IPv6 in brackets", remote: "10.0.0.1:1", forwarded: "[2001:db9::7]", same: "10.0.0.1:1 2001:db9::7", other: "10.0.0.1:1 [2001:db9:1::7]"},
		{name: "nonsense", remote: "10.0.0.1:1", forwarded: "8.8.8.8, unknown, 10.0.0.3", same: "10.0.0.3:1", other: "10.0.0.1:1"},
		{name: "all proxies", remote: "10.0.0.1:1", forwarded: "10.0.0.5", same: "10.0.0.9:1 10.0.0.5, 10.0.0.6", other: "10.0.0.1:1 10.0.0.6"},
	} {
		t.Run(row.name, func(t *testing.T) {
			limit := engineio.RateLimit{Handshakes: 0.001, Burst: 1}
			take, _ := engineio.Handshakes(t, &limit, []string{"10.0.0.0/8"})
			request := func(s string) *http.Request {
				r := &http.Request{Header: http.Header{}}
				r.RemoteAddr = s
				for i := range s {
					if s[i] == ' ' {
						r.RemoteAddr, s = s[:i], s[i+1:]
						r.Header.Set("X-Forwarded-For", s)
						break
					}
				}
				return r
			}
			first := request(row.remote)
			if row.forwarded != "" {
				first.Header.Set("X-Forwarded-For", row.forwarded)
			}
			if row.real != "" {
				first.Header.Set("X-Real-Ip", row.real)
			}
			if !take(first) {
				t.Fatal("the first is refused")
			}
			if take(request(row.same)) {
				t.Errorf("%s has a budget of its own", row.same)
			}
			if !take(request(row.other)) {
				t.Errorf("%s has none of its own", row.other)
			}
		})
	}
	t.Run("no address", func(t *testing.T) { // a Unix socket
		take, _ := engineio.Handshakes(t, &engineio.RateLimit{Burst: 1}, nil)
		for range 5 {
			if !take(&http.Request{RemoteAddr: "@"}) {
				t.Error("refused")
			}
		}
	})
	t.Run("ClientIP", func(t *testing.T) {
		ip := "203.0.113.1"
		take, _ := engineio.Handshakes(t, &engineio.RateLimit{Handshakes: 0.001, Burst: 1, ClientIP: func(*http.Request) string { return ip }}, nil)
		if !take(&http.Request{RemoteAddr: "192.0.2.1:1"}) || take(&http.Request{RemoteAddr: "192.0.2.2:1"}) {
			t.Error("not what ClientIP says")
		}
		if ip = ""; !take(&http.Request{RemoteAddr: "192.0.2.1:1"}) {
			t.Error("not what RemoteAddr says")
		}
	})
}

// A flood from very many addresses must not cost memory without bound, nor forget who has just been
// refused.
func TestRateLimitMemory(t *testing.T) {
	take, remembered := engineio.Handshakes(t, &engineio.RateLimit{Handshakes: 0.001, Burst: 2}, nil)
	one := &http.Request{RemoteAddr: "192.0.2.1:1"}
	for i := range 3 {
		if took := take(one); took != (i < 2) {
			t.Fatalf("request %d of a burst of 2: %t", i, took)
		}
	}
	for i := range 200_000 {
		take(&http.Request{RemoteAddr: fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&0xff, i&0xff)})
		if i%1000 == 0 && take(one) {
			t.Fatalf("forgotten after %d others", i)
		}
	}
	if n := remembered(); n > 32<<10 {
		t.Errorf("%d addresses are remembered", n)
	}
}

// MaxInt is how programs say "any".
func TestRateLimitBurstOfAnySize(t *testing.T) {
	take, _ := engineio.Handshakes(t, &engineio.RateLimit{Handshakes: 0.001, Burst: math.MaxInt}, nil)
	for i := range 1000 {
		if !take(&http.Request{RemoteAddr: "192.0.2.1:1"}) {
			t.Fatalf("request %d is refused", i)
		}
	}
}

func TestRateLimitConfig(t *testing.T) {
	for words, l := range map[string]engineio.RateLimit{
		"RateLimit.Burst -1":                    {Burst: -1},
		"RateLimit.Handshakes NaN":              {Handshakes: math.NaN()},
		"RateLimit.Handshakes 0.001 0.0001":     {Handshakes: 0.0001},
		"RateLimit.UnknownSessions 1,000,000 a": {UnknownSessions: 1e7},
	} {
		wantError(t, accepting(engineio.Config{RateLimit: &l}), words)
	}
	for words, d := range map[string]engineio.Deflate{
		"PerMessageDeflate.Threshold -1": {Threshold: -1},
		"PerMessageDeflate.Level 10":     {Level: 10},
		"PerMessageDeflate.Level -2":     {Level: -2},
	} {
		wantError(t, accepting(engineio.Config{PerMessageDeflate: &d}), words)
	}
}
