package kafkabus_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/cluster/clustertest"
	"github.com/siokit/siokit/cluster/kafkabus"
	"github.com/siokit/siokit/internal/leaktest"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// gate lets connections to a broker through, cuts them, or holds them up.
type gate struct {
	mu     sync.Mutex
	moved  *sync.Cond
	down   bool              // guarded by mu
	frozen bool              // guarded by mu
	conns  map[net.Conn]bool // guarded by mu
}

func newGate() *gate {
	g := &gate{conns: make(map[net.Conn]bool)}
	g.moved = sync.NewCond(&g.mu)
	return g
}

func (g *gate) set(down, frozen bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.down, g.frozen = down, frozen
	if down {
		for c := range g.conns {
			_ = c.Close()
		}
		clear(g.conns)
	}
	g.moved.Broadcast()
}

func (g *gate) Stop(testing.TB)   { g.set(true, false) }
func (g *gate) Start(testing.TB)  { g.set(false, false) }
func (g *gate) Freeze(testing.TB) { g.set(false, true) }
func (g *gate) Thaw(testing.TB)   { g.set(false, false) }

func (g *gate) listen(network, address string) (net.Listener, error) {
	ln, err := net.Listen(network, address)
	return &gated{ln, g}, err
}

type gated struct {
	net.Listener
	gate *gate
}

func (l *gated) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		l.gate.mu.Lock()
		down := l.gate.down
		if !down {
			l.gate.conns[c] = true
		}
		l.gate.mu.Unlock()
		if !down {
			return &held{c, l.gate}, nil
		}
		_ = c.Close()
	}
}

// held is a connection that nothing is read from while its gate is frozen.
type held struct {
	net.Conn
	gate *gate
}

func (h *held) Read(p []byte) (int, error) {
	n, err := h.Conn.Read(p)
	h.gate.mu.Lock()
	defer h.gate.mu.Unlock()
	for h.gate.frozen {
		h.gate.moved.Wait()
	}
	return n, err
}

func newKafka(t *testing.T, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1), kfake.AllowAutoTopicCreation(), kfake.DefaultNumPartitions(3))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func opener(brokers []string) func(*testing.T, clustertest.Settings) cluster.Bus {
	return func(t *testing.T, s clustertest.Settings) cluster.Bus {
		return kafkabus.New(brokers, kafkabus.Options{Topic: s.Channel, StartWithoutBroker: s.StartWithoutBroker, Logger: s.Logger})
	}
}

func TestBus(t *testing.T) {
	g := newGate()
	kafka := newKafka(t, kfake.ListenFn(g.listen))
	clustertest.Run(t, opener(kafka.ListenAddrs()), clustertest.Options{Broker: g})
}

// SIOKIT_KAFKA=host:port,host:port names a Kafka to test with. Its topics are not removed.
func TestRealKafka(t *testing.T) {
	brokers := os.Getenv("SIOKIT_KAFKA")
	if brokers == "" {
		t.Skip("SIOKIT_KAFKA names no broker")
	}
	clustertest.Run(t, opener(strings.Split(brokers, ",")), clustertest.Options{})
}

// F-08e: what is in the topic when a process joins is not for it, and does not delay it.
func TestBeginsAtTheEnd(t *testing.T) {
	kafka := newKafka(t)
	old, err := kgo.NewClient(kgo.SeedBrokers(kafka.ListenAddrs()...), kgo.DefaultProduceTopic("socketio"), kgo.AllowAutoTopicCreation())
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	rounds := 1 // of 10,000
	if os.Getenv("SIOKIT_SOAK") != "" {
		rounds = 100
	}
	for range rounds {
		var records []*kgo.Record
		for i := range 10_000 {
			records = append(records, kgo.StringRecord(fmt.Sprint("old ", i)))
		}
		if err := old.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	bus := kafkabus.New(kafka.ListenAddrs(), kafkabus.Options{})
	got := make(chan string, 10_000)
	began := time.Now()
	if err := bus.Subscribe(t.Context(), func(msg []byte) { got <- string(msg) }); err != nil {
		t.Fatal(err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := bus.Close(ctx); err != nil {
			t.Error(err)
		}
	}()
	if err := bus.Publish([]byte("new")); err != nil {
		t.Fatal(err)
	}
	if first := <-got; first != "new" {
		t.Errorf("got %q", first)
	}
	if took := time.Since(began); took > 15*time.Second { // of which a busy machine may take ten
		t.Errorf("ready after %s, want 5s", took)
	} else {
		t.Logf("ready after %s, with %d old records", took, rounds*10_000)
	}
}

func TestNamesAreChecked(t *testing.T) {
	bus := kafkabus.New(nil, kafkabus.Options{Topic: "a b"})
	if err := bus.Subscribe(t.Context(), nil); err == nil || !strings.Contains(err.Error(), `Options.Topic "a b"`) {
		t.Error(err)
	}
}
