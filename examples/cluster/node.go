package main

import (
	"context"
	"embed"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"time"

	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/emitter"
)

//go:embed page
var page embed.FS

// Said is what everybody hears.
type Said struct {
	Text string `json:"text"`
	Node string `json:"node"` // to which the speaker is connected
}

// run serves on each listener by a server of its own, and works, until ctx ends.
func run(ctx context.Context, listeners []net.Listener, newBus func() cluster.Bus, client fs.FS, every time.Duration) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error)
	go func() { done <- work(ctx, newBus(), every) }()
	for _, l := range listeners {
		go func() { done <- serve(ctx, l, newBus(), client) }()
	}
	var err error
	for range len(listeners) + 1 {
		err = errors.Join(err, <-done)
		stop() // when one ends, all do
	}
	return err
}

// serve is one of the servers. Nothing in it but Bus says that there are others.
func serve(ctx context.Context, l net.Listener, bus cluster.Bus, client fs.FS) error {
	name := l.Addr().String()
	srv, err := core.New(core.Config{Bus: bus, Client: client})
	if err != nil {
		return errors.Join(err, l.Close())
	}
	srv.OnConnect(func(c *core.Context) error {
		if err := c.Join("clock"); err != nil {
			return err
		}
		return c.Emit("node", name)
	})
	core.On(srv, "say", func(_ *core.Context, text string) error {
		return srv.Emit("said", Said{Text: text, Node: name})
	})
	core.OnCall(srv, "who is there", func(c *core.Context, _ core.None) (int, error) {
		everybody, err := srv.Everybody().Fetch(c) // on all servers
		return len(everybody), err
	})

	app := http.NewServeMux()
	app.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if err := srv.ClusterHealth(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	return srv.Serve(ctx, l, core.Static(page, map[string]core.StaticFile{
		"/":       {Name: "page/index.html"},
		"/assets": {Name: "page/"},
	}, app))
}

// work is the worker: it tells the time to a room, wherever its members are connected.
func work(ctx context.Context, bus cluster.Bus, every time.Duration) error {
	em := emitter.New(bus, emitter.Options{})
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			if err := em.To("clock").Volatile().Emit(ctx, "time", now.Format(time.TimeOnly)); err != nil && ctx.Err() == nil {
				return err
			}
		case <-ctx.Done():
			closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			return em.Close(closing) // hands over what it said last
		}
	}
}
