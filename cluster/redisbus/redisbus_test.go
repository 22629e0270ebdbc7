package redisbus_test

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/cluster/clustertest"
	"github.com/siokit/siokit/cluster/internal/brokertest"
	"github.com/siokit/siokit/cluster/internal/faulttest"
	"github.com/siokit/siokit/cluster/redisbus"
	"github.com/siokit/siokit/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// opener returns a bus with a client of its own each time.
func opener(client func() redis.UniversalClient) func(*testing.T, clustertest.Settings) cluster.Bus {
	return func(t *testing.T, s clustertest.Settings) cluster.Bus {
		rdb := client()
		t.Cleanup(func() { _ = rdb.Close() })
		return redisbus.New(rdb, redisbus.Options{Channel: s.Channel, StartWithoutBroker: s.StartWithoutBroker, Logger: s.Logger})
	}
}

func TestBus(t *testing.T) {
	server := brokertest.Redis(t)
	clustertest.Run(t, opener(func() redis.UniversalClient {
		return redis.NewClient(&redis.Options{Addr: server.Addr})
	}), clustertest.Options{Broker: server})
}

const patience = time.Minute

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// Three servers are one Redis Cluster.
func TestRedisCluster(t *testing.T) {
	var addrs []string
	var servers []*redis.Client
	for range 3 {
		// The port that cluster nodes use among themselves is 10,000 higher unless it is given.
		p := brokertest.Redis(t, "--cluster-enabled", "yes", "--cluster-port", brokertest.FreePort(t))
		rdb := redis.NewClient(&redis.Options{Addr: p.Addr})
		t.Cleanup(func() { _ = rdb.Close() })
		addrs, servers = append(addrs, p.Addr), append(servers, rdb)
	}
	ctx := t.Context()
	for i, rdb := range servers {
		if err := rdb.ClusterAddSlotsRange(ctx, i*16384/3, (i+1)*16384/3-1).Err(); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			continue
		}
		host, port, _ := net.SplitHostPort(addrs[0])
		var bus string
		nodes, err := servers[0].ClusterNodes(ctx).Result() // id host:port@bus flags ...
		if err == nil {
			_, bus, _ = strings.Cut(strings.Fields(nodes)[1], "@")
			bus, _, _ = strings.Cut(bus, ",")
			err = rdb.Do(ctx, "CLUSTER", "MEET", host, port, bus).Err()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, rdb := range servers {
		until(t, "the servers are a cluster", func() bool {
			info, err := rdb.ClusterInfo(ctx).Result()
			if err != nil || !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, "cluster_known_nodes:3") {
				return false
			}
			// And each has a connection to each: what is published is lost for a server to which there is none.
			nodes, err := rdb.ClusterNodes(ctx).Result()
			return err == nil && strings.Count(nodes, " connected") == 3 && !strings.Contains(nodes, "handshake")
		})
	}
	clustertest.Run(t, opener(func() redis.UniversalClient {
		return redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs})
	}), clustertest.Options{Messages: 10_000})

	// F-08d: the slot of the channel moves to another server, and back.
	faulttest.Failover(t, opened(addrs), 5*time.Second, func(t *testing.T) {
		slot, err := servers[0].ClusterKeySlot(ctx, "moving").Result()
		if err != nil {
			t.Fatal(err)
		}
		owner := int(slot) * 3 / 16384
		for _, to := range []int{(owner + 1) % 3, owner} {
			id, err := servers[to].ClusterMyID(ctx).Result()
			for i := range 3 { // the new owner first
				if err == nil {
					err = servers[(to+i)%3].Do(ctx, "CLUSTER", "SETSLOT", slot, "NODE", id).Err()
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(300 * time.Millisecond)
		}
	})
}

func opened(addrs []string) func(t *testing.T) cluster.Bus {
	return func(t *testing.T) cluster.Bus {
		return opener(func() redis.UniversalClient {
			return redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs})
		})(t, clustertest.Settings{Channel: "moving"})
	}
}

// F-08d: Sentinel makes the replica the master, because it is told to, or because the master dies: messages go
// both ways again.
func TestSentinel(t *testing.T) {
	t.Parallel() // it waits more than it works
	for _, test := range []struct {
		name string
		away time.Duration // after which Sentinel takes the master for dead
		most time.Duration // from the last event that came before to the first after
		fail func(t *testing.T, master, sentinel *brokertest.Process)
	}{
		// Publishers know at once; a subscription stays with the old master, where nothing comes any more, until
		// the node notices (here after 1.5 s, by default after 15 s).
		{"failover", time.Minute, 5 * time.Second, func(t *testing.T, _, sentinel *brokertest.Process) {
			rdb := redis.NewSentinelClient(&redis.Options{Addr: sentinel.Addr})
			defer rdb.Close()
			if err := rdb.Failover(t.Context(), "main").Err(); err != nil {
				t.Fatal(err)
			}
		}},
		// Sentinel waits for a second, then elects, then the replica must say that it is the master.
		{"death", time.Second, 10 * time.Second, func(t *testing.T, master, _ *brokertest.Process) { master.Stop(t) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			sentinel(t, test.away, test.most, test.fail)
		})
	}
}

func sentinel(t *testing.T, away, most time.Duration, fail func(t *testing.T, master, sentinel *brokertest.Process)) {
	master := brokertest.Redis(t)
	host, port, _ := net.SplitHostPort(master.Addr)
	replica := brokertest.Redis(t, "--replicaof", host+" "+port)
	sentinel := brokertest.Sentinel(t, "main", master.Addr, away)
	until(t, "Sentinel knows the replica", func() bool {
		rdb := redis.NewSentinelClient(&redis.Options{Addr: sentinel.Addr})
		defer rdb.Close()
		replicas, err := rdb.Replicas(t.Context(), "main").Result()
		return err == nil && len(replicas) == 1 && replicas[0]["master-link-status"] == "ok"
	})
	rdb := redis.NewClient(&redis.Options{Addr: replica.Addr})
	defer rdb.Close()
	faulttest.Failover(t, func(t *testing.T) cluster.Bus {
		return opener(func() redis.UniversalClient {
			return redis.NewFailoverClient(&redis.FailoverOptions{MasterName: "main", SentinelAddrs: []string{sentinel.Addr}})
		})(t, clustertest.Settings{Channel: "c"})
	}, most, func(t *testing.T) {
		fail(t, master, sentinel)
		until(t, "the replica is the master", func() bool {
			role, err := rdb.Info(t.Context(), "replication").Result()
			return err == nil && strings.Contains(role, "role:master")
		})
		time.Sleep(time.Second) // events go to the old master meanwhile, if they do
	})
}

func closeAll(t *testing.T, buses ...cluster.Bus) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var wg sync.WaitGroup
	for _, bus := range buses {
		wg.Go(func() {
			if err := bus.Close(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
