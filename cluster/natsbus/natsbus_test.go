package natsbus_test

import (
	"log/slog"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/cluster/clustertest"
	"github.com/siokit/siokit/cluster/internal/brokertest"
	"github.com/siokit/siokit/cluster/natsbus"
	"github.com/siokit/siokit/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// dialTimeout is for machines that are busy.
var dialTimeout = nats.Timeout(20 * time.Second)

var discard = slog.New(slog.DiscardHandler)

// broker is a NATS server inside the test.
type broker struct {
	port   int
	server *server.Server
}

func (b *broker) Start(t testing.TB) {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: b.port, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(time.Minute) {
		t.Fatal("the NATS server does not start")
	}
	b.server = s
}

func (b *broker) Stop(testing.TB) {
	b.server.Shutdown()
	b.server.WaitForShutdown()
}

func (b *broker) url() string { return "nats://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(b.port)) }

func start(t *testing.T) *broker {
	b := new(broker)
	b.port, _ = strconv.Atoi(brokertest.FreePort(t))
	b.Start(t)
	t.Cleanup(func() { b.Stop(t) })
	return b
}

func connect(t *testing.T, b *broker) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(b.url(), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true), dialTimeout)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func TestBus(t *testing.T) {
	b := start(t)
	clustertest.Run(t, func(t *testing.T, s clustertest.Settings) cluster.Bus {
		return natsbus.New(connect(t, b), natsbus.Options{Subject: s.Channel, StartWithoutBroker: s.StartWithoutBroker, Logger: s.Logger})
	}, clustertest.Options{Broker: b})
}

// What makes a bus useless for ever is said with its cure.
func TestErrorsSayTheCure(t *testing.T) {
	b := start(t)
	nc := connect(t, b)
	bus := natsbus.New(nc, natsbus.Options{Subject: "all.*"})
	if err := bus.Subscribe(t.Context(), nil); err == nil || !strings.Contains(err.Error(), `Options.Subject "all.*"`) {
		t.Error(err)
	}
	nc.Close()
	err := natsbus.New(nc, natsbus.Options{}).Subscribe(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "MaxReconnects(-1)") {
		t.Error(err)
	}
}
