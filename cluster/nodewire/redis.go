package nodewire

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// quiet is after how long without a message the connection is asked whether it is alive, and after how
	// long without an answer it is given up.
	quiet = 5 * time.Second
	// subscribeTimeout bounds the answers to the first subscriptions of a connection.
	subscribeTimeout = 5 * time.Second
)

// connection is the pump's driver: what goes to Redis and comes from there are frames of a channel and a
// message.
type connection struct {
	rdb     redis.UniversalClient
	pattern string        // of the broadcasts
	wake    chan struct{} // tells the subscription that wanted has changed

	mu      sync.Mutex
	wanted  map[string]bool // channels; guarded by mu
	live    map[string]bool // those whose messages arrive; guarded by mu
	changed chan struct{}   // closed and replaced when live changes; guarded by mu
}

func newConnection(rdb redis.UniversalClient, pattern string) *connection {
	return &connection{
		rdb: rdb, pattern: pattern, wake: make(chan struct{}, 1),
		wanted: make(map[string]bool), live: make(map[string]bool), changed: make(chan struct{}),
	}
}

// want adds channels to the subscription or removes them. It does not wait.
func (c *connection) want(yes bool, channels ...string) {
	c.mu.Lock()
	for _, ch := range channels {
		if yes {
			c.wanted[ch] = true
		} else {
			delete(c.wanted, ch)
		}
	}
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// await returns when what is published on the channels arrives.
func (c *connection) await(ctx context.Context, channels ...string) error {
	for {
		c.mu.Lock()
		there, changed := c.liveLocked(channels), c.changed
		c.mu.Unlock()
		if there {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (c *connection) liveLocked(channels []string) bool {
	return !slices.ContainsFunc(channels, func(ch string) bool { return !c.live[ch] })
}

func (c *connection) setLive(channel string, live bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if live {
		c.live[channel] = true
	} else {
		delete(c.live, channel)
	}
	c.notifyLocked()
}

func (c *connection) notifyLocked() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// difference returns what is to be subscribed and unsubscribed, and notes it in asked.
func (c *connection) difference(asked map[string]bool) (more, less []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for ch := range c.wanted {
		if !asked[ch] {
			more, asked[ch] = append(more, ch), true
		}
	}
	for ch := range asked {
		if !c.wanted[ch] {
			less = append(less, ch)
			delete(asked, ch)
			delete(c.live, ch) // now: it may be wanted again before Redis has answered
		}
	}
	return more, less
}

// Publish sends the frames in one pipeline over one connection, so that they arrive in order.
func (c *connection) Publish(ctx context.Context, frames [][]byte) (n int, err error) {
	rdb := c.rdb
	cluster, isCluster := c.rdb.(*redis.ClusterClient)
	if isCluster { // which would spread the commands over all its servers, where they overtake each other
		if rdb, err = cluster.MasterForKey(ctx, c.pattern); err != nil {
			return 0, err
		}
	}
	cmds, err := rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, frame := range frames {
			channel, msg, err := cutChannel(frame)
			if err != nil {
				return err
			}
			p.Publish(ctx, channel, msg)
		}
		return nil
	})
	if isCluster && err != nil {
		cluster.ReloadState(ctx) // the server may be another now
	}
	for _, cmd := range cmds {
		if cmd.Err() != nil {
			return n, cmd.Err()
		}
		n++
	}
	return n, err
}

// Receive reads the subscription itself: PubSub.Channel drops messages when its reader is slow, and
// does not say so.
func (c *connection) Receive(ctx context.Context, live func(), receive func(frame []byte)) error {
	asked := make(map[string]bool)
	first, _ := c.difference(asked)
	sub := c.rdb.Subscribe(ctx, first...)
	defer sub.Close()
	stop := context.AfterFunc(ctx, func() { _ = sub.Close() })
	defer stop()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		clear(c.live)
		c.notifyLocked()
	}()
	if err := sub.PSubscribe(ctx, c.pattern); err != nil {
		return fmt.Errorf("PSUBSCRIBE %s: %w", c.pattern, err)
	}
	late := time.AfterFunc(subscribeTimeout, func() { _ = sub.Close() })
	defer late.Stop()
	var heard atomic.Int64 // how many answers and messages have come
	var watching sync.WaitGroup
	ended := make(chan struct{})
	defer func() { close(ended); watching.Wait() }()
	missing := len(first) + 1
	for {
		// Without a deadline: one that passes in the middle of a message would leave its rest unread.
		got, err := sub.Receive(ctx)
		if err != nil {
			return err
		}
		heard.Add(1)
		switch got := got.(type) {
		case *redis.Message:
			receive(append(appendChannel(make([]byte, 0, len(got.Channel)+len(got.Payload)+2), got.Channel), got.Payload...))
		case *redis.Subscription:
			c.setLive(got.Channel, strings.HasSuffix(got.Kind, "subscribe") && !strings.HasSuffix(got.Kind, "unsubscribe"))
			if missing--; missing == 0 {
				late.Stop()
				live()
				watching.Go(func() { c.watch(ctx, sub, asked, &heard, ended) })
			}
		}
	}
}

// watch keeps a subscription to what is wanted, and closes it when it has stopped to answer. asked is
// what has been subscribed; it belongs to watch from now on.
func (c *connection) watch(ctx context.Context, sub *redis.PubSub, asked map[string]bool, heard *atomic.Int64, ended <-chan struct{}) {
	ticker := time.NewTicker(quiet)
	defer ticker.Stop()
	last, pinged := heard.Load(), false
	for {
		if err := c.adjust(ctx, sub, asked); err != nil {
			_ = sub.Close()
			return
		}
		select {
		case <-ended:
			return
		case <-c.wake:
			continue
		case <-ticker.C:
		}
		now := heard.Load()
		switch {
		case now != last:
			last, pinged = now, false
		case pinged || sub.Ping(ctx) != nil:
			_ = sub.Close()
			return
		default:
			pinged = true
		}
	}
}

func (c *connection) adjust(ctx context.Context, sub *redis.PubSub, asked map[string]bool) error {
	more, less := c.difference(asked)
	if len(less) > 0 {
		if err := sub.Unsubscribe(ctx, less...); err != nil {
			return err
		}
	}
	if len(more) > 0 {
		return sub.Subscribe(ctx, more...)
	}
	return nil
}

// Close implements pump.Driver. The client is the caller's.
func (c *connection) Close() error { return nil }

// eachServer calls f for each server of a Redis Cluster, where subscriptions are known only to the server on
// which they are, or for the one.
func (c *connection) eachServer(ctx context.Context, f func(rdb redis.Cmdable) error) error {
	if cluster, ok := c.rdb.(*redis.ClusterClient); ok {
		return cluster.ForEachShard(ctx, func(_ context.Context, rdb *redis.Client) error { return f(rdb) })
	}
	return f(c.rdb)
}

// subscribers counts the subscriptions to a channel.
func (c *connection) subscribers(ctx context.Context, channel string) (int, error) {
	var sum atomic.Int64
	err := c.eachServer(ctx, func(rdb redis.Cmdable) error {
		counts, err := rdb.PubSubNumSub(ctx, channel).Result()
		sum.Add(counts[channel])
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("nodewire: PUBSUB NUMSUB: %w", err)
	}
	return int(sum.Load()), nil
}

// matching returns the channels with subscriptions that a pattern matches.
func (c *connection) matching(ctx context.Context, pattern string) ([]string, error) {
	var mu sync.Mutex
	var all []string
	err := c.eachServer(ctx, func(rdb redis.Cmdable) error {
		some, err := rdb.PubSubChannels(ctx, pattern).Result()
		mu.Lock()
		defer mu.Unlock()
		all = append(all, some...)
		return err
	})
	slices.Sort(all)
	return slices.Compact(all), err
}
