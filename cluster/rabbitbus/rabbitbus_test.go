package rabbitbus_test

import (
	"context"
	"encoding/binary"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/cluster/clustertest"
	"github.com/siokit/siokit/cluster/internal/brokertest"
	"github.com/siokit/siokit/cluster/rabbitbus"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = time.Minute

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
	t.Run("Partition", func(t *testing.T) { partitions(t, broker) })
	t.Run("Unbound", func(t *testing.T) { unbound(t, broker) })
	opts := clustertest.Options{Broker: broker, Messages: 10_000}
	if os.Getenv("SIOKIT_SOAK") != "" {
		opts.Messages = 100_000
	}
	clustertest.Run(t, func(t *testing.T, s clustertest.Settings) cluster.Bus {
		return rabbitbus.New(broker.URL(), rabbitbus.Options{Exchange: s.Channel, StartWithoutBroker: s.StartWithoutBroker, Logger: s.Logger})
	}, opts)
}

// RabbitMQ is short of memory and takes nothing from publishers: Publish returns at once, the oldest are
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
		if took := time.Since(start); took > time.Second {
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
	t.Logf("messages flow %s after the alarm; %d dropped, %d times an attempt was repeated", time.Since(end), from.Dropped(), backwards.Load())
	until(t, "the publisher is healthy", func() bool { return from.Healthy() == nil })
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
