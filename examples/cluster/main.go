// Command cluster is two servers and a worker that share a message bus. What is said in a browser at one server is heard
// at the other, and the worker, which serves nobody, tells the time to all. Start it at the top of the repository and
// open http://127.0.0.1:5000 and http://127.0.0.1:5001 side by side:
//
//	go run ./examples/cluster
//
// All three run in this process and share a bus inside it, so nothing else is needed. With REDIS_URL they share a Redis,
// with each other and with whoever else is on it: start the command twice, with other addresses, for four servers.
//
// Environment:
//
//	ADDRS       where to listen, default "127.0.0.1:5000 127.0.0.1:5001"
//	REDIS_URL   for example redis://localhost:6379; default none
//	CLIENT_DIR  the dist folder of npm's socket.io-client, default node_modules/socket.io-client/dist
package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/cluster/membus"
	"github.com/siokit/siokit/cluster/redisbus"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := start(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func start(ctx context.Context) error {
	newBus := overMemory()
	if url := os.Getenv("REDIS_URL"); url != "" {
		opts, err := redis.ParseURL(url)
		if err != nil {
			return fmt.Errorf("REDIS_URL: %w", err)
		}
		rdb := redis.NewClient(opts)
		defer func() { _ = rdb.Close() }()
		newBus = overRedis(rdb)
	}
	var listeners []net.Listener
	for _, addr := range strings.Fields(cmp.Or(os.Getenv("ADDRS"), "127.0.0.1:5000 127.0.0.1:5001")) {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return err
		}
		fmt.Println("open http://" + l.Addr().String())
		listeners = append(listeners, l)
	}
	client := os.DirFS(cmp.Or(os.Getenv("CLIENT_DIR"), "node_modules/socket.io-client/dist"))
	return run(ctx, listeners, newBus, client, time.Second)
}

// overMemory and overRedis make the bus of each server, and of the worker: the only line that a broker changes.

func overMemory() func() cluster.Bus {
	hub := new(membus.Hub)
	return func() cluster.Bus { return hub.Bus() }
}

func overRedis(rdb *redis.Client) func() cluster.Bus {
	return func() cluster.Bus { return redisbus.New(rdb, redisbus.Options{Channel: "siokit-example"}) }
}
