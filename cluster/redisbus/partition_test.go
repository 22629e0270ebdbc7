package redisbus_test

import (
	"context"
	"net"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/cluster/clustertest"
	"github.com/siokit/siokit/cluster/internal/brokertest"
	"github.com/siokit/siokit/cluster/internal/faulttest"
)

// F-09: the network between one process and Redis fails in part.
func TestPartition(t *testing.T) {
	t.Parallel() // it waits more than it works
	server := brokertest.Redis(t)
	proxy := faulttest.NewProxy(t, server.Addr)
	for _, fault := range proxy.Faults() {
		t.Run(fault.Name, func(t *testing.T) {
			faulttest.Partition(t, func(t *testing.T, faulty bool) cluster.Bus {
				addr := server.Addr
				if faulty {
					addr = proxy.Addr
				}
				return opener(func() redis.UniversalClient { return redis.NewClient(&redis.Options{Addr: addr}) })(t, clustertest.Settings{Channel: "p"})
			}, fault)
		})
	}
}

// onReplica subscribes at a replica and does the rest at the master, as a client may that spreads its load.
type onReplica struct {
	redis.UniversalClient
	replica *redis.Client
}

func (c onReplica) Subscribe(ctx context.Context, channels ...string) *redis.PubSub {
	return c.replica.Subscribe(ctx, channels...)
}

// F-09b: the subscription is at a replica that has lost its master: the connection is fine and answers, and
// nothing is delivered.
func TestReplicaIsDetached(t *testing.T) {
	t.Parallel() // it waits more than it works
	master := brokertest.Redis(t)
	host, port, _ := net.SplitHostPort(master.Addr)
	replica := brokertest.Redis(t, "--replicaof", host+" "+port)
	admin := redis.NewClient(&redis.Options{Addr: replica.Addr})
	defer admin.Close()
	attach := func(t *testing.T, host, port string) {
		if err := admin.ReplicaOf(t.Context(), host, port).Err(); err != nil {
			t.Fatal(err)
		}
	}
	faulttest.Partition(t, func(t *testing.T, faulty bool) cluster.Bus {
		return opener(func() redis.UniversalClient {
			rdb := redis.NewClient(&redis.Options{Addr: master.Addr})
			if !faulty {
				return rdb
			}
			at := redis.NewClient(&redis.Options{Addr: replica.Addr})
			t.Cleanup(func() { _ = at.Close() })
			return onReplica{rdb, at}
		})(t, clustertest.Settings{Channel: "p"})
	}, faulttest.Fault{
		Begin: func(t *testing.T) { attach(t, "NO", "ONE") },
		End:   func(t *testing.T) { attach(t, host, port) },
	})
}
