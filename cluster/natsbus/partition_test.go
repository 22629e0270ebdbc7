package natsbus_test

import (
	"net"
	"strconv"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/cluster/internal/faulttest"
	"github.com/siokit/siokit/cluster/natsbus"
)

// F-09: the network between one process and NATS fails in part.
func TestPartition(t *testing.T) {
	t.Parallel() // it waits more than it works
	b := start(t)
	proxy := faulttest.NewProxy(t, net.JoinHostPort("127.0.0.1", strconv.Itoa(b.port)))
	for _, fault := range proxy.Faults() {
		t.Run(fault.Name, func(t *testing.T) {
			faulttest.Partition(t, func(t *testing.T, faulty bool) cluster.Bus {
				url := b.url()
				if faulty {
					url = "nats://" + proxy.Addr
				}
				// The server tells clients its own address, which goes around the proxy.
				nc, err := nats.Connect(url, nats.MaxReconnects(-1), nats.IgnoreDiscoveredServers(), dialTimeout)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(nc.Close)
				return natsbus.New(nc, natsbus.Options{Subject: "p", Logger: discard})
			}, fault)
		})
	}
}
