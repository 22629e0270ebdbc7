package core_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/siokit/siokit/core"
)

// namer names sessions by the cookie "s", and does nothing else.
type namer struct{ asked atomic.Int64 }

func (*namer) BindSession(r *http.Request) (context.Context, error) {
	return context.WithValue(r.Context(), sessionKey{}, true), nil
}

func (*namer) SaveSession(context.Context) error { return nil }

func (n *namer) NameSession(r *http.Request) (string, error) {
	n.asked.Add(1)
	cookie, err := r.Cookie("s")
	if err != nil {
		return "", nil
	}
	switch value, _, _ := strings.Cut(cookie.Value, "."); value {
	case "broken":
		return "", errors.New("the store is down")
	case "panic":
		panic("secret")
	default:
		return value, nil
	}
}

func cookies(header string) func(http.Header, *string) {
	return func(h http.Header, _ *string) {
		if header != "" {
			h.Set("Cookie", header)
		}
	}
}

// A-21 for an application with sessions and no login: the session of the handshake, or 403, for polls, posts and the
// upgrade.
func TestForeignSession(t *testing.T) {
	n := &namer{}
	a := serve(t, core.Config{Sessions: n})
	core.On(a, "e", func(*core.Context, core.None) error { t.Error("a stranger's event was handled"); return nil })
	p := a.dial("polling", cookies("s=ann.1"))
	p.join("/", "")
	if got := n.asked.Load(); got != 1 {
		t.Errorf("asked %d times: the same cookies are the same visitor's", got)
	}
	for _, c := range []struct {
		cookie string
		status int
	}{
		{"s=bob.1", 403}, {"", 403}, {"theme=dark", 403}, {"s=broken", 503}, {"s=panic", 500},
	} {
		stranger := &peer{t: t, transport: "polling", http: p.http, header: http.Header{}}
		cookies(c.cookie)(stranger.header, nil)
		upgrade := strings.Replace(p.url, "transport=polling", "transport=websocket", 1)
		for _, request := range []struct{ method, url, body string }{
			{"GET", p.url, ""}, {"POST", p.url, "41"}, {"POST", p.url, `42["e"]`}, {"POST", p.url, "1"}, {"GET", upgrade, ""},
		} {
			if request.url == upgrade {
				stranger.header.Set("Connection", "Upgrade")
				stranger.header.Set("Upgrade", "websocket")
				stranger.header.Set("Sec-WebSocket-Version", "13")
				stranger.header.Set("Sec-WebSocket-Key", "MDEyMzQ1Njc4OWFiY2RlZg==")
			}
			if status, body, err := stranger.do(t.Context(), request.method, request.url, request.body); status != c.status {
				t.Errorf("%q %s: %d %s %v", c.cookie, request.method, status, body, err)
			}
		}
		p.wantAlive()
	}
	// The same session under another value of its cookie, as after a change.
	again := &peer{t: t, transport: "polling", http: p.http, header: http.Header{"Cookie": {"s=ann.2; theme=dark"}}}
	if status, body, err := again.do(t.Context(), "POST", p.url, `420["alive"]`); status != 200 {
		t.Errorf("the same session: %d %s %v", status, body, err)
	}
	p.want(`30[]`)
	for cookie, want := range map[string]int{"s=broken": 503, "s=panic": 500} {
		if _, status, err := a.tryDial("polling", cookies(cookie)); status != want {
			t.Errorf("a handshake with %q: %d %v", cookie, status, err)
		}
	}
}

// Whoever had no session at the handshake may get one while connected.
func TestSessionThatBeginsLater(t *testing.T) {
	n := &namer{}
	a := serve(t, core.Config{Sessions: n})
	core.OnCall(a, "e", func(*core.Context, core.None) (string, error) { return "yes", nil })
	p := a.dial("polling", cookies(""))
	p.join("/", "")
	later := &peer{t: t, transport: "polling", http: p.http, header: http.Header{"Cookie": {"s=ann"}}}
	if status, body, err := later.do(t.Context(), "POST", p.url, `420["e"]`); status != 200 {
		t.Errorf("%d %s %v", status, body, err)
	}
	p.want(`30["yes"]`)
}
