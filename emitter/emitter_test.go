package emitter_test

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/cluster/membus"
	"github.com/siokit/siokit/emitter"
	"github.com/siokit/siokit/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

const patience = 30 * time.Second

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// listen returns what is published on a hub.
func listen(t *testing.T, hub *membus.Hub) <-chan string {
	t.Helper()
	seen := make(chan string, 1000)
	bus := hub.Bus()
	check(t, bus.Subscribe(t.Context(), func(msg []byte) { seen <- string(msg) }))
	t.Cleanup(func() { _ = bus.Close(context.Background()) })
	return seen
}

func receive(t *testing.T, seen <-chan string) string {
	t.Helper()
	select {
	case msg := <-seen:
		return msg
	case <-time.After(patience):
		t.Fatal("nothing was published")
		return ""
	}
}

// sid is a socket id.
var sid = strings.Repeat("S", 20)

// What goes over the bus is what python-socketio reads, beside the key "go" that it ignores.
func TestWire(t *testing.T) {
	var hub membus.Hub
	seen := listen(t, &hub)
	em := emitter.New(hub.Bus(), emitter.Options{})
	ctx := t.Context()
	base := em.Of("orders").To("a")
	for _, row := range []struct {
		send func() error
		want string
	}{
		{func() error { return em.Emit(ctx, "e") },
			`{"method":"emit","namespace":"/","event":"e","data":[],"binary":false,"room":null,"skip_sid":null} {}`},
		{func() error { return base.To("b").Emit(ctx, "e", "<", nil, 1) },
			`{"method":"emit","namespace":"/orders","event":"e","data":["<",null,1],"binary":false,"room":["a","b"],"skip_sid":null} {}`},
		{func() error { return base.Except(sid).Send(ctx, map[string]any{"b": []byte{1, 2}}) },
			`{"method":"emit","namespace":"/orders","event":"message","data":[[{"b":{"_placeholder":true,"num":0}}],"AQI="],"binary":true,"room":"a","skip_sid":["` + sid + `"]} {}`},
		{func() error { return base.Except("room").Volatile().Compress(false).Emit(ctx, "e") },
			`{"method":"go.emit","namespace":"/orders","event":"e","data":[],"binary":false,"room":"a","skip_sid":null} {"except":["room"],"volatile":true,"plain":true}`},
		{func() error { return base.Compress(false).Compress(true).Emit(ctx, "e") }, // base has not changed
			`{"method":"emit","namespace":"/orders","event":"e","data":[],"binary":false,"room":"a","skip_sid":null} {}`},
		{func() error { return em.To(sid).Join(ctx, "r") },
			`{"method":"enter_room","namespace":"/","binary":false,"room":"r","sid":"` + sid + `"} {}`},
		{func() error { return em.To(sid).Leave(ctx, "r") },
			`{"method":"leave_room","namespace":"/","binary":false,"room":"r","sid":"` + sid + `"} {}`},
		{func() error { return em.To(sid).Disconnect(ctx) },
			`{"method":"disconnect","namespace":"/","binary":false,"sid":"` + sid + `"} {}`},
		{func() error { return em.Of("/x").CloseRoom(ctx, "r") },
			`{"method":"close_room","namespace":"/x","binary":false,"room":"r"} {}`},
		{func() error { return em.To("r").Join(ctx, "s") },
			`{"method":"go.join","namespace":"/","binary":false,"room":"r","skip_sid":null} {"rooms":["s"]}`},
		{func() error { return em.Everybody().Leave(ctx, "s") },
			`{"method":"go.leave","namespace":"/","binary":false,"room":null,"skip_sid":null} {"rooms":["s"]}`},
		{func() error { return em.To("r").DisconnectAll(ctx) },
			`{"method":"go.disconnect","namespace":"/","binary":false,"room":"r","skip_sid":null} {"transport":true}`},
		{func() error { return em.Of("/x").ServerEmit(ctx, "reload", 1) },
			`{"method":"go.server_emit","namespace":"/x","event":"reload","data":[1],"binary":false,"room":null,"skip_sid":null} {}`},
		{func() error { return em.Announce(ctx, []byte("x")) },
			`{"method":"go.revoke","binary":false} {"blob":"eA=="}`},
		{func() error { return em.Emit(ctx, "end") },
			`{"method":"emit","namespace":"/","event":"end","data":[],"binary":false,"room":null,"skip_sid":null} {}`},
	} {
		check(t, row.send())
		// Nothing else is sent in between: each of these means nobody.
		for _, err := range []error{
			em.To().Emit(ctx, "e"), em.To("").Emit(ctx, "e"), em.To("").Join(ctx, "r"), em.To("").Leave(ctx, "r"),
			em.To("").Disconnect(ctx), em.To().DisconnectAll(ctx), em.To("r").Join(ctx), em.To("r").Leave(ctx, ""),
		} {
			check(t, err)
		}
		if got := plain(t, receive(t, seen)); got != row.want {
			t.Errorf(" got %s\nwant %s", got, row.want)
		}
	}
	if len(seen) > 0 {
		t.Errorf("and more: %s", <-seen)
	}
	check(t, em.Close(ctx))
}

