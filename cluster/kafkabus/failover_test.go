package kafkabus_test

import (
	"testing"
	"time"

	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/cluster/internal/faulttest"
	"github.com/siokit/siokit/cluster/kafkabus"
	"github.com/twmb/franz-go/pkg/kfake"
)

// F-08d: the partitions of the topic get other leaders, one broker after the other. Nothing is lost.
func TestLeadersMove(t *testing.T) {
	t.Parallel() // it waits more than it works
	kafka, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.SeedTopics(3, "f"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	faulttest.Failover(t, func(*testing.T) cluster.Bus {
		return kafkabus.New(kafka.ListenAddrs(), kafkabus.Options{Topic: "f", Logger: discard})
	}, 5*time.Second, func(t *testing.T) {
		for range 3 {
			for partition := range int32(3) {
				to := (kafka.LeaderFor("f", partition) + 1) % 3
				if err := kafka.MoveTopicPartition("f", partition, to); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(300 * time.Millisecond)
		}
	})
}
