package rabbitbus_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/cluster/clustertest"
	"github.com/siokit/siokit/cluster/internal/brokertest"
	"github.com/siokit/siokit/cluster/rabbitbus"
	"github.com/siokit/siokit/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

const patience = 90 * time.Second

var discard = slog.New(slog.DiscardHandler)

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// All tests share one RabbitMQ, which takes seconds to start.
func TestRabbitMQ(t *testing.T) {
	broker := brokertest.StartRabbitMQ(t)
	t.Run("MemoryAlarm", func(t *testing.T) { memoryAlarm(t, broker) })
	t.Run("Errors", func(t *testing.T) { errorsSayTheCure(t, broker) })
	t.Run("BigBounds", func(t *testing.T) { bigBounds(t, broker) })
	t.Run("Partition", func(t *testing.T) { partitions(t, broker) })
	t.Run("SlowReceiver", func(t *testing.T) { slowReceiver(t, broker) })
	t.Run("Unbound", func(t *testing.T) { unbound(t, broker) })
	opts := clustertest.Options{Broker: broker, Messages: 10_000}
	if os.Getenv("SIOKIT_SOAK") != "" {
		opts.Messages = 100_000
	}
	clustertest.Run(t, func(t *testing.T, s clustertest.Settings) cluster.Bus {
		return rabbitbus.New(broker.URL(), rabbitbus.Options{Exchange: s.Channel, StartWithoutBroker: s.StartWithoutBroker, Logger: s.Logger})
	}, opts)
}

// F-08b: RabbitMQ is short of memory and takes nothing from publishers: Publish returns at once, the oldest are
// dropped and counted, receiving works on, and afterwards messages flow again.
func memoryAlarm(t *testing.T, broker *brokertest.RabbitMQ) {
	open := func() *rabbitbus.Bus {
		bus := rabbitbus.New(broker.URL(), rabbitbus.Options{Exchange: "alarm", MaxMessages: 100})
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			if err := bus.Close(ctx); err != nil {
				t.Error(err)
			}
		})
		return bus
	}
	from, to := open(), open()
	var last, backwards atomic.Uint64
	err := to.Subscribe(t.Context(), func(msg []byte) {
		n := binary.BigEndian.Uint64(msg)
		if n < last.Swap(n) {
			backwards.Add(1)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	n := uint64(0)
	publish := func() {
		n++
		start := time.Now()
		if err := from.Publish(binary.BigEndian.AppendUint64(nil, n)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > 10*time.Second { // RabbitMQ holds it up for longer than any machine
			t.Errorf("Publish took %s", took)
		}
	}
	publish()
	until(t, "a message", func() bool { return last.Load() == 1 })

	broker.Control(t, "set_vm_memory_high_watermark", "0.0001")
	until(t, "the publisher notices", func() bool { publish(); return from.Healthy() != nil })
	if err := from.Healthy(); !strings.Contains(err.Error(), "alarm: low on memory") {
		t.Error(err)
	}
	for range 1000 {
		publish()
	}
	if from.Dropped() < 500 {
		t.Errorf("%d messages were dropped and counted, want at least 500", from.Dropped())
	}
	if err := to.Healthy(); err != nil {
		t.Errorf("the receiver: %v", err)
	}
	broker.Control(t, "set_vm_memory_high_watermark", "0.9")
	end := time.Now()
	until(t, "messages after the alarm", func() bool { return last.Load() == n })
	if took := time.Since(end); took > 15*time.Second { // of which a busy machine may take ten
		t.Errorf("messages flow %s after the alarm, want 5s", took)
	}
	t.Logf("messages flow %s after the alarm; %d dropped, %d times an attempt was repeated", time.Since(end), from.Dropped(), backwards.Load())
	until(t, "the publisher is healthy", func() bool { return from.Healthy() == nil })
}

// V-50: a receiver that stands still, with SIOKIT_SOAK for a minute, does not stop the heartbeats: the connection
// stays, and nothing is lost.
func slowReceiver(t *testing.T, broker *brokertest.RabbitMQ) {
	stands := 8 * time.Second
	if os.Getenv("SIOKIT_SOAK") != "" {
		stands = time.Minute
	}
	var log bytes.Buffer // written by one goroutine, which ends with Close
	open := func(logger *slog.Logger) *rabbitbus.Bus {
		return rabbitbus.New(broker.URL(), rabbitbus.Options{
			Exchange: "slow", TTL: 2 * time.Minute, Logger: logger,
			// Without answers RabbitMQ hangs up after two: sooner than the receiver goes on, later than a busy machine answers.
			Dial: amqp.Config{Heartbeat: 3 * time.Second},
		})
	}
	from, to := open(discard), open(slog.New(slog.NewTextHandler(&log, nil)))
	var got atomic.Int64
	held := make(chan struct{})
	if err := to.Subscribe(t.Context(), func([]byte) {
		if got.Add(1) == 1 {
			close(held)
			time.Sleep(stands)
		}
	}); err != nil {
		t.Fatal(err)
	}
	const n = 9000 // more than RabbitMQ sends ahead
	for range n {
		if err := from.Publish([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	<-held
	until(t, "everything", func() bool { return got.Load() == n })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := errors.Join(to.Close(ctx), from.Close(ctx)); err != nil {
		t.Error(err)
	}
	if log.Len() > 0 {
		t.Errorf("the connection did not last:\n%s", &log)
	}
}

// What an operator reads names the cause and not the password.
func errorsSayTheCure(t *testing.T, broker *brokertest.RabbitMQ) {
	for _, test := range []struct{ url, want string }{
		{strings.Replace(broker.URL(), "guest:guest", "guest:secret", 1), "403"},
		{"amqp://guest:sec%ret@localhost/", "percent-encode"},
		{"http://guest:secret@localhost/", "scheme"},
	} {
		err := rabbitbus.New(test.url, rabbitbus.Options{}).Subscribe(t.Context(), nil)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "sec") {
			t.Errorf("%s: %v, want %q", test.url, err, test.want)
		}
	}
}

// Bounds that 32 bits do not hold, in milliseconds, and one below the millisecond.
func bigBounds(t *testing.T, broker *brokertest.RabbitMQ) {
	for _, opts := range []rabbitbus.Options{
		{TTL: 30 * 24 * time.Hour},
		{TTL: time.Microsecond},
		{QueueLength: 3_000_000_000},
	} {
		opts.Exchange, opts.Logger = "bounds", discard
		bus := rabbitbus.New(broker.URL(), opts)
		if err := bus.Subscribe(t.Context(), func([]byte) {}); err != nil {
			t.Errorf("TTL %s, length %d: %v", opts.TTL, opts.QueueLength, err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := bus.Close(ctx); err != nil {
			t.Error(err)
		}
	}
}
