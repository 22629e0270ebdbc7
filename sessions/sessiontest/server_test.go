package sessiontest_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/sessions"
)

// eventContext is the context of one socket event, as core makes one.
type eventContext struct {
	context.Context
	session atomic.Value
}

func (c *eventContext) Value(key any) any {
	if key == sessions.EventKey {
		return &c.session
	}
	return c.Context.Value(key)
}

// A whole server over Redis, with the existing application's own session code beside it. By the time the ack is
// there, the write is.
func TestSharedThroughAServer(t *testing.T) {
	store := ginRedisStore(t)
	m := manager(t, store, sessions.Shared)
	srv, err := core.New(core.Config{Sessions: m, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	core.OnCall(srv, "set", func(c *core.Context, in core.Args2[string, string]) (bool, error) {
		return true, sessions.From(c).Set(in.A, in.B)
	})
	core.OnCall(srv, "fail", func(c *core.Context, in core.Args2[string, string]) (bool, error) {
		return false, errors.Join(sessions.From(c).Set(in.A, in.B), errors.New("the handler failed all the same"))
	})
	core.OnCall(srv, "get", func(c *core.Context, key string) (string, error) {
		derived, cancel := context.WithCancel(c)
		defer cancel()
		value, _ := sessions.Get[string](derived, key)
		return value, nil
	})
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", srv)
	mux.Handle("/", gorillaApp(store))
	p := visit(t, mux)
	t.Cleanup(func() {
		if err := srv.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})

	p.get("/set?key=user&value=ada")
	s := p.open()
	if got := s.call(`["get","user"]`); got != `["ada"]` {
		t.Errorf("the socket sees %s", got)
	}
	if got := s.call(`["set","room","lobby"]`); got != `[true]` {
		t.Errorf("set was answered %s", got)
	}
	if got := p.get("/get?key=room"); got != "lobby" {
		t.Errorf("HTTP sees room = %q after the ack", got)
	}
	s.call(`["fail","failed","saved"]`)
	if got := p.get("/get?key=failed"); got != "saved" {
		t.Errorf("HTTP sees failed = %q: the write of a handler that failed is lost", got)
	}
	p.get("/set?key=room&value=kitchen")
	if got := s.call(`["get","room"]`); got != `["kitchen"]` {
		t.Errorf("the next event sees %s", got)
	}
	s.close()
}

// polling is a Socket.IO client on the default namespace, by hand.
type polling struct {
	p    *page
	path string
}

func (p *page) open() *polling {
	p.t.Helper()
	open := p.get("/socket.io/?EIO=4&transport=polling")
	_, rest, _ := strings.Cut(open, `"sid":"`)
	sid, _, ok := strings.Cut(rest, `"`)
	if !ok {
		p.t.Fatalf("no sid in %s", open)
	}
	s := &polling{p, "/socket.io/?EIO=4&transport=polling&sid=" + sid}
	s.post("40")
	if got := p.get(s.path); !strings.HasPrefix(got, "40{") {
		p.t.Fatalf("connect was answered %s", got)
	}
	return s
}

func (s *polling) post(packet string) {
	s.p.t.Helper()
	resp, err := s.p.c.Post(s.p.url+s.path, "text/plain;charset=UTF-8", strings.NewReader(packet))
	if err != nil {
		s.p.t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); string(body) != "ok" {
		s.p.t.Fatalf("%s was answered %d %s", packet, resp.StatusCode, body)
	}
}

// call sends an event and returns the arguments of its ack.
func (s *polling) call(event string) string {
	s.p.t.Helper()
	s.post("421" + event)
	got, ok := strings.CutPrefix(s.p.get(s.path), "431")
	if !ok {
		s.p.t.Fatalf("%s was answered %s", event, got)
	}
	return got
}

func (s *polling) close() {
	s.p.t.Helper()
	s.post("1")
}
