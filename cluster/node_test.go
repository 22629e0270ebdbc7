package cluster_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/cluster/membus"
	"github.com/siokit/siokit/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

const patience = 30 * time.Second

// recorder is a server that writes down what it is told.
type recorder struct {
	calls   chan string
	answers []cluster.Reply
	sockets []cluster.Socket
	hang    bool // Gather does not end before its context
}

func (r *recorder) record(what string, a cluster.Audience, rest ...any) {
	to := "*"
	if !a.All {
		to = fmt.Sprintf("rooms=%v", a.Rooms)
	}
	if len(a.Except) > 0 {
		to += fmt.Sprintf(" except=%v", a.Except)
	}
	r.calls <- strings.TrimSpace(fmt.Sprintln(append([]any{what, to}, rest...)...))
}

func (r *recorder) Emit(e *cluster.Emit) {
	rest := []any{string(e.Data)}
	for _, a := range e.Attachments {
		rest = append(rest, "+", hex.EncodeToString(a))
	}
	if e.Volatile {
		rest = append(rest, "volatile")
	}
	r.record("emit "+e.Namespace+" "+e.Event, e.Audience, rest...)
}
func (r *recorder) Join(a cluster.Audience, rooms []string) { r.record("join "+a.Namespace, a, rooms) }
func (r *recorder) Leave(a cluster.Audience, rooms []string) {
	r.record("leave "+a.Namespace, a, rooms)
}
func (r *recorder) Disconnect(a cluster.Audience, transport bool) {
	r.record("disconnect "+a.Namespace, a, transport)
}
func (r *recorder) Revoked(data []byte)                     { r.calls <- "revoked " + string(data) }
func (r *recorder) Fetch(cluster.Audience) []cluster.Socket { return r.sockets }
func (r *recorder) Count(cluster.Audience) int              { return len(r.sockets) }
func (r *recorder) Has(_, sid string) bool                  { return !strings.HasPrefix(sid, "elsewhere") }
func (r *recorder) ServerEvent(_ context.Context, from string, e *cluster.Emit) (cluster.Reply, bool) {
	r.calls <- "server event " + e.Event + " " + string(e.Data)
	return cluster.Reply{Data: e.Data}, true
}

func (r *recorder) Gather(ctx context.Context, e *cluster.Emit, each func(cluster.Reply)) (wait func()) {
	return func() {
		for _, a := range r.answers {
			each(a)
		}
		if r.hang {
			<-ctx.Done()
			each(cluster.Reply{SID: "slow", Err: cluster.TimedOut})
		}
	}
}

func (r *recorder) next(t *testing.T) string {
	t.Helper()
	select {
	case call := <-r.calls:
		return call
	case <-time.After(patience):
		t.Fatal("waited in vain for a message")
		return ""
	}
}

func newNode(t *testing.T, hub *membus.Hub, opts cluster.Options) (*cluster.Node, *recorder) {
	t.Helper()
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	n, err := cluster.NewNode(hub.Bus(), opts)
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{calls: make(chan string, 10_000)}
	if err := n.Start(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := n.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return n, r
}

// pair is a node and a stranger on its bus.
type pair struct {
	hub   membus.Hub
	node  *cluster.Node
	local *recorder
	wire  *membus.Bus
	seen  chan string // what is published
}

func newPair(t *testing.T, opts cluster.Options) *pair {
	p := &pair{seen: make(chan string, 10_000)}
	p.wire = p.hub.Bus()
	if err := p.wire.Subscribe(t.Context(), func(msg []byte) { p.seen <- string(msg) }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.wire.Close(context.Background()) })
	p.node, p.local = newNode(t, &p.hub, opts)
	return p
}

func (p *pair) inject(msg string) { _ = p.wire.Publish([]byte(msg)) }

var ours = regexp.MustCompile(`,"go":\{[^}]*\}`)

// sent returns the node's next message, without hellos and without what only siokit reads.
func (p *pair) sent(t *testing.T) string {
	t.Helper()
	for {
		select {
		case msg := <-p.seen:
			if strings.Contains(msg, `"go.hello"`) || !strings.Contains(msg, `,"go":{`) {
				continue
			}
			return ours.ReplaceAllString(strings.Replace(msg, p.node.ID(), "H", 1), "")
		case <-time.After(patience):
			t.Fatal("waited in vain for a message on the bus")
		}
	}
}

// replay publishes once more the next message that names an event.
func (p *pair) replay(t *testing.T, event string) {
	t.Helper()
	for {
		select {
		case msg := <-p.seen:
			if strings.Contains(msg, `"event":"`+event+`"`) {
				p.inject(msg)
				return
			}
		case <-time.After(patience):
			t.Fatal("nothing to replay")
		}
	}
}

// know waits until nodes know each other.
func know(t *testing.T, n *cluster.Node, others int) {
	t.Helper()
	for deadline := time.Now().Add(patience); len(n.Nodes()) < others; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the node knows %v, want %d others", n.Nodes(), others)
		}
	}
}