var (
	extension = regexp.MustCompile(`,"go":(\{.*\})\}$`)
	host      = regexp.MustCompile(`"host_id":"[0-9a-f]{32}",`)
	seq       = regexp.MustCompile(`"seq":\d+,?`)
)

// plain puts what siokit adds behind the message, without what is different each time.
func plain(t *testing.T, msg string) string {
	t.Helper()
	found := extension.FindStringSubmatch(msg)
	if found == nil || !host.MatchString(msg) || !seq.MatchString(msg) {
		t.Fatalf("not a numbered message: %s", msg)
	}
	return host.ReplaceAllString(strings.Replace(msg, found[0], "}", 1), "") + " " + seq.ReplaceAllString(found[1], "")
}

func TestLegacyData(t *testing.T) {
	var hub membus.Hub
	seen := listen(t, &hub)
	em := emitter.New(hub.Bus(), emitter.Options{LegacyData: true})
	check(t, em.Emit(t.Context(), "e", "x"))
	if got := receive(t, seen); !strings.Contains(got, `"data":"x"`) {
		t.Error(got)
	}
	check(t, em.Close(t.Context()))
}

// What cannot be sent is an error, and nothing is sent then.
func TestRefuses(t *testing.T) {
	var hub membus.Hub
	seen := listen(t, &hub)
	em := emitter.New(hub.Bus(), emitter.Options{MaxAttachments: 1})
	ctx := t.Context()
	ended, end := context.WithCancelCause(ctx)
	late := errors.New("too late")
	end(late)
	for name, row := range map[string]struct {
		err  error
		want string
	}{
		"reserved":      {em.Emit(ctx, "connect"), "reserved"},
		"reserved too":  {em.ServerEmit(ctx, "disconnect"), "reserved"},
		"NaN":           {em.Emit(ctx, "e", 1, math.NaN()), "argument 2"},
		"channel":       {em.To("").Emit(ctx, "e", make(chan int)), "argument 1"},
		"attachments":   {em.Emit(ctx, "e", []byte{1}, []byte{2}), "1"},
		"placeholder":   {em.Emit(ctx, "e", []byte{1}, map[string]any{"_placeholder": true, "num": 7}), "_placeholder"},
		"too large":     {em.Emit(ctx, "e", strings.Repeat("x", cluster.MaxMessage)), "send less"},
		"empty room":    {em.To("r").Join(ctx, "s", ""), "room needs a name"},
		"no room":       {em.CloseRoom(ctx, ""), "room needs a name"},
		"ended context": {em.Emit(ended, "e"), "too late"},
		"short key":     {emitter.New(hub.Bus(), emitter.Options{Key: []byte("short")}).Emit(ctx, "e"), "16 bytes"},
	} {
		if row.err == nil || !strings.HasPrefix(row.err.Error(), "emitter: ") || !strings.Contains(row.err.Error(), row.want) {
			t.Errorf("%s: %v", name, row.err)
		}
	}
	check(t, em.Emit(ctx, "first"))
	if got := receive(t, seen); !strings.Contains(got, `"first"`) || !strings.Contains(got, `"seq":1`) {
		t.Errorf("after the errors came %s", got) // and no number was used up
	}
	check(t, em.Close(ctx))
	check(t, em.Close(ctx))
	if err := em.Emit(ctx, "e"); !errors.Is(err, cluster.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// slowBus is a broker that takes nothing before Close.
type slowBus struct {
	cluster.Bus
	queue   []string
	flushed chan []string
}

func (b *slowBus) Publish(msg []byte) error { b.queue = append(b.queue, string(msg)); return nil }
func (b *slowBus) Close(context.Context) error {
	b.flushed <- b.queue
	return errors.New("one was lost")
}

func TestCloseFlushes(t *testing.T) {
	bus := &slowBus{flushed: make(chan []string, 1)}
	em := emitter.New(bus, emitter.Options{})
	check(t, em.Emit(t.Context(), "a"))
	check(t, em.To("r").Emit(t.Context(), "b"))
	if err := em.Close(t.Context()); err == nil || err.Error() != "one was lost" {
		t.Errorf("Close: %v", err)
	}
	if got := <-bus.flushed; len(got) != 2 || !strings.Contains(got[1], `"b"`) {
		t.Errorf("handed over: %q", got)
	}
}

func TestWhileTheBrokerIsAway(t *testing.T) {
	var hub membus.Hub
	em := emitter.New(hub.Bus(), emitter.Options{})
	check(t, em.Healthy())
	hub.SetDown(true)
	check(t, em.Emit(t.Context(), "lost"))
	if err := em.Healthy(); !errors.Is(err, membus.ErrDown) {
		t.Errorf("Healthy: %v", err)
	}
	if n := em.Dropped(); n != 1 {
		t.Errorf("%d dropped", n)
	}
	check(t, em.Close(t.Context()))
}

var discard = slog.New(slog.DiscardHandler)
