package kafkabus_test

import (
	"context"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/cluster/internal/faulttest"
	"github.com/siokit/siokit/cluster/kafkabus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var discard = slog.New(slog.DiscardHandler)

// F-09: the network between one process and Kafka fails in part, or reading gives nothing.
func TestPartition(t *testing.T) {
	t.Parallel() // it waits more than it works
	kafka := newKafka(t)
	proxy := faulttest.NewProxy(t, kafka.ListenAddrs()[0])
	through := func(ctx context.Context, network, _ string) (net.Conn, error) { // whatever address Kafka says it has
		return new(net.Dialer).DialContext(ctx, network, proxy.Addr)
	}
	for _, fault := range proxy.Faults() {
		t.Run(fault.Name, func(t *testing.T) {
			faulttest.Partition(t, func(t *testing.T, faulty bool) cluster.Bus {
				opts := kafkabus.Options{Topic: "p", Logger: discard}
				if faulty {
					opts.Client = []kgo.Opt{kgo.Dialer(through)}
				}
				return kafkabus.New(kafka.ListenAddrs(), opts)
			}, fault)
		})
	}
}

// F-09b: Kafka answers, and has nothing to read for one of the processes.
func TestReadingGivesNothing(t *testing.T) {
	t.Parallel() // it waits more than it works
	kafka := newKafka(t)
	const name = "deaf"
	var empty atomic.Bool
	kafka.ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
		kafka.KeepControl()
		req := r.(*kmsg.FetchRequest)
		if !empty.Load() || req.Rack != name {
			return nil, nil, false
		}
		kafka.SleepControl(func() { time.Sleep(50 * time.Millisecond) })
		return req.ResponseKind(), nil, true
	})
	faulttest.Partition(t, func(t *testing.T, faulty bool) cluster.Bus {
		opts := kafkabus.Options{Topic: "p", Logger: discard}
		if faulty {
			opts.Client = []kgo.Opt{kgo.Rack(name)}
		}
		return kafkabus.New(kafka.ListenAddrs(), opts)
	}, faulttest.Fault{
		Begin: func(*testing.T) { empty.Store(true) },
		End:   func(*testing.T) { empty.Store(false) },
	})
}
