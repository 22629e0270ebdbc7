//go:build linux

package main

import (
	"fmt"
	"time"
)

// load is one kind of traffic, kept going by the arrivals themselves: a closed
// loop with a fixed number of operations in flight. A load checks every message
// it gets for content and order, so that a server that drops, repeats or
// garbles messages fails the bench and does not win it.
type load interface {
	// open makes the connections and returns when they are ready.
	open(l *loop) error
	// start puts the first operations in flight.
	start() error
	// stop lets what is in flight finish and starts nothing more.
	stop()
	// finished returns the number of operations completed so far.
	finished() int64
	// pending returns the number of operations in flight, 0 some time after stop.
	pending() int
	// part takes leave of the server before the connections are closed.
	part() error
}

// sample is one measurement of one server.
type sample struct {
	Ops  int64         // operations completed in the window
	Wall time.Duration // length of the window
	CPU  time.Duration // what the server used in it, user+sys
}

// micros returns the server's CPU microseconds per operation.
func (s sample) micros() float64 { return float64(s.CPU.Nanoseconds()) / 1e3 / float64(s.Ops) }

// clock returns the CPU time a server has used since it was started.
type clock func() (time.Duration, error)

// measure runs the load for warm and then for window, and returns what the
// window cost. As many operations are in flight when it ends as when it began,
// so the cut edges cancel out.
func measure(l *loop, ld load, cpu clock, warm, window time.Duration) (sample, error) {
	defer l.hangup()
	if err := ld.open(l); err != nil {
		return sample{}, err
	}
	if err := ld.start(); err != nil {
		return sample{}, err
	}
	if err := l.runFor(warm); err != nil {
		return sample{}, err
	}
	cpu0, err := cpu()
	if err != nil {
		return sample{}, err
	}
	ops0, t0 := ld.finished(), time.Now()
	if err := l.runFor(window); err != nil {
		return sample{}, err
	}
	cpu1, err := cpu()
	if err != nil {
		return sample{}, err
	}
	got := sample{Ops: ld.finished() - ops0, Wall: time.Since(t0), CPU: cpu1 - cpu0}
	ld.stop()
	err = l.runUntil(func() bool { return ld.pending() == 0 },
		func() string { return fmt.Sprintf("%d operations never finished", ld.pending()) })
	if err == nil {
		err = ld.part()
	}
	if err == nil && got.Ops == 0 {
		err = fmt.Errorf("bench: no operation finished within %v: give it more -seconds", window)
	}
	return got, err
}
