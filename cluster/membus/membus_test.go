package membus_test

import (
	"testing"

	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/cluster/clustertest"
	"github.com/siokit/siokit/cluster/membus"
	"github.com/siokit/siokit/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// hubs is a broker: a hub for each channel.
type hubs struct{ byName map[string]*membus.Hub }

func (h *hubs) Stop(testing.TB)  { h.set(true) }
func (h *hubs) Start(testing.TB) { h.set(false) }
func (h *hubs) set(down bool) {
	for _, hub := range h.byName {
		hub.SetDown(down)
	}
}

func TestBus(t *testing.T) {
	broker := &hubs{map[string]*membus.Hub{}}
	clustertest.Run(t, func(t *testing.T, s clustertest.Settings) cluster.Bus {
		hub := broker.byName[s.Channel]
		if hub == nil {
			hub = new(membus.Hub)
			broker.byName[s.Channel] = hub
		}
		return hub.Bus()
	}, clustertest.Options{Broker: broker, NoLog: true})
}
