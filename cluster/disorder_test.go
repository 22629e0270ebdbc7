package cluster_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/cluster/membus"
)

// F-10: a bus doubles messages, over any distance, and shuffles them. What arrives is in each origin's order,
// nothing twice, and what does not arrive is counted; own messages are never taken.
func TestDisorder(t *testing.T) {
	const origins, each = 3, 12_000
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	bus := &feedBus{Bus: new(membus.Hub).Bus()}
	local := &recorder{calls: make(chan string, origins*each+1)}
	n, err := cluster.NewNode(bus, cluster.Options{Heartbeat: time.Hour, DeadAfter: time.Hour})
	check(t, err)
	check(t, n.Start(t.Context(), local))
	defer func() { check(t, n.Close(context.Background())) }()
	inject := func(msg string) { bus.receive([]byte(msg)) }
	type sent struct{ origin, seq int }
	var order []sent
	for seq := 1; seq <= each; seq++ {
		for origin := range origins {
			order = append(order, sent{origin, seq})
		}
	}
	for i := origins; i < len(order); i += 20 { // the first of each stay first: a number says nothing before it
		part := order[i:min(i+20, len(order))]
		if i/20%3 == 0 {
			random.Shuffle(len(part), func(a, b int) { part[a], part[b] = part[b], part[a] })
		}
	}
	for i := range order { // some come again at once, some after more than 10,000 others
		if i%7 == 0 {
			order = append(order, order[i])
		}
	}
	for _, s := range order {
		inject(fmt.Sprintf(`{"method":"emit","event":"n","host_id":"o%d","namespace":"/","data":[%d,%d],"room":null,"go":{"seq":%[2]d}}`, s.origin, s.seq, s.origin))
	}
	inject(fmt.Sprintf(`{"method":"emit","event":"echo","host_id":%q,"namespace":"/","data":[],"room":null}`, n.ID()))
	inject(`{"method":"emit","event":"end","host_id":"py","namespace":"/","data":[],"room":null}`)
	var last [origins]int
	delivered := 0
	for {
		call := local.next(t)
		if call == "emit / end * []" {
			break
		}
		numbers, ok := strings.CutPrefix(call, "emit / n * [")
		a, b, _ := strings.Cut(strings.TrimSuffix(numbers, "]"), ",")
		seq, err := strconv.Atoi(a)
		origin, err2 := strconv.Atoi(b)
		if !ok || err != nil || err2 != nil {
			t.Fatal(call)
		}
		if seq <= last[origin] {
			t.Fatalf("%d of %d came after %d", seq, origin, last[origin])
		}
		last[origin] = seq
		delivered++
	}
	st := n.Stats()
	if got := delivered + int(st.Lost); got != origins*each || delivered < each {
		t.Errorf("%d delivered and %d counted as lost, of %d", delivered, st.Lost, origins*each)
	}
	if got := delivered + int(st.Duplicates); got != len(order) {
		t.Errorf("%d delivered and %d counted as duplicates or late, of %d", delivered, st.Duplicates, len(order))
	}
}

// feedBus hands the test what the node would receive.
type feedBus struct {
	*membus.Bus
	receive func([]byte)
}

func (b *feedBus) Subscribe(_ context.Context, receive func([]byte)) error {
	b.receive = receive
	return nil
}
func (b *feedBus) Publish([]byte) error { return nil }

