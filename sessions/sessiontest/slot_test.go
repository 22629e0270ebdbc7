package sessiontest_test

import (
	"context"
	"log/slog"
	"net/http"
	"testing"

	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/sessions"
)

// One event sees one state, however often and through whichever context it asks; core must give every Context a
// place for it under sessions.EventKey.
func TestOneStateInOneEvent(t *testing.T) {
	store := ginRedisStore(t)
	m := manager(t, store, sessions.Shared)
	srv, err := core.New(core.Config{Sessions: m, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", srv)
	mux.Handle("/", gorillaApp(store))
	p := visit(t, mux)
	core.OnCall(srv, "twice", func(c *core.Context, _ core.None) (bool, error) {
		before := sessions.From(c).Get("room")
		p.get("/set?key=room&value=kitchen") // another tab
		derived, cancel := context.WithCancel(c)
		defer cancel()
		return before == "lobby" && sessions.From(derived).Get("room") == "lobby", nil
	})
	t.Cleanup(func() {
		if err := srv.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	p.get("/set?key=room&value=lobby")
	s := p.open()
	if got := s.call(`["twice"]`); got != `[true]` {
		t.Errorf("first event: one state is %s", got)
	}
	p.get("/set?key=room&value=lobby")
	if got := s.call(`["twice"]`); got != `[true]` {
		t.Errorf("second event: one state is %s", got)
	}
	s.close()
}
