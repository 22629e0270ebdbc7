package client_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/engineio"
)

// elsewhere is where hostile servers want clients to go.
const elsewhere = "internal.evil.test"

// dials records where a client wants to go, before any name is looked up.
type dials struct {
	mu   sync.Mutex
	seen []string // guarded by mu
}

// http returns a client that follows every redirect, as far as it is asked.
func (d *dials) http() *http.Client {
	return &http.Client{
		Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			d.mu.Lock()
			d.seen = append(d.seen, address)
			d.mu.Unlock()
			return (&net.Dialer{}).DialContext(ctx, network, address)
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return nil },
	}
}

// want fails unless host was dialled, and nothing else.
func (d *dials) want(t *testing.T, host string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Contains(d.seen, host) || slices.ContainsFunc(d.seen, func(s string) bool { return s != host }) {
		t.Errorf("dialled %q, the server is %s", d.seen, host)
	}
}

// hostile answers as a Socket.IO server that wants its clients elsewhere.
type hostile struct {
	open     string // the handshake
	redirect int    // status, for what matches
	matches  func(r *http.Request) bool
	packets  string // of the first poll

	mu    sync.Mutex
	asked map[string]int // by method and transport; guarded by mu
}

func (h *hostile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	transport, sid := r.URL.Query().Get("transport"), r.URL.Query().Get("sid")
	h.mu.Lock()
	what := r.Method + " " + transport
	if sid != "" {
		what += " again"
	}
	h.asked[what]++
	first := h.asked[what] == 1
	h.mu.Unlock()
	for _, name := range []string{"Location", "Content-Location", "Refresh", "Link", "Alt-Svc", "Host", "X-Forwarded-Host"} {
		w.Header().Set(name, "http://"+elsewhere+"/socket.io/")
	}
	w.Header().Set("Alt-Svc", `h2="`+elsewhere+`:443"`)
	switch {
	case h.matches(r):
		w.Header().Set("Location", "http://"+elsewhere+"/socket.io/?"+r.URL.RawQuery)
		w.WriteHeader(h.redirect)
	case transport == "websocket":
		w.WriteHeader(http.StatusBadRequest)
	case r.Method == http.MethodPost:
		fmt.Fprint(w, "ok")
	case sid == "":
		fmt.Fprint(w, h.open)
	case first:
		fmt.Fprint(w, h.packets)
	default:
		<-r.Context().Done() // parked
	}
}

// asks reports whether something was asked for.
func (h *hostile) asks(what string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.asked[what] > 0
}

