package engineio_test

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/siokit/siokit/engineio"
)

// tagging sets a header in each hook that says which request it answers.
func tagging() engineio.Config {
	return engineio.Config{
		Headers: func(h http.Header, r *http.Request) { h.Add("X-All", r.Method) },
		InitialHeaders: func(h http.Header, r *http.Request) {
			h.Add("X-First", r.URL.Query().Get("transport"))
			h.Add("Set-Cookie", "seen=1; Path=/")
			h.Set("Connection", "close") // what the protocol itself answers is not theirs
			h.Set("Sec-WebSocket-Extensions", "made-up")
			h.Set("X-Split", "a\r\nX-Evil: b")
		},
	}
}

func TestHeaderHooks(t *testing.T) {
	r := serve(t, tagging(), receiving(echo))
	want := func(t *testing.T, a answer, status int, all, first string) {
		t.Helper()
		h := a.header
		if a.status != status || strings.Join(h["X-All"], ",") != all || strings.Join(h["X-First"], ",") != first || h.Get("X-Evil") != "" {
			t.Errorf("%d %v, want %d with X-All %q and X-First %q", a.status, h, status, all, first)
		}
		if got := h.Get("Set-Cookie") != ""; got != (first != "") {
			t.Errorf("Set-Cookie %q", h["Set-Cookie"])
		}
	}
	t.Run("polling", func(t *testing.T) {
		a := r.request(t, "GET", polling)
		want(t, a, 200, "GET", "polling")
		sid := parseOpen(t, a.body).SID
		want(t, r.post(t, sid, "4x"), 200, "POST", "")
		want(t, r.get(t, sid), 200, "GET", "")
		want(t, r.request(t, "PUT", polling+"&sid="+sid), 400, "PUT", "")
		want(t, r.request(t, "GET", polling, "Origin: http://evil.test"), 403, "GET", "")
		ws, a := r.dial(t).handshake(webSocket + "&sid=" + sid)
		want(t, a, 101, "GET", "")
		ws.send("2probe")
		ws.wantText("3probe")
		ws.send("5")
		ws.wantEcho("upgraded")
	})
	t.Run("websocket", func(t *testing.T) {
		ws, a := r.dial(t).handshake(webSocket)
		want(t, a, 101, "GET", "websocket")
		if a.header.Get("Connection") != "Upgrade" || a.header.Get("Sec-WebSocket-Extensions") != "" {
			t.Errorf("%v", a.header)
		}
		ws.text()
		ws.wantEcho("alive")
		_, a = r.dial(t).handshake(webSocket + "&sid=unknown")
		want(t, a, 400, "GET", "")
	})
}

// F-13: a panic answers 500, leaves no session behind, and shows nothing of itself.
func TestHooksPanic(t *testing.T) {
	for name, cfg := range map[string]engineio.Config{
		"Headers":        {Headers: func(http.Header, *http.Request) { panic("secret") }},
		"InitialHeaders": {InitialHeaders: func(http.Header, *http.Request) { panic("secret") }},
		"NewID":          {NewID: func(*http.Request) (string, error) { panic("secret") }},
	} {
		t.Run(name, func(t *testing.T) {
			own := &logBuffer{}
			cfg.Logger = slog.New(slog.NewTextHandler(own, nil))
			r := serve(t, cfg)
			for _, a := range []answer{r.request(t, "GET", polling), r.request(t, "GET", webSocket, upgradeHeaders...)} {
				a.wantRefused(t, 500, 3, "Internal server error")
			}
			if log := own.String(); strings.Count(log, "Config."+name+" panicked") != 2 || !strings.Contains(log, "headerhooks_test.go") {
				t.Errorf("the log does not say where:\n%s", log)
			}
			eventually(t, "no session", func() bool { return r.srv.Stats().Connections == 0 })
			if s := r.last(); s != nil {
				s.wantClosed(t, engineio.ForcedClose)
			}
		})
	}
	t.Run("ErrAbortHandler", func(t *testing.T) {
		r := serve(t, engineio.Config{Headers: func(http.Header, *http.Request) { panic(http.ErrAbortHandler) }})
		w := r.dial(t)
		w.put(rawRequest("GET", polling, ""))
		if _, err := w.tryAnswer("GET"); err == nil {
			t.Error("answered")
		}
	})
}

