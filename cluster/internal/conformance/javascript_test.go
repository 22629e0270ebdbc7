package conformance

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/siokit/siokit/cluster/internal/brokertest"
	"github.com/siokit/siokit/internal/conformance/exampletest"
)

// brokers start one of each and return its URL.
var brokers = map[string]func(t *testing.T) string{
	"redis": func(t *testing.T) string { return "redis://" + brokertest.Redis(t).Addr },
	"rabbitmq": func(t *testing.T) string {
		return brokertest.StartRabbitMQ(t).URL()
	},
	"nats": func(t *testing.T) string {
		port, err := strconv.Atoi(brokertest.FreePort(t))
		if err != nil {
			t.Fatal(err)
		}
		s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, NoSigs: true, NoLog: true})
		if err != nil {
			t.Fatal(err)
		}
		s.Start()
		t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
		if !s.ReadyForConnections(time.Minute) {
			t.Fatal("the NATS server does not start")
		}
		return "nats://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	},
	"kafka": func(t *testing.T) string {
		c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.AllowAutoTopicCreation(), kfake.DefaultNumPartitions(3))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return "kafka://" + strings.Join(c.ListenAddrs(), ",")
	},
}

// scripts returns test files of the JavaScript suite. Reading them, and what they import, tells go test that the
// result depends on them.
func scripts(t *testing.T, names ...string) (files []string) {
	t.Helper()
	suite := filepath.Join(root, "internal", "conformance", "js")
	for _, name := range names {
		files = append(files, filepath.Join(suite, name+".test.mjs"))
	}
	for _, file := range append(files, filepath.Join(suite, "harness.mjs"), filepath.Join(root, "package-lock.json"), "restart.test.mjs") {
		if _, err := os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// whole is the suite for one server, as far as two behind nginx can pass it, and the servers that it needs.
var (
	whole        = []string{"connect", "disconnect", "events", "namespaces", "operators", "parsers", "rooms", "upgrade"}
	wholeServers = []string{"main", "ping", "msgpack", "objects"}
)

// The suite for one server, against two behind nginx. What is left out needs one server: options reads answers
// without keeping cookies, as do the clients of generations and old; recovery is a matter of one process; and
// restart is below.
func TestJavaScriptClientThroughNginx(t *testing.T) {
	exampletest.NeedNode(t)
	f := newFleet(t, brokers["redis"](t), wholeServers)
	exampletest.NodeFiles(t, "nginx", scripts(t, whole...), f.env...)
}

// On every broker: rooms and broadcasts between the servers, with SIOKIT_SOAK the whole suite, and what becomes of
// them while one of the two is restarted, in order and by force.
func TestJavaScriptClientOnEachBroker(t *testing.T) {
	exampletest.NeedNode(t)
	for name, start := range brokers {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // they wait more than they work
			files, servers := []string{"rooms"}, []string{"main"}
			if os.Getenv("SIOKIT_SOAK") != "" {
				files, servers = whole, wholeServers
			}
			f := newFleet(t, start(t), servers)
			if name != "redis" { // which has its part above
				exampletest.NodeFiles(t, "nginx-"+name, scripts(t, files...), f.env...)
			}
			restarts := restarts[name]
			if os.Getenv("SIOKIT_SOAK") != "" {
				restarts = "all"
			}
			control := httptest.NewServer(f.control())
			defer control.Close()
			env := append(f.env, "SIOKIT_CONTROL_URL="+control.URL, "SIOKIT_RESTARTS="+restarts)
			exampletest.NodeFiles(t, "restart-"+name, append(scripts(t), "restart.test.mjs"), env...)
		})
	}
}

// restarts are the ways in which one server ends, and the transports of the clients, that are tried on each
// broker; with SIOKIT_SOAK all are.
var restarts = map[string]string{
	"redis":    "stop polling,kill websocket,kill upgrade",
	"rabbitmq": "kill polling",
	"nats":     "stop websocket",
	"kafka":    "stop upgrade",
}

// control lets the JavaScript suite stop, kill and start the second node.
func (f *fleet) control() http.Handler {
	n := f.nodes[1]
	routes := http.NewServeMux()
	for path, do := range map[string]func() error{"/stop": n.stop, "/kill": n.kill, "/start": n.start} {
		routes.HandleFunc("POST "+path, func(w http.ResponseWriter, _ *http.Request) {
			if err := do(); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		})
	}
	return routes
}
