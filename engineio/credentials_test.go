package engineio_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/siokit/siokit/engineio"
)

// A-21, H-31: who knows a session id is not yet who opened it.
func TestSessionOfAnother(t *testing.T) {
	r := serve(t, engineio.Config{Authorize: func(c *engineio.Conn, req *http.Request) error {
		if user, err := req.Cookie("user"); err != nil || user.Value != "alice" {
			return errors.New("the session belongs to somebody else")
		}
		return nil
	}})
	sid, s := r.openAs(t)
	poll := r.dial(t)
	poll.put(rawRequest("GET", polling+"&sid="+sid, "", "Cookie: user=alice"))
	eventually(t, "parked", func() bool { return parked(s) })
	refused := r.srv.Stats().Refused
	attackers := map[string][]string{"another user": {"Cookie: user=bob"}, "nobody": nil, "foreign origin": {"Cookie: user=alice", "Origin: http://evil.test"}}
	for name, header := range attackers {
		t.Run(name, func(t *testing.T) {
			r.request(t, "GET", polling+"&sid="+sid, header...).wantForbidden(t)
			for _, body := range []string{"41", `42["x"]`, "1"} {
				w := r.dial(t)
				w.put(rawRequest("POST", polling+"&sid="+sid, body, header...))
				w.answer("POST").wantForbidden(t)
			}
			r.request(t, "GET", webSocket+"&sid="+sid, withUpgrade(header...)...).wantForbidden(t)
			s.wantOpen(t)
			s.wantMessages(t)
			if !parked(s) || engineio.Probing(s.conn) {
				t.Error("the owner's poll was disturbed")
			}
		})
	}
	if got := r.srv.Stats().Refused - refused; got != 5*3 {
		t.Errorf("%d refusals counted, want 15", got)
	}
	_ = s.send("for alice")
	poll.answer("GET").want(t, 200, "4for alice")
	ws, a := r.dial(t).handshake(webSocket+"&sid="+sid, "Cookie: user=alice")
	if a.status != 101 {
		t.Fatalf("the owner: %d %s", a.status, a.body)
	}
	ws.send("2probe")
	ws.wantText("3probe")
}

// the id is a secret that stands in the OPEN packet only.
func TestSessionIDIsNotShown(t *testing.T) {
	var logs logBuffer
	var causes strings.Builder
	cfg := engineio.Config{
		Logger:  slog.New(slog.NewTextHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Refused: func(_ *http.Request, err *engineio.Error) { causes.WriteString(err.Error() + "\n") },
	}
	r := serve(t, cfg)
	for range 100 {
		w := r.dial(t)
		w.put(rawRequest("GET", polling, ""))
		a := w.answer("GET")
		sid := parseOpen(t, a.body).SID
		s := r.session(sid)
		var seen bytes.Buffer
		see := func(a answer) {
			seen.WriteString(a.body)
			_ = a.header.Write(&seen)
		}
		_ = a.header.Write(&seen)
		_ = s.send("hello")
		see(r.request(t, "GET", polling+"&sid="+sid))
		see(r.request(t, "PUT", polling+"&sid="+sid))
		see(r.request(t, "GET", polling+"&sid="+sid+"&sid=x"))
		see(r.request(t, "GET", "EIO=3&transport=polling&sid="+sid))
		see(r.request(t, "GET", polling+"&sid="+sid, "Origin: http://evil.test"))
		see(r.request(t, "POST", polling+"&sid="+sid, "Content-Type: application/octet-stream"))
		see(r.request(t, "GET", polling+"&sid="+sid)) // unknown now
		s.wantClosed(t, engineio.TransportError)
		if strings.Contains(seen.String()+logs.String()+causes.String()+r.logs.String(), sid) {
			t.Fatalf("the session id is shown in:\n%s\n%s\n%s", &seen, logs.String(), &causes)
		}
	}
}

// What the application sees of a connection.
func TestConnContext(t *testing.T) {
	type key struct{}
	var conn *engineio.Conn
	var r *rig
	r = serve(t, engineio.Config{Accept: func(c *engineio.Conn, req *http.Request) (engineio.Receiver, error) {
		conn = c
		if c.Receiver() != nil || req.Context() != c.Context() {
			t.Error("while Accept runs there is no Receiver, and the request has the connection's context")
		}
		return newSession(c, nil), nil
	}}, httpServer(func(s *http.Server) {
		s.Handler = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			r.srv.ServeHTTP(w, req.WithContext(context.WithValue(req.Context(), key{}, "from middleware")))
		})
	}))
	ws, a := r.dial(t).handshake(webSocket)
	if a.status != 101 {
		t.Fatal(a.status)
	}
	ws.text()
	ctx := conn.Context()
	if ctx.Err() != nil || ctx.Value(key{}) != "from middleware" {
		t.Errorf("error %v, value %v", ctx.Err(), ctx.Value(key{}))
	}
	_ = ws.Close()
	<-ctx.Done()
	var closed *engineio.CloseError
	if err := context.Cause(ctx); !errors.As(err, &closed) || closed.Reason != engineio.TransportClose {
		t.Errorf("cause %v", err)
	}
}