func TestInitialPacket(t *testing.T) {
	cfg := engineio.Config{InitialPacket: message("welcome", []byte{1})}
	r := serve(t, cfg, receiving(echo))
	t.Run("polling", func(t *testing.T) {
		for range 2 {
			a := r.get(t, "")
			packets := strings.Split(a.body, "\x1e")
			if len(packets) != 3 || packets[1] != "4welcome" || packets[2] != "bAQ==" {
				t.Fatalf("%q", a.body)
			}
			r.alive(t, parseOpen(t, packets[0]).SID)
		}
	})
	t.Run("websocket", func(t *testing.T) {
		ws, _ := r.ws(t)
		ws.wantText("4welcome")
		ws.want(opBinary, "\x01")
		ws.wantEcho("alive")
	})
}

func TestNewID(t *testing.T) {
	good := strings.Repeat("A", 20) + "-_.~" + "0"
	var next string
	var failure error
	r := serve(t, engineio.Config{NewID: func(*http.Request) (string, error) { return next, failure }}, receiving(echo))
	both := func(t *testing.T, check func(a answer)) {
		t.Helper()
		before := r.accepted()
		check(r.request(t, "GET", polling))
		check(r.request(t, "GET", webSocket, upgradeHeaders...))
		if n := r.accepted(); n != before {
			t.Errorf("%d sessions made", n-before)
		}
	}
	for name, id := range map[string]string{
		"empty": "", "short": strings.Repeat("a", 21), "long": strings.Repeat("a", 129), "space": good + " ",
		"newline": good + "\n", "slash": good + "/", "ampersand": good + "&x=1", "percent": good + "%41", "letters beyond ASCII": good + "é", "NUL": good + "\x00",
	} {
		t.Run(name, func(t *testing.T) {
			next = id
			both(t, func(a answer) { a.wantBadRequest(t) })
		})
	}
	t.Run("error", func(t *testing.T) {
		next, failure = good, errors.New("no entropy")
		both(t, func(a answer) { a.wantBadRequest(t) })
		failure = nil
	})
	t.Run("duplicate", func(t *testing.T) {
		for _, id := range []string{good, strings.Repeat("b", 22), strings.Repeat("c", 128)} {
			next = id
			sid, s := r.open(t)
			if sid != id {
				t.Fatalf("the session's id is %q", sid)
			}
			both(t, func(a answer) { a.wantRefused(t, 409, 3, "Bad request") })
			s.wantOpen(t)
			r.alive(t, sid) // nothing of it was taken or removed
			r.post(t, sid, "1")
			r.gone(t, sid)
			ws, s := r.ws(t) // free again
			both(t, func(a answer) { a.wantRefused(t, 409, 3, "Bad request") })
			ws.wantEcho("alive")
			s.wantOpen(t)
		}
	})
	if strings.Contains(r.logs.String(), good) {
		t.Error("an id was logged")
	}
}

// http.ErrAbortHandler ends the request without an answer, and with it the session that nobody knows of.
func TestHookAborts(t *testing.T) {
	r := serve(t, engineio.Config{InitialHeaders: func(http.Header, *http.Request) { panic(http.ErrAbortHandler) }})
	for _, query := range []string{polling, webSocket} {
		w := r.dial(t)
		header := upgradeHeaders
		if query == polling {
			header = nil
		}
		w.put(rawRequest("GET", query, "", header...))
		w.wantEOF()
		eventually(t, "the session is gone", func() bool { return r.srv.Stats().Connections == 0 })
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.order {
		s.wantClosed(t, engineio.ForcedClose)
	}
}