func TestNodesTalk(t *testing.T) {
	var hub membus.Hub
	a, atA := newNode(t, &hub, cluster.Options{})
	b, atB := newNode(t, &hub, cluster.Options{})
	know(t, a, 1)
	know(t, b, 1)
	everyone := cluster.Audience{Namespace: "/", All: true}
	some := cluster.Audience{Namespace: "/x", Rooms: []string{"r", "s"}, Except: []string{"t"}}
	a.Emit(&cluster.Emit{Audience: some, Event: "e", Data: []byte("[null]"), Volatile: true})
	a.Join(some, []string{"u"})
	a.Leave(everyone, []string{"u"})
	a.Disconnect(some, true)
	a.Revoke([]byte("token 7"))
	check(t, a.ServerEmit(t.Context(), &cluster.Emit{Audience: everyone, Event: "ping", Data: []byte("[1]")}, nil))
	for _, want := range []string{
		"emit /x e rooms=[r s] except=[t] [null] volatile", "join /x rooms=[r s] except=[t] [u]", "leave / * [u]",
		"disconnect /x rooms=[r s] except=[t] true", "revoked token 7", "server event ping [1]",
	} {
		if got := atB.next(t); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}

	atB.sockets = []cluster.Socket{{ID: "S", Namespace: "/", Rooms: []string{"S", "r"}, Data: []byte(`{"n":1}`)}}
	sockets, err := a.Fetch(t.Context(), everyone)
	check(t, err)
	if len(sockets) != 1 || sockets[0].ID != "S" || sockets[0].Node != b.ID() || sockets[0].Namespace != "/" || string(sockets[0].Data) != `{"n":1}` {
		t.Errorf("%+v", sockets)
	}

	atB.answers = []cluster.Reply{{SID: "S", Data: []byte(`["yes"]`)}, {SID: "T", Err: cluster.Disconnected}, {SID: "U", Data: []byte(`[{"_placeholder":true,"num":0}]`), Attachments: [][]byte{{9}}}}
	var got []string
	check(t, a.Gather(t.Context(), &cluster.Emit{Audience: everyone, Event: "sure?", Data: []byte("[]")}, func(r cluster.Reply) {
		got = append(got, fmt.Sprint(r.SID, string(r.Data), r.Attachments, r.Err))
	}))
	if want := []string{`S["yes"][]`, `T[]disconnected`, `U[{"_placeholder":true,"num":0}][[9]]`}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	check(t, b.ServerEmit(t.Context(), &cluster.Emit{Audience: everyone, Event: "ping", Data: []byte("[2]")}, func(r cluster.Reply) {
		got = append(got, r.SID+string(r.Data))
	}))
	if got[3] != a.ID()+"[2]" || atA.next(t) != "server event ping [2]" {
		t.Errorf("%q", got)
	}
	if s := a.Stats(); s.Lost+s.Invalid+s.Duplicates != 0 || a.Healthy() != nil {
		t.Errorf("%+v %v", s, a.Healthy())
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// F-09: a node that dies while it is asked, and one that is slow, are named; what the others said is there.
func TestSilentNodesAreNamed(t *testing.T) { synctest.Test(t, silentNodes) }

func silentNodes(t *testing.T) {
	var hub membus.Hub
	a, _ := newNode(t, &hub, cluster.Options{})
	b, atB := newNode(t, &hub, cluster.Options{})
	know(t, a, 1)
	know(t, b, 1)
	// A process that says hello, and then nothing.
	mute := hub.Bus()
	check(t, mute.Publish([]byte(`{"method":"go.hello","host_id":"mute","go":{"seq":1}}`)))
	know(t, a, 2)
	atB.answers = []cluster.Reply{{SID: "S", Data: []byte(`["yes"]`)}}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	n := 0
	err := a.Gather(ctx, &cluster.Emit{Audience: cluster.Audience{Namespace: "/", All: true}, Event: "e", Data: []byte("[]")}, func(cluster.Reply) { n++ })
	silent, ok := errors.AsType[*cluster.SilentError](err)
	if !ok || n != 1 || !slices.Equal(silent.Nodes, []string{"mute"}) {
		t.Errorf("%d answers, %v", n, err)
	}

	// It says goodbye while it is waited for: the question ends at once.
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := a.Fetch(context.Background(), cluster.Audience{Namespace: "/", All: true})
		if silent, ok := errors.AsType[*cluster.SilentError](err); !ok || silent.Nodes[0] != "mute" {
			t.Errorf("%v", err)
		}
	})
	synctest.Wait()
	check(t, mute.Publish([]byte(`{"method":"go.bye","host_id":"mute","go":{"seq":2}}`)))
	wg.Wait()
	if got := a.Nodes(); !slices.Equal(got, []string{b.ID()}) {
		t.Errorf("knows %v", got)
	}
}

