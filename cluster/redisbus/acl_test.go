package redisbus_test

import (
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/siokit/siokit/cluster/clustertest"
	"github.com/siokit/siokit/cluster/internal/brokertest"
)

// The rights that docs/scaling-out.md gives to a server are enough, and not for another channel.
func TestRightsOfTheDocumentation(t *testing.T) {
	const rights = "on >secret resetchannels &socketio -@all +publish +subscribe +unsubscribe +ping +hello"
	addr := brokertest.Redis(t).Addr
	admin := redis.NewClient(&redis.Options{Addr: addr})
	defer admin.Close()
	args := []any{"ACL", "SETUSER", "siokit"}
	for right := range strings.FieldsSeq(rights) {
		args = append(args, right)
	}
	if err := admin.Do(t.Context(), args...).Err(); err != nil {
		t.Fatal(err)
	}
	open := opener(func() redis.UniversalClient {
		return redis.NewClient(&redis.Options{Addr: addr, Username: "siokit", Password: "secret"})
	})
	bus, other := open(t, clustertest.Settings{}), open(t, clustertest.Settings{Channel: "other"})
	defer closeAll(t, bus, other)
	got := make(chan string, 1)
	if err := bus.Subscribe(t.Context(), func(msg []byte) { got <- string(msg) }); err != nil {
		t.Fatal(err)
	}
	if err := bus.Publish([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if msg := <-got; msg != "hello" {
		t.Error(msg)
	}
	if err := other.Subscribe(t.Context(), func([]byte) {}); err == nil || !strings.Contains(err.Error(), "NOPERM") {
		t.Errorf("another channel: %v", err)
	}
}
