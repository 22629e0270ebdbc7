package core_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/engineio"
)

// answerOf makes one request of an endpoint. A session that it opens is closed at the end of the test.
func answerOf(a *app, query string, edit ...func(*http.Request) *http.Request) *httptest.ResponseRecorder {
	const endpoint = "http://app.test/socket.io/?EIO=4&"
	r := httptest.NewRequest("GET", endpoint+query, nil)
	for _, f := range edit {
		r = f(r)
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	if open, _, _ := strings.Cut(w.Body.String(), "\x1e"); strings.HasPrefix(open, "0{") {
		a.t.Cleanup(func() {
			leave := httptest.NewRequest("POST", endpoint+"transport=polling&sid="+sidOf([]byte(open)), strings.NewReader("1"))
			a.ServeHTTP(httptest.NewRecorder(), leave)
		})
	}
	return w
}

func TestOnConnectionError(t *testing.T) {
	var mu sync.Mutex
	var seen []string // guarded by mu
	panics := false
	a := serve(t, core.Config{
		AllowRequest: func(r *http.Request) error {
			if r.Header.Get("User") == "banned" {
				return engineio.Forbidden("banned since May")
			}
			return nil
		},
		OnConnectionError: func(r *http.Request, err *engineio.Error) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, strings.Join([]string{r.URL.Query().Get("transport"), err.Message, err.Cause}, "; "))
			if panics {
				panic("user code")
			}
		},
	})
	want := func(t *testing.T, part string) {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if len(seen) != 1 || !strings.Contains(seen[0], part) {
			t.Errorf("observed %q, want one with %q", seen, part)
		}
		seen = nil
	}
	for _, transport := range []string{"websocket", "polling"} {
		p := a.dial(transport)
		p.join("/", "")
		p.wantAlive()
		if _, status, _ := a.tryDial(transport, func(h http.Header, _ *string) { h.Set("User", "banned") }); status != 403 {
			t.Errorf("%s: %d", transport, status)
		}
		want(t, transport+"; Forbidden; AllowRequest: ")
		if _, status, _ := a.tryDial(transport, func(_ http.Header, query *string) { *query = "&sid=unknown" }); status != 400 {
			t.Errorf("%s: %d", transport, status)
		}
		want(t, transport+"; Session ID unknown; ")
	}
	panics = true
	if w := answerOf(a, "transport=carrier-pigeon"); w.Code != 400 {
		t.Errorf("%d behind a panic", w.Code)
	}
	want(t, "Transport unknown")
	if n := a.Panics(); n != 1 {
		t.Errorf("%d panics counted", n)
	}
}

// Panics in the hooks that the engine runs count like any other.
func TestEngineHooksPanic(t *testing.T) {
	for name, cfg := range map[string]core.Config{
		"Headers":        {Headers: func(http.Header, *http.Request) { panic("secret") }},
		"InitialHeaders": {InitialHeaders: func(http.Header, *http.Request) { panic("secret") }},
		"NewEngineID":    {NewEngineID: func(*http.Request) (string, error) { panic("secret") }},
	} {
		t.Run(name, func(t *testing.T) {
			a := serve(t, cfg)
			for i, transport := range []string{"websocket", "polling"} {
				if _, status, err := a.tryDial(transport); status != 500 || strings.Contains(err.Error(), "secret") {
					t.Errorf("%s: %d %v", transport, status, err)
				}
				if n := a.Panics(); n != int64(i+1) {
					t.Errorf("%d panics counted", n)
				}
			}
		})
	}
}

func TestEngineOptions(t *testing.T) {
	id := strings.Repeat("an-id-with-a-route-", 2)
	a := serve(t, core.Config{
		Cookie:         &http.Cookie{},
		Headers:        func(h http.Header, _ *http.Request) { h.Set("X-All", "1") },
		InitialHeaders: func(h http.Header, _ *http.Request) { h.Set("X-First", "1") },
		InitialPacket:  `2["hello",{"from":"the handshake"}]`,
		NewEngineID:    func(*http.Request) (string, error) { return id, nil },
	})
	p := a.dial("websocket")
	p.want(`2["hello",{"from":"the handshake"}]`)
	p.join("/", "")
	p.wantAlive()
	p.kill()
	eventually(t, "the id is free again", func() bool { return a.Stats().Connections == 0 })
	w := answerOf(a, "transport=polling")
	if h := w.Header(); h.Get("X-All") != "1" || h.Get("X-First") != "1" || !strings.HasPrefix(h.Get("Set-Cookie"), "io="+id+"; ") {
		t.Errorf("%v", h)
	}
	if got := w.Body.String(); !strings.HasPrefix(got, `0{"sid":"`+id) || !strings.HasSuffix(got, "\x1e"+`42["hello",{"from":"the handshake"}]`) {
		t.Errorf("%q", got)
	}
}

func TestInitialPacketIsChecked(t *testing.T) {
	for _, packet := range []string{"hello", `0{"sid":"x"}`, `21["hello"]`, `2`, `2{}`, `51-["x",{"_placeholder":true,"num":0}]`, "1", `2["connect"]`} {
		if _, err := core.New(core.Config{InitialPacket: packet}); err == nil || !strings.HasPrefix(err.Error(), "core: InitialPacket") {
			t.Errorf("%q: %v", packet, err)
		}
	}
}

// The address that counts is the one that an adapter has found, else the peer's.
func TestRateLimitOfAdapters(t *testing.T) {
	a := serve(t, core.Config{RateLimit: &engineio.RateLimit{Handshakes: 0.001, Burst: 1}})
	from := func(ip string) func(*http.Request) *http.Request {
		return func(r *http.Request) *http.Request { return r.WithContext(core.WithRemoteIP(r.Context(), ip)) }
	}
	var got []int
	for _, ip := range []string{"203.0.113.1", "203.0.113.2", "203.0.113.1", "203.0.113.2"} {
		got = append(got, answerOf(a, "transport=polling", from(ip)).Code)
	}
	got = append(got, answerOf(a, "transport=polling").Code, answerOf(a, "transport=polling").Code)
	if want := []int{200, 200, 429, 429, 200, 429}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// Check must not take an option for a mistake.
func TestCheckWithEveryOption(t *testing.T) {
	a := serve(t, core.Config{
		PerMessageDeflate: &engineio.Deflate{Threshold: 1},
		Cookie:            &http.Cookie{},
		InitialPacket:     `2["hello"]`,
		Headers:           func(h http.Header, _ *http.Request) { h.Set("X-All", "1") },
		RateLimit:         &engineio.RateLimit{},
		Origins:           []string{"https://app.example"},
	})
	if err := a.Check(t.Context(), a, "", nil); err != nil {
		t.Error(err)
	}
}