// Doubled, late and missing messages are told apart by their numbers.
func TestCountsWhatIsLost(t *testing.T) {
	p := newPair(t, cluster.Options{})
	for _, seq := range []int{1, 2, 2, 5, 3, 6} {
		p.inject(fmt.Sprintf(`{"method":"emit","event":"n%d","host_id":"other","namespace":"/","data":[],"room":null,"go":{"seq":%d}}`, seq, seq))
	}
	for _, want := range []string{"n1", "n2", "n5", "n6"} {
		if got := p.local.next(t); got != "emit / "+want+" * []" {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if s := p.node.Stats(); s.Lost != 2 || s.Duplicates != 2 {
		t.Errorf("%+v", s)
	}
}

func TestOnlyEmits(t *testing.T) {
	p := newPair(t, cluster.Options{OnlyEmits: true})
	p.inject(`{"method":"disconnect","sid":"S","namespace":"/","host_id":"x"}`)
	p.inject(`{"method":"close_room","room":"r","namespace":"/","host_id":"x"}`)
	p.inject(`{"method":"emit","event":"end","host_id":"H","namespace":"/","data":[],"room":null}`)
	if got := p.local.next(t); got != "emit / end * []" {
		t.Fatal(got)
	}
}

func TestOrdersFromPython(t *testing.T) {
	p := newPair(t, cluster.Options{})
	for _, msg := range []string{
		`{"method":"enter_room","sid":"S","room":"r9","namespace":"/","host_id":"x"}`,
		`{"method":"leave_room","sid":"S","room":9,"namespace":"/","host_id":"x"}`,
		`{"method":"disconnect","sid":"S","namespace":"/chat","host_id":"x"}`,
		`{"method":"disconnect","sid":"elsewhere","namespace":"/chat","host_id":"x"}`,
		`{"method":"close_room","room":"r1","namespace":"/","host_id":"x"}`,
	} {
		p.inject(msg)
	}
	for _, want := range []string{"join / rooms=[S] [r9]", "leave / rooms=[S] [9]", "disconnect /chat rooms=[S] false", "leave / rooms=[r1] [r1]"} {
		if got := p.local.next(t); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A room whose name looks like a socket's id, as those of rs/xid and Firebase do, is a room all the same.
func TestRoomsThatLookLikeSocketIDs(t *testing.T) {
	var hub membus.Hub
	a, _ := newNode(t, &hub, cluster.Options{})
	_, local := newNode(t, &hub, cluster.Options{})
	room := "elsewhere_0123456789" // Has knows no socket of that name
	to := cluster.Audience{Namespace: "/", Rooms: []string{room}}
	a.Join(to, []string{"vip"})
	a.Leave(to, []string{"vip"})
	a.Leave(to, []string{room})
	a.Disconnect(to, false)
	a.Disconnect(cluster.Audience{Namespace: "/", Rooms: []string{"r"}}, false)
	for _, want := range []string{
		"join / rooms=[" + room + "] [vip]", "leave / rooms=[" + room + "] [vip]", "leave / rooms=[" + room + "] [" + room + "]",
		"disconnect / rooms=[" + room + "] false", "disconnect / rooms=[r] false",
	} {
		if got := local.next(t); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// An emitter is nobody to wait for, and what it signed cannot be said again after it has been silent.
func TestSenders(t *testing.T) {
	key := []byte("0123456789abcdef")
	p := newPair(t, cluster.Options{Key: key, Heartbeat: time.Millisecond, DeadAfter: 5 * time.Millisecond})
	s, err := cluster.NewSender(p.hub.Bus(), cluster.Options{Key: key})
	check(t, err)
	everyone := cluster.Audience{Namespace: "/", All: true}
	check(t, s.Emit(&cluster.Emit{Audience: everyone, Event: "once", Data: []byte("[]")}))
	if got := p.local.next(t); got != "emit / once * []" {
		t.Fatal(got)
	}
	if nodes := p.node.Nodes(); len(nodes) != 0 {
		t.Errorf("%q are waited for", nodes)
	}
	if _, err := p.node.Fetch(t.Context(), everyone); err != nil {
		t.Error(err)
	}
	recorded := ""
	for hellos := 0; hellos < 20 || recorded == ""; { // twenty heartbeats after it: the sender has been silent for longer than DeadAfter
		msg := <-p.seen
		if strings.Contains(msg, `"once"`) {
			recorded, hellos = msg, 0
		} else if strings.Contains(msg, `"go.hello"`) {
			hellos++
		}
	}
	p.inject(recorded)
	check(t, s.Emit(&cluster.Emit{Audience: everyone, Event: "end", Data: []byte("[]")}))
	if got := p.local.next(t); got != "emit / end * []" {
		t.Errorf("a recorded message was taken: %s", got)
	}
	check(t, s.Close(t.Context()))
	if err := s.Revoke(nil); !errors.Is(err, cluster.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}
