package rabbitbus_test

import (
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/cluster/internal/brokertest"
	"github.com/siokit/siokit/cluster/internal/faulttest"
	"github.com/siokit/siokit/cluster/rabbitbus"
)

// F-09: the network between one process and RabbitMQ fails in part.
func partitions(t *testing.T, broker *brokertest.RabbitMQ) {
	proxy := faulttest.NewProxy(t, broker.Addr)
	for _, fault := range proxy.Faults() {
		t.Run(fault.Name, func(t *testing.T) {
			faulttest.Partition(t, func(t *testing.T, faulty bool) cluster.Bus {
				url := broker.URL()
				if faulty {
					url = strings.Replace(url, broker.Addr, proxy.Addr, 1)
				}
				return rabbitbus.New(url, rabbitbus.Options{Exchange: "p", Logger: discard})
			}, fault)
		})
	}
}

// F-09b: somebody deletes the exchange, and it is made anew: queues stay, consumers stay, and nothing is
// delivered to anybody. All notice, count what they have missed, and get well by themselves.
func unbound(t *testing.T, broker *brokertest.RabbitMQ) {
	open := func() cluster.Bus {
		return rabbitbus.New(broker.URL(), rabbitbus.Options{Exchange: "unbound", Logger: discard})
	}
	a, b := faulttest.NewNode(t, open(), "A", faulttest.Options()), faulttest.NewNode(t, open(), "B", faulttest.Options())
	known := func() bool { return len(a.Nodes()) == 1 && len(b.Nodes()) == 1 }
	faulttest.Until(t, "the nodes know each other", known)
	conn, err := amqp.Dial(broker.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err == nil {
		err = ch.ExchangeDelete("unbound", false, false)
	}
	if err == nil {
		err = ch.ExchangeDeclare("unbound", amqp.ExchangeFanout, false, false, false, false, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	a.Say()
	faulttest.Until(t, "both have been unhealthy", func() bool { return a.WasUnhealthy() && b.WasUnhealthy() })
	t.Log(a.Healthy())
	took := faulttest.Until(t, "both are well", func() bool { return a.Healthy() == nil && b.Healthy() == nil && known() })
	t.Logf("all is well after %s", took)
	a.Say()
	faulttest.Until(t, "an event", func() bool { a.Repeat(); last, _ := b.Heard(a); return last > 1 && last == a.Said() })
	if _, count := b.Heard(a); int64(a.Said()-count) > b.Stats().Lost {
		t.Errorf("%d of %d events came, and only %d are counted as lost", count, a.Said(), b.Stats().Lost)
	}
}
