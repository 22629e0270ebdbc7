package conformance

import (
	"fmt"
	"time"

	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/wire/msgpack"
)

// Parts are the servers of a fixture that can be one of several, and the name by which the JavaScript suite
// knows the address of each.
var Parts = map[string]string{
	"main": "SIOKIT_URL", "ping": "SIOKIT_PING_URL", "msgpack": "SIOKIT_MSGPACK_URL", "objects": "SIOKIT_OBJECTS_URL",
}

// ServePart serves one of Parts on an address, together with other processes on the bus, until stop. Its
// event "which node" is answered with name.
func ServePart(part, address, name string, bus cluster.Bus) (stop func() error, err error) {
	cfg := core.Config{
		Bus: bus, TrustedProxies: []string{"127.0.0.1"},
		Cluster: cluster.Options{Heartbeat: 500 * time.Millisecond, DeadAfter: 5 * time.Second}, // a test that kills one waits so long
	}
	switch part {
	case "main":
	case "ping":
		cfg.PingInterval, cfg.PingTimeout = 300*time.Millisecond, 5*time.Second
	case "msgpack":
		cfg.Parser = msgpack.Parser{}
	case "objects":
		cfg.Parser = objects{}
	default:
		return nil, fmt.Errorf("conformance: a fixture has no part %q", part)
	}
	s, err := serve(address, cfg)
	if err != nil {
		return nil, err
	}
	core.OnCall(s.sockets, "which node", func(*core.Context, core.None) (string, error) { return name, nil })
	return s.stop, nil
}
