//go:build linux

package main

import (
	"context"
	"fmt"
	"time"
)

// scale is how much of everything a run uses.
type scale struct {
	warm, window time.Duration // per measurement, after connecting
	stall        time.Duration // silence after which something is missing

	echoClients  int
	batchClients int
	batchDepth   int
	members      int // of the room
	connects     int // connections being made at a time
	pollers      int
	idle, before int // idle clients measured, and those there before
}

// fullScale is what the targets are defined for. Node needs the warm-up: its
// just-in-time compiler is part of how it runs.
func fullScale(window time.Duration) scale {
	return scale{
		warm: 1500 * time.Millisecond, window: window, stall: 10 * time.Second,
		echoClients: 100, batchClients: 20, batchDepth: 16, members: 1000,
		connects: 20, pollers: 20, idle: 5000, before: 500,
	}
}

// quickScale shows that everything works, in seconds. Its numbers mean little.
func quickScale() scale {
	return scale{
		warm: 100 * time.Millisecond, window: 300 * time.Millisecond, stall: 5 * time.Second,
		echoClients: 10, batchClients: 2, batchDepth: 16, members: 50,
		connects: 5, pollers: 5, idle: 200, before: 50,
	}
}

// workload is one row of the table.
type workload struct {
	name   string // for -work
	title  string
	per    string              // what one operation is
	base   string              // the server whose cost is 1; "" when the target is absolute
	target float64             // what siokit may cost at most, as a ratio of base or in KiB
	skip   string              // the server that cannot do this
	load   func(scale) load    // nil for idle
	unit   string              // of the absolute figures
	warmth int                 // how many times longer than others it warms up, less one
	scaled func(scale) (n int) // how many clients, for the report
	pair   end                 // which of two servers is measured; none for a server that is alone
}

var workloads = []workload{
	{
		name: "echo", title: "echo with ack, 100-byte JSON, one in flight per client", per: "echo",
		base: bare, target: 1.2, unit: "µs",
		load:   func(s scale) load { return &echo{clients: s.echoClients, depth: 1} },
		scaled: func(s scale) int { return s.echoClients },
	},
	{
		name: "batch", title: "the same, 16 in flight per client", per: "echo",
		base: bare, target: 0.8, unit: "µs",
		load:   func(s scale) load { return &echo{clients: s.batchClients, depth: s.batchDepth} },
		scaled: func(s scale) int { return s.batchClients },
	},
	{
		name: "room2", title: "broadcast to a room, 2 in flight", per: "delivery",
		base: bare, target: 0.75, unit: "µs",
		load:   func(s scale) load { return &room{members: s.members, depth: 2} },
		scaled: func(s scale) int { return s.members },
	},
	{
		name: "room50", title: "the same, 50 in flight", per: "delivery",
		base: bare, target: 0.25, unit: "µs",
		load:   func(s scale) load { return &room{members: s.members, depth: 50} },
		scaled: func(s scale) int { return s.members },
	},
	{
		name: "farin", title: "broadcast to a room at another server, 50 in flight: the server of the members", per: "delivery",
		base: node, target: 1, unit: "µs", skip: bare, pair: receiving,
		scaled: func(s scale) int { return s.members },
	},
	{
		name: "farout", title: "the same: the server of the sender", per: "delivery",
		base: node, target: 1, unit: "µs", skip: bare, pair: sending,
		scaled: func(s scale) int { return s.members },
	},
	{
		name: "connect", title: "connect and close, WebSocket only", per: "connection",
		base: bare, target: 1.7, unit: "µs", warmth: 2, // few operations: the compiler needs time
		load:   func(s scale) load { return &connect{atOnce: s.connects} },
		scaled: func(s scale) int { return s.connects },
	},
	{
		name: "polling", title: "polling round trip (POST + GET)", per: "round trip",
		base: node, target: 0.7, unit: "µs", skip: bare,
		load:   func(s scale) load { return &polling{clients: s.pollers} },
		scaled: func(s scale) int { return s.pollers },
	},
	{
		name: "idle", title: "idle WebSocket, resident", per: "connection",
		target: 10, unit: "KiB",
		scaled: func(s scale) int { return s.idle },
	},
}

// once measures the workload on a server process of its own, and returns the
// figure in w.unit per operation.
func (w workload) once(ctx context.Context, command []string, decode bool, sc scale) (figure, error) {
	if w.pair != alone {
		return w.onceInPair(ctx, command, decode, sc)
	}
	srv, err := startServer(ctx, command, decode)
	if err != nil {
		return figure{}, err
	}
	defer srv.stop()
	l, err := newLoop(srv.addr, sc.stall)
	if err != nil {
		return figure{}, err
	}
	defer l.close()
	f := figure{Version: srv.version}
	if w.load == nil {
		i := idle{before: sc.before, more: sc.idle, stall: sc.stall}
		if err := i.fit(); err != nil {
			return figure{}, err
		}
		f.Clients = i.more
		f.Value, err = i.measure(l, srv.pid())
	} else {
		var s sample
		s, err = measure(l, w.load(sc), srv.cpu, time.Duration(1+w.warmth)*sc.warm, sc.window)
		f.Clients, f.Ops, f.CPU, f.Wall = w.scaled(sc), s.Ops, s.CPU, s.Wall
		if err == nil {
			f.Value = s.micros()
		}
	}
	if err == nil {
		err = checkClocks(srv.pid())
	}
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx) // the servers were killed: the rest follows from that
	}
	if err != nil {
		return figure{}, fmt.Errorf("%s: %w", w.name, err)
	}
	return f, nil
}

// figure is what one measurement gave.
type figure struct {
	Value   float64       `json:"value"` // per operation, in the workload's unit
	Clients int           `json:"clients"`
	Ops     int64         `json:"ops,omitempty"`
	CPU     time.Duration `json:"cpu_ns,omitempty"`
	Wall    time.Duration `json:"wall_ns,omitempty"`
	Version string        `json:"-"`
}
