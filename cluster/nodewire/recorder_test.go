package nodewire_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/cluster/nodewire"
	"github.com/siokit/siokit/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// recorder is a server that writes down what it is told.
type recorder struct {
	calls   chan string
	answers []cluster.Reply
	sockets []cluster.Socket
	panics  bool
}

func (r *recorder) record(what string, a cluster.Audience, rest ...any) {
	to := "*"
	if !a.All {
		to = fmt.Sprintf("rooms=%v", a.Rooms)
	}
	if len(a.Except) > 0 {
		to += fmt.Sprintf(" except=%v", a.Except)
	}
	r.calls <- strings.TrimSpace(fmt.Sprintln(append([]any{what, a.Namespace, to}, rest...)...))
}

func (r *recorder) Emit(e *cluster.Emit) {
	if r.panics {
		panic("in Emit")
	}
	rest := []any{string(e.Data)}
	for _, a := range e.Attachments {
		rest = append(rest, "+", hex.EncodeToString(a))
	}
	if e.Volatile {
		rest = append(rest, "volatile")
	}
	if e.Plain {
		rest = append(rest, "plain")
	}
	r.record("emit "+e.Event, e.Audience, rest...)
}
func (r *recorder) Join(a cluster.Audience, rooms []string)  { r.record("join", a, rooms) }
func (r *recorder) Leave(a cluster.Audience, rooms []string) { r.record("leave", a, rooms) }
func (r *recorder) Disconnect(a cluster.Audience, transport bool) {
	r.record("disconnect", a, transport)
}
func (r *recorder) Revoked(data []byte) { r.calls <- "revoked " + string(data) }
func (r *recorder) Fetch(a cluster.Audience) (found []cluster.Socket) {
	for _, s := range r.sockets {
		if a.All || slices.ContainsFunc(a.Rooms, func(room string) bool { return room == s.ID || slices.Contains(s.Rooms, room) }) {
			found = append(found, s)
		}
	}
	return found
}
func (r *recorder) Count(a cluster.Audience) int { return len(r.Fetch(a)) }
func (r *recorder) Has(_, sid string) bool {
	return r.Count(cluster.Audience{Rooms: []string{sid}}) > 0
}
func (r *recorder) ServerEvent(_ context.Context, from string, e *cluster.Emit) (cluster.Reply, bool) {
	r.calls <- "server event " + from + " " + e.Namespace + " " + e.Event + " " + string(e.Data)
	return cluster.Reply{Data: e.Data, Attachments: e.Attachments}, e.Event != "unknown"
}

func (r *recorder) Gather(ctx context.Context, e *cluster.Emit, each func(cluster.Reply)) (wait func()) {
	r.record("gather "+e.Event, e.Audience, string(e.Data))
	return func() {
		for _, a := range r.answers {
			each(a)
		}
	}
}

func (r *recorder) next(t *testing.T) string {
	t.Helper()
	select {
	case call := <-r.calls:
		return call
	case <-time.After(patience):
		t.Fatal("waited in vain for a call")
		return ""
	}
}

func (r *recorder) want(t *testing.T, calls ...string) {
	t.Helper()
	for _, want := range calls {
		if got := r.next(t); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func client(t testing.TB, addr string) *redis.Client {
	rdb := redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

// member starts an adapter on a server of its own.
func member(t *testing.T, addr string, opts nodewire.Options) (*nodewire.Adapter, *recorder) {
	t.Helper()
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	a := nodewire.New(client(t, addr), opts)
	r := &recorder{calls: make(chan string, 10_000)}
	check(t, a.Start(t.Context(), r))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := a.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return a, r
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func all(namespace string) cluster.Audience { return cluster.Audience{Namespace: namespace, All: true} }
