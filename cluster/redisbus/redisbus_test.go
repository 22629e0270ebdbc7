package redisbus_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/cluster/clustertest"
	"github.com/siokit/siokit/cluster/internal/brokertest"
	"github.com/siokit/siokit/cluster/redisbus"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
		p := brokertest.Redis(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-port", brokertest.FreePort(t))
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
			return err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:3")
		})
	}
	clustertest.Run(t, opener(func() redis.UniversalClient {
		return redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs})
	}), clustertest.Options{Messages: 10_000})
}

// The master dies, and Sentinel makes the replica the master: messages go both ways again.
func TestSentinel(t *testing.T) {
	master := brokertest.Redis(t)
	host, port, _ := net.SplitHostPort(master.Addr)
	replica := brokertest.Redis(t, "--replicaof", host+" "+port)
	sentinel := brokertest.Sentinel(t, "main", master.Addr)
	failover := func() redis.UniversalClient {
		return redis.NewFailoverClient(&redis.FailoverOptions{MasterName: "main", SentinelAddrs: []string{sentinel.Addr}})
	}
	until(t, "Sentinel knows the replica", func() bool {
		rdb := redis.NewSentinelClient(&redis.Options{Addr: sentinel.Addr})
		defer rdb.Close()
		replicas, err := rdb.Replicas(t.Context(), "main").Result()
		return err == nil && len(replicas) == 1 && replicas[0]["master-link-status"] == "ok"
	})
	open := opener(failover)
	from, to := open(t, clustertest.Settings{Channel: "c"}), open(t, clustertest.Settings{Channel: "c"})
	defer closeAll(t, from, to)
	var last atomic.Value
	last.Store("")
	if err := to.Subscribe(t.Context(), func(msg []byte) { last.Store(string(msg)) }); err != nil {
		t.Fatal(err)
	}
	flow := func(phase string) {
		i := 0
		until(t, phase, func() bool {
			i++
			_ = from.Publish(fmt.Appendf(nil, "%s %d", phase, i))
			return strings.HasPrefix(last.Load().(string), phase)
		})
	}
	flow("before")
	master.Stop(t)
	flow("after")
	rdb := redis.NewClient(&redis.Options{Addr: replica.Addr})
	defer rdb.Close()
	if role, err := rdb.Info(t.Context(), "replication").Result(); err != nil || !strings.Contains(role, "role:master") {
		t.Errorf("the replica is no master: %v\n%s", err, role)
	}
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
