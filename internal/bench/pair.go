//go:build linux

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"time"

	"github.com/siokit/siokit/internal/freeport"
)

// end is one of two servers that share a Redis.
type end int

const (
	alone end = iota
	receiving
	sending
)

// onceInPair is once for two servers: the members of the room are connected to one, the sender to the other.
func (w workload) onceInPair(ctx context.Context, command []string, decode bool, sc scale) (figure, error) {
	addr, stop, err := startRedis(ctx)
	if err != nil {
		return figure{}, err
	}
	defer stop()
	receiver, err := startServer(ctx, command, decode, "REDIS="+addr)
	if err != nil {
		return figure{}, err
	}
	defer receiver.stop()
	sender, err := startServer(ctx, command, decode, "REDIS="+addr)
	if err != nil {
		return figure{}, err
	}
	defer sender.stop()
	l, err := newLoop(receiver.addr, sc.stall)
	if err != nil {
		return figure{}, err
	}
	defer l.close()
	measured := map[end]*server{receiving: receiver, sending: sender}[w.pair]
	s, err := measure(l, &room{members: sc.members, depth: 50, outside: sender.addr}, measured.cpu, sc.warm, sc.window)
	if err == nil {
		err = checkClocks(measured.pid())
	}
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return figure{}, fmt.Errorf("%s: %w", w.name, err)
	}
	return figure{Value: s.micros(), Clients: w.scaled(sc), Ops: s.Ops, CPU: s.CPU, Wall: s.Wall, Version: measured.version}, nil
}

// startRedis starts a redis-server on a port of its own.
func startRedis(ctx context.Context) (addr string, stop func(), err error) {
	port, err := freeport.Find()
	if err != nil {
		return "", nil, err
	}
	addr = net.JoinHostPort("127.0.0.1", port)
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, "redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", os.TempDir())
	if err := cmd.Start(); err != nil {
		cancel()
		return "", nil, fmt.Errorf("bench: %w: run make setup-redis", err)
	}
	stop = func() {
		cancel()
		_ = cmd.Wait() // the error would only say that it was killed
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			return addr, stop, c.Close()
		}
		if time.Now().After(deadline) {
			stop()
			return "", nil, fmt.Errorf("bench: redis-server does not start: %w", err)
		}
	}
}