// F-11: nothing that comes over the bus makes a process allocate more than twice the largest message, and a
// message beyond that is not read at all.
func TestGarbageCostsLittle(t *testing.T) {
	const largest = cluster.MaxMessage
	message := func(size int, head, item, tail string) []byte {
		n := (size - len(head) - len(tail)) / len(item)
		return []byte(head + strings.TrimSuffix(strings.Repeat(item, n), ",") + tail)
	}
	// What is read element by element is bad enough at an eighth of the size, and read sooner.
	fill := func(head, item, tail string) []byte { return message(largest/8, head, item, tail) }
	const emit = `{"method":"emit","host_id":"x","namespace":"/","event":"e",`
	for _, test := range []struct {
		name string
		msg  []byte
		most uint64
	}{
		{"100 MB", make([]byte, 100<<20), 1 << 20},
		{"100 MB of an object", []byte("{" + strings.Repeat(" ", 100<<20)), 1 << 20},
		{"random", func() []byte {
			b := make([]byte, largest/8)
			for i := range b {
				b[i] = byte(rand.Uint32())
			}
			b[0] = '{'
			return b
		}(), 2 * largest},
		{"no JSON", fill(`{"method":`, `[`, ``), 2 * largest},
		{"an array", fill(`[`, `1,`, `]`), 2 * largest},
		{"members", fill(`{"method":"emit"`, `,"a":1`, `}`), 2 * largest},
		{"a long string", message(largest, emit+`"room":null,"data":["`, `a`, `"]}`), 2 * largest},
		{"arguments", fill(emit+`"room":null,"data":[`, `1,`, `]}`), 2 * largest},
		{"depth", fill(emit+`"room":null,"data":`, `[`, `}`), 2 * largest},
		{"rooms", fill(emit+`"data":[],"room":[`, `1,`, `]}`), 2 * largest},
		{"excluded", fill(emit+`"data":[],"room":null,"go":{"seq":1,"except":[`, `"",`, `]}}`), 2 * largest},
		{"rooms to join", fill(`{"method":"go.join","host_id":"x","namespace":"/","room":null,"go":{"seq":2,"rooms":[`, `"",`, `]}}`), 2 * largest},
		{"sockets", fill(`{"method":"go.done","host_id":"x","go":{"seq":3,"to":"nobody","sockets":[`, `{},`, `]}}`), 2 * largest},
		{"attachments", fill(emit+`"room":null,"binary":true,"data":[{}`, `,""`, `]}`), 2 * largest},
		{"an attachment", message(largest, emit+`"room":null,"binary":true,"data":[[{"_placeholder":true,"num":0}],"`, `AAAA`, `"]}`), 2 * largest},
		{"a callback", fill(emit+`"room":null,"data":[],"callback":[`, `1,`, `]}`), 2 * largest},
	} {
		t.Run(test.name, func(t *testing.T) {
			bus := &feedBus{Bus: new(membus.Hub).Bus()}
			local := &recorder{calls: make(chan string, 10)}
			n, err := cluster.NewNode(bus, cluster.Options{Heartbeat: time.Hour, DeadAfter: time.Hour, Logger: slog.New(slog.DiscardHandler)})
			check(t, err)
			check(t, n.Start(t.Context(), quiet{local}))
			defer func() { check(t, n.Close(context.Background())) }()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			bus.receive(test.msg)
			runtime.ReadMemStats(&after)
			if got := after.TotalAlloc - before.TotalAlloc; got > test.most {
				t.Errorf("%d MiB were allocated, want %d at most", got>>20, test.most>>20)
			} else {
				t.Logf("%d MiB allocated, %d invalid", got>>20, n.Stats().Invalid)
			}
		})
	}
}

// quiet is a recorder that does not write down what events it gets: the test counts what is allocated.
type quiet struct{ *recorder }

func (quiet) Emit(*cluster.Emit)              {}
func (quiet) Join(cluster.Audience, []string) {}

// Which kinds of bad messages have been logged is remembered for a few of them only.
func TestGarbageIsNotRemembered(t *testing.T) {
	bus := &feedBus{Bus: new(membus.Hub).Bus()}
	n, err := cluster.NewNode(bus, cluster.Options{Heartbeat: time.Hour, DeadAfter: time.Hour, Logger: slog.New(slog.DiscardHandler)})
	check(t, err)
	check(t, n.Start(t.Context(), quiet{&recorder{}}))
	defer func() { check(t, n.Close(context.Background())) }()
	inUse := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := inUse()
	const many = 30_000
	for i := range many {
		bus.receive(fmt.Appendf(nil, `{"method":"emit","host_id":"x","namespace":"/","event":"e","data":[],"room":{"n":%d}}`, i))
	}
	if got := n.Stats().Invalid; got != many {
		t.Errorf("%d messages were counted as invalid, want %d", got, many)
	}
	if kept := inUse() - before; kept > 1<<20 {
		t.Errorf("%d KiB are kept of %d bad messages", kept>>10, many)
	}
}
