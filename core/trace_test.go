package core_test

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/siokit/siokit/core"
)

// Engine.IO and Socket.IO have a level each, as engineio_logger and logger of Flask-SocketIO.
func TestLevelsOfTheTwoLoggers(t *testing.T) {
	for _, row := range []struct{ engine, socket slog.Level }{
		{slog.LevelDebug, slog.LevelError},
		{slog.LevelError, slog.LevelDebug},
		{slog.LevelDebug, slog.LevelDebug},
	} {
		t.Run(row.engine.String()+" and "+row.socket.String(), func(t *testing.T) {
			var engine, socket logBuffer
			at := func(w *logBuffer, level slog.Level) *slog.Logger {
				return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
			}
			a := serve(t, core.Config{EngineLogger: at(&engine, row.engine), Logger: at(&socket, row.socket),
				AllowRequest: func(r *http.Request) error {
					if r.URL.Query().Has("stranger") {
						return errors.New("no strangers")
					}
					return nil
				}})
			if _, status, err := a.tryDial("polling", func(_ http.Header, q *string) { *q += "&stranger" }); status != http.StatusForbidden {
				t.Fatalf("%d %v", status, err)
			}
			p := a.dial("websocket")
			id := p.join("/", "")
			p.send(`2["nobody handles this"]`)
			p.wantAlive()
			p.send("1")
			p.kill()
			eventually(t, "the client is gone", func() bool { return a.Clients() == 0 })
			check := func(name, text string, level slog.Level, lines ...string) {
				t.Helper()
				for _, line := range lines {
					if got, want := strings.Contains(text, line), level == slog.LevelDebug; got != want {
						t.Errorf("%s at %s: %q: %t in\n%s", name, level, line, got, text)
					}
				}
			}
			var e, s string
			eventually(t, "both have been written to", func() bool {
				e, s = e+engine.take(), s+socket.take()
				return (row.engine != slog.LevelDebug || strings.Contains(e, "closed")) && (row.socket != slog.LevelDebug || strings.Contains(s, "disconnected"))
			})
			check("engine", e, row.engine, "request refused", "a connection opened", "transport=websocket", "a connection closed", `reason="transport close"`)
			check("socket", s, row.socket, "a client connected", "socket="+id, "event without a handler", "a client disconnected", `reason="client namespace disconnect"`)
			if strings.Contains(e, id) || strings.Contains(s, "transport=") || strings.Contains(s, "request refused") {
				t.Errorf("one logger writes what is the other's:\n%s\n%s", e, s)
			}
		})
	}
}

// The first of a kind is an error where client or set-up is wrong, a warning where somebody decided so.
func TestRepeatedRefusalsAreLoggedOnce(t *testing.T) {
	var log logBuffer
	logger := slog.New(slog.NewTextHandler(&log, nil)) // Info: the next ones do not show
	a := serve(t, core.Config{EngineLogger: logger, AllowRequest: func(r *http.Request) error {
		if r.URL.Query().Has("stranger") {
			return errors.New("no strangers")
		}
		return nil
	}})
	for name, ask := range map[string]struct {
		query, origin, level string
	}{
		"unknown session":   {query: "&sid=none", level: "ERROR"},
		"foreign page":      {origin: "https://evil.example", level: "ERROR"},
		"another page":      {origin: "https://more-evil.example", level: "ERROR"},
		"unknown transport": {query: "&transport=pigeon", level: "ERROR"},
		"AllowRequest":      {query: "&stranger", level: "WARN"},
	} {
		for range 3 {
			r, _ := http.NewRequest(http.MethodGet, a.ts.URL+"/socket.io/?EIO=4"+ask.query, nil)
			if !strings.Contains(ask.query, "transport") {
				r.URL.RawQuery += "&transport=polling"
			}
			if ask.origin != "" {
				r.Header.Set("Origin", ask.origin)
			}
			resp, err := a.ts.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
		}
		if text := log.take(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "level="+ask.level) {
			t.Errorf("%s: %s", name, text)
		}
	}
}
