package natsbus_test

import (
	"fmt"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/cluster/internal/brokertest"
	"github.com/siokit/siokit/cluster/internal/faulttest"
	"github.com/siokit/siokit/cluster/natsbus"
)

// F-08d: a server of a NATS cluster leaves in its lame-duck mode, and its clients go to the other.
func TestLameDuck(t *testing.T) {
	t.Parallel() // it waits more than it works
	var servers []*server.Server
	var routes []int
	for i := range 2 {
		routePort, _ := strconv.Atoi(brokertest.FreePort(t))
		port, _ := strconv.Atoi(brokertest.FreePort(t))
		opts := &server.Options{
			ServerName: fmt.Sprint("s", i), Host: "127.0.0.1", Port: port, NoSigs: true, NoLog: true,
			Cluster:          server.ClusterOpts{Name: "c", Host: "127.0.0.1", Port: routePort},
			LameDuckDuration: 2 * time.Second, LameDuckGracePeriod: 500 * time.Millisecond,
		}
		for _, other := range routes {
			opts.Routes = append(opts.Routes, &url.URL{Scheme: "nats", Host: fmt.Sprint("127.0.0.1:", other)})
		}
		s, err := server.NewServer(opts)
		if err != nil {
			t.Fatal(err)
		}
		s.Start()
		t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
		if !s.ReadyForConnections(time.Minute) {
			t.Fatal("the NATS server does not start")
		}
		servers, routes = append(servers, s), append(routes, routePort)
	}
	faulttest.Until(t, "the servers know each other", func() bool { return servers[0].NumRoutes() > 0 && servers[1].NumRoutes() > 0 })
	faulttest.Failover(t, func(t *testing.T) cluster.Bus {
		nc, err := nats.Connect(servers[0].ClientURL(), nats.MaxReconnects(-1), dialTimeout)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		return natsbus.New(nc, natsbus.Options{Subject: "f", Logger: discard})
	}, 5*time.Second, func(*testing.T) { servers[0].LameDuckShutdown() })
}
