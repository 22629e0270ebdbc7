// Package redisbus is a cluster.Bus over Redis PUBLISH and SUBSCRIBE: one server, Sentinel or Redis
// Cluster, whatever the go-redis client that is handed in talks to.
//
//	rdb := redis.NewClient(&redis.Options{Addr: "localhost:6379"})
//	srv, err := core.New(core.Config{Bus: redisbus.New(rdb, redisbus.Options{})})
//
// It is the format and the channel of python-socketio's RedisManager. Redis keeps nothing for a
// subscriber that is away: what is published while one reconnects does not reach it. The number of a
// Redis database does not separate channels; give staging and production different names.
package redisbus

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/siokit/siokit/cluster/internal/pump"
)

// Options configures a Bus. The zero value of every field is its default.
type Options struct {
	// Channel is the name on which all processes meet. Default "socketio", that of python-socketio;
	// Flask-SocketIO's is "flask-socketio".
	Channel string
	// MaxMessages and MaxBytes bound what waits while Redis is away; beyond them the oldest are dropped
	// and counted. Defaults 10,000 and 8 MiB.
	MaxMessages int
	MaxBytes    int
	// StartWithoutBroker lets a server start while Redis cannot be reached; it serves its own clients
	// until it can. Default false: starting is an error.
	StartWithoutBroker bool
	// Logger gets a line when the state changes, never one per message. Default slog.Default().
	Logger *slog.Logger
}

// A Bus implements cluster.Bus.
type Bus struct{ *pump.Pump }

// New returns a bus that uses rdb, which remains the caller's: Close does not close it.
func New(rdb redis.UniversalClient, opts Options) *Bus {
	if opts.Channel == "" {
		opts.Channel = pump.DefaultChannel
	}
	d := &driver{rdb: rdb, channel: opts.Channel}
	return &Bus{pump.New("redisbus", d, pump.Options{
		MaxMessages: opts.MaxMessages, MaxBytes: opts.MaxBytes,
		StartWithoutBroker: opts.StartWithoutBroker, Logger: opts.Logger,
	})}
}

type driver struct {
	rdb     redis.UniversalClient
	channel string
}

// Publish sends the messages in one pipeline over one connection, so that they arrive in order.
func (d *driver) Publish(ctx context.Context, msgs [][]byte) (n int, err error) {
	rdb, err := d.publisher(ctx)
	if err != nil {
		return 0, err
	}
	cmds, err := rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, msg := range msgs {
			p.Publish(ctx, d.channel, msg)
		}
		return nil
	})
	if c, ok := d.rdb.(*redis.ClusterClient); ok && err != nil {
		c.ReloadState(ctx) // the node may be another now
	}
	for _, cmd := range cmds {
		if cmd.Err() != nil {
			return n, cmd.Err()
		}
		n++
	}
	return n, err
}

// publisher returns a client of one server. A cluster's client would spread the commands, which have no
// key, over all of them, and they would overtake each other.
func (d *driver) publisher(ctx context.Context) (redis.UniversalClient, error) {
	c, ok := d.rdb.(*redis.ClusterClient)
	if !ok {
		return d.rdb, nil
	}
	return c.MasterForKey(ctx, d.channel)
}

const (
	// quiet is after how long without a message the connection is asked whether it is alive, and after how
	// long without an answer it is given up.
	quiet = 5 * time.Second
	// subscribeTimeout bounds the answer to SUBSCRIBE.
	subscribeTimeout = 5 * time.Second
)

// Receive reads the subscription itself: PubSub.Channel drops messages when its reader is slow, and
// does not say so.
func (d *driver) Receive(ctx context.Context, live func(), receive func(msg []byte)) error {
	sub := d.rdb.Subscribe(ctx, d.channel)
	defer sub.Close()
	stop := context.AfterFunc(ctx, func() { _ = sub.Close() })
	defer stop()
	if _, err := sub.ReceiveTimeout(ctx, subscribeTimeout); err != nil {
		return fmt.Errorf("SUBSCRIBE %s: %w", d.channel, err)
	}
	live()
	var heard atomic.Int64 // how many answers and messages have come
	watched := make(chan struct{})
	ended := make(chan struct{})
	defer func() { close(ended); <-watched }()
	go func() {
		defer close(watched)
		watch(ctx, sub, &heard, ended)
	}()
	for {
		// Without a deadline: one that passes in the middle of a message would leave its rest unread.
		got, err := sub.Receive(ctx)
		if err != nil {
			return err
		}
		heard.Add(1)
		if m, ok := got.(*redis.Message); ok {
			receive([]byte(m.Payload))
		}
	}
}

// watch closes a subscription that has stopped to answer.
func watch(ctx context.Context, sub *redis.PubSub, heard *atomic.Int64, ended <-chan struct{}) {
	ticker := time.NewTicker(quiet)
	defer ticker.Stop()
	last, asked := heard.Load(), false
	for {
		select {
		case <-ended:
			return
		case <-ticker.C:
		}
		now := heard.Load()
		switch {
		case now != last:
			last, asked = now, false
		case asked || sub.Ping(ctx) != nil:
			_ = sub.Close()
			return
		default:
			asked = true
		}
	}
}

func (d *driver) Close() error { return nil }
