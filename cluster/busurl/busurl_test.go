package busurl_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/cluster/busurl"
	"github.com/siokit/siokit/cluster/internal/brokertest"
	"github.com/siokit/siokit/internal/leaktest"
	"github.com/twmb/franz-go/pkg/kfake"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func closeBus(t *testing.T, bus cluster.Bus) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for range 2 {
		if err := bus.Close(ctx); err != nil {
			t.Error(err)
		}
	}
}

// Two buses of one URL hear each other, and leave nothing behind.
func roundTrip(t *testing.T, address, channel string) {
	t.Helper()
	var buses [2]cluster.Bus
	for i := range buses {
		bus, err := busurl.Open(address, busurl.Options{Channel: channel})
		if err != nil {
			t.Fatal(err)
		}
		defer closeBus(t, bus)
		if _, ok := bus.(interface{ Resubscribe() }); !ok {
			t.Error("a node cannot make this bus subscribe anew")
		}
		buses[i] = bus
	}
	got := make(chan string, 1)
	if err := buses[0].Subscribe(t.Context(), func(msg []byte) { got <- string(msg) }); err != nil {
		t.Fatal(err)
	}
	if err := buses[1].Publish([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	select {
	case msg := <-got:
		if msg != "hello" {
			t.Errorf("got %q", msg)
		}
	case <-time.After(time.Minute):
		t.Error("nothing arrived")
	}
}

func TestRedis(t *testing.T) {
	socket := t.TempDir() + "/s"
	p := brokertest.Redis(t, "--unixsocket", socket, "--requirepass", "p@ss")
	roundTrip(t, "redis://:p%40ss@"+p.Addr+"/3", "")
	roundTrip(t, "valkey://:p%40ss@"+p.Addr, "c")
	roundTrip(t, "unix://:p%40ss@"+socket, "c")
	open := brokertest.Redis(t)
	sentinel := brokertest.Sentinel(t, "flask-socketio", open.Addr, time.Minute)
	roundTrip(t, "redis+sentinel://"+sentinel.Addr+"/0/flask-socketio", "c")
	roundTrip(t, "redis+sentinel://"+sentinel.Addr, "flask-socketio")
}

func TestKafka(t *testing.T) {
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.AllowAutoTopicCreation())
	if err != nil {
		t.Fatal(err)
	}
	defer kafka.Close()
	roundTrip(t, "kafka://"+strings.Join(kafka.ListenAddrs(), ","), "c")
}

func TestNATS(t *testing.T) {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	defer func() { s.Shutdown(); s.WaitForShutdown() }()
	if !s.ReadyForConnections(time.Minute) {
		t.Fatal("the NATS server does not start")
	}
	roundTrip(t, s.ClientURL(), "c")
	roundTrip(t, "nats://127.0.0.1:1,"+s.Addr().String(), "c")
}

// A broker that is not there is found out by Subscribe, or not at all when that is wanted.
func TestBrokerDown(t *testing.T) {
	for _, scheme := range []string{"redis", "amqp", "kafka", "nats", "redis+sentinel"} {
		address := scheme + "://127.0.0.1:" + brokertest.FreePort(t)
		for _, without := range []bool{false, true} {
			bus, err := busurl.Open(address, busurl.Options{StartWithoutBroker: without, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Errorf("%s: %v", scheme, err)
				continue
			}
			if err := bus.Subscribe(t.Context(), func([]byte) {}); (err == nil) != without {
				t.Errorf("%s, StartWithoutBroker %v: %v", scheme, without, err)
			}
			closeBus(t, bus)
		}
	}
}

func TestErrors(t *testing.T) {
	for address, want := range map[string]string{
		"":                                   "begins with its scheme",
		"localhost:6379":                     "begins with its scheme",
		"zmq+tcp://localhost:5555+5556":      "ZeroMQ is not supported",
		"http://secret@localhost/":           `scheme "http" is unknown`,
		"redis://:sec#ret@localhost/":        "percent-encode",
		"redis://localhost/?secrt_option=1":  "no option secrt_option",
		"redis+sentinel://:secret@/0/m":      "host:port,host:port/db/master",
		"redis+sentinel://h:1/x/m":           "host:port,host:port/db/master",
		"kafka://user:secret@localhost:9092": "kafkabus.New",
		"kafka://":                           "kafka://host:port",
		"nats://user:sec%ret@localhost":      "percent-encode",
	} {
		bus, err := busurl.Open(address, busurl.Options{})
		if err == nil {
			closeBus(t, bus)
		}
		if err == nil || !strings.HasPrefix(err.Error(), "busurl: ") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "sec") && !strings.Contains(want, "sec") {
			t.Errorf("%q: %v, want %q", address, err, want)
		}
	}
}