// V-30: whatever a server says, a client dials the host that it was given, on every transport and when it
// comes back. Nor do its errors hide a redirect.
func TestNoServerSendsAClientElsewhere(t *testing.T) {
	const (
		plain = `0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`
		home  = `40{"sid":"x"}`
	)
	never := func(*http.Request) bool { return false }
	for name, test := range map[string]struct {
		*hostile
		want string // what the client must have asked for
	}{
		"members of the handshake":          {&hostile{open: strings.Replace(plain, `"upgrades"`, `"url":"ws://`+elsewhere+`/","host":"`+elsewhere+`","hostname":"`+elsewhere+`","path":"//`+elsewhere+`/","endpoint":"http://`+elsewhere+`","location":"http://`+elsewhere+`","transports":["http://`+elsewhere+`"],"upgrades"`, 1), packets: home, matches: never}, "GET polling again"},
		"a session id that is an address":   {&hostile{open: strings.Replace(plain, `"s"`, `"x@`+elsewhere+`/?#&transport=websocket&host=`+elsewhere+`"`, 1), packets: home, matches: never}, "GET polling again"},
		"addresses as upgrades":             {&hostile{open: strings.Replace(plain, `[]`, `["ws://`+elsewhere+`/","//`+elsewhere+`/websocket","websocket@`+elsewhere+`","","WEBSOCKET","websocket "]`, 1), packets: home, matches: never}, "GET polling again"},
		"an upgrade among addresses":        {&hostile{open: strings.Replace(plain, `[]`, `["ws://`+elsewhere+`/","websocket"]`, 1), packets: home, matches: never}, "GET websocket again"},
		"upgrades that are no texts":        {&hostile{open: strings.Replace(plain, `[]`, `[17,{"url":"ws://`+elsewhere+`"}]`, 1), packets: home, matches: never}, "GET polling"},
		"members of CONNECT":                {&hostile{open: plain, packets: `40{"sid":"x","pid":"http://` + elsewhere + `","url":"http://` + elsewhere + `","nsp":"http://` + elsewhere + `/"}`, matches: never}, "GET polling again"},
		"a namespace that is an address":    {&hostile{open: plain, packets: "40http://" + elsewhere + `/,{"sid":"y"}` + "\x1e" + home, matches: never}, "GET polling again"},
		"an event that looks like an order": {&hostile{open: plain, packets: home + "\x1e" + `42["redirect","http://` + elsewhere + `"]` + "\x1e" + `42["reconnect",{"url":"http://` + elsewhere + `"}]`, matches: never}, "GET polling again"},
		"redirect of the handshake":         {&hostile{redirect: http.StatusFound, matches: func(r *http.Request) bool { return !r.URL.Query().Has("sid") }}, "GET polling"},
		"permanent redirect":                {&hostile{redirect: http.StatusPermanentRedirect, matches: func(r *http.Request) bool { return !r.URL.Query().Has("sid") }}, "GET polling"},
		"redirect of a poll":                {&hostile{open: plain, redirect: http.StatusTemporaryRedirect, matches: func(r *http.Request) bool { return r.Method == http.MethodGet && r.URL.Query().Has("sid") }}, "GET polling again"},
		"redirect of a POST":                {&hostile{open: plain, packets: home, redirect: http.StatusTemporaryRedirect, matches: func(r *http.Request) bool { return r.Method == http.MethodPost }}, "POST polling again"},
		"redirect of a POST to a GET":       {&hostile{open: plain, packets: home, redirect: http.StatusSeeOther, matches: func(r *http.Request) bool { return r.Method == http.MethodPost }}, "POST polling again"},
		"redirect of the upgrade":           {&hostile{open: strings.Replace(plain, `[]`, `["websocket"]`, 1), packets: home, redirect: http.StatusFound, matches: func(r *http.Request) bool { return r.URL.Query().Get("transport") == "websocket" }}, "GET websocket again"},
	} {
		t.Run(name, func(t *testing.T) {
			h := test.hostile
			h.asked = map[string]int{}
			ts := httptest.NewServer(h)
			t.Cleanup(ts.Close)
			host := strings.TrimPrefix(ts.URL, "http://")
			d := &dials{}
			c := newClient(t, ts.URL, client.Options{HTTP: d.http(), ReconnectAttempts: 2, ReconnectDelay: time.Millisecond})
			err := c.Connect(within(t))
			if err == nil {
				_ = c.Emit("something", "to send")
			}
			for end := time.Now().Add(patience); !h.asks(test.want); time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("%q was never asked for; Connect: %v", test.want, err)
				}
			}
			if h.redirect != 0 && test.want != "GET websocket again" { // an upgrade that fails is nobody's error
				if err == nil {
					err = c.Wait()
				}
				if err == nil || !strings.Contains(err.Error(), "redirect") {
					t.Errorf("the error hides the redirect: %v", err)
				}
			}
			_ = c.Close()
			d.want(t, host)
		})
	}
	for _, status := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		h := &hostile{redirect: status, matches: func(*http.Request) bool { return true }, asked: map[string]int{}}
		ts := httptest.NewServer(h)
		d := &dials{}
		err := newClient(t, ts.URL, client.Options{HTTP: d.http(), Transports: wsOnly}).Connect(within(t))
		var refused *engineio.DialError
		if !errors.As(err, &refused) || refused.Status != status || !strings.Contains(err.Error(), "redirect") {
			t.Errorf("WebSocket, %d: %v", status, err)
		}
		u, _ := url.Parse(ts.URL)
		d.want(t, u.Host)
		ts.Close()
	}
}
