//go:build linux

// Bench measures what siokit costs a server: CPU time (user+sys, as the operating
// system counts it) per operation and resident memory per idle client, as ratios
// in one run against a server on gorilla/websocket alone and against the official
// Node server. Run it from the top of the repository, with npm's packages
// installed:
//
//	go run ./internal/bench            the table, in about eight minutes
//	go run ./internal/bench -quick     shows that everything works, in half a minute
//
// This process is the load generator. Each measurement starts the server anew,
// as a process of its own, and the servers take turns within a round, so that
// whatever else the machine does hits all of them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	servers, work []string
	decode        []string // servers whose handlers get values
	rounds        int
	scale         scale
	quick         bool
	jsonFile      string
	enforce       bool
}

func parse(args []string) (options, error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	servers := flags.String("servers", bare+","+node+","+siokit, "servers to measure, in the order of their turns")
	work := flags.String("work", strings.Join(names(), ","), "workloads")
	decode := flags.String("decode", siokit, "of bare and siokit, those whose handlers decode messages into a struct "+
		"instead of passing their bytes on")
	rounds := flags.Int("rounds", 5, "measurements of each workload on each server")
	seconds := flags.Float64("seconds", 2, "length of one measurement, after 1.5 s of warming up, at most 15")
	quick := flags.Bool("quick", false, "one short round with small counts, to see that everything works")
	jsonFile := flags.String("json", "", "also write every single figure to this file")
	enforce := flags.Bool("enforce", false, "fail when siokit misses a target")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	o := options{
		servers: strings.Split(*servers, ","), work: strings.Split(*work, ","), rounds: *rounds,
		decode: strings.Split(*decode, ","),
		scale:  fullScale(time.Duration(*seconds * float64(time.Second))),
		quick:  *quick, jsonFile: *jsonFile, enforce: *enforce,
	}
	if o.quick {
		o.rounds, o.scale = 1, quickScale()
	}
	switch {
	case flags.NArg() > 0:
		return options{}, fmt.Errorf("bench: unexpected argument %q", flags.Arg(0))
	case o.rounds < 1:
		return options{}, fmt.Errorf("bench: -rounds must be at least 1, got %d", o.rounds)
	case *seconds < 0.1 || *seconds > 15: // within one heartbeat interval
		return options{}, fmt.Errorf("bench: -seconds must be between 0.1 and 15, got %g", *seconds)
	}
	for _, w := range o.work {
		if !slices.Contains(names(), w) {
			return options{}, fmt.Errorf("bench: no workload %q: choose from %s", w, strings.Join(names(), ", "))
		}
	}
	return o, nil
}

func names() []string {
	var n []string
	for _, w := range workloads {
		n = append(n, w.name)
	}
	return n
}

// run measures all that o asks for. Progress goes to progress, one line for
// each measurement.
func run(ctx context.Context, o options, progress io.Writer) (*report, error) {
	dir, err := os.MkdirTemp("", "siokit-bench-")
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	defer os.RemoveAll(dir)
	commands, err := build(ctx, dir, o.servers)
	if err != nil {
		return nil, err
	}
	rep := &report{
		Machine: thisMachine(), Versions: map[string]string{}, Quick: o.quick,
		Rounds: o.rounds, Seconds: o.scale.window.Seconds(), Decode: o.decode,
	}
	for _, w := range workloads {
		if !slices.Contains(o.work, w.name) {
			continue
		}
		r := &row{Work: w.name, Title: w.title, Unit: w.unit, Per: w.per, Base: w.base, Target: w.target, Figures: map[string][]figure{}}
		rep.Rows = append(rep.Rows, r)
		for round := range o.rounds {
			for _, s := range o.servers {
				if s == w.skip {
					continue
				}
				f, err := w.once(ctx, commands[s], slices.Contains(o.decode, s), o.scale)
				if err != nil {
					return nil, fmt.Errorf("%s, round %d: %w", s, round+1, err)
				}
				rep.Versions[s] = f.Version
				r.Figures[s] = append(r.Figures[s], f)
				fmt.Fprintf(progress, "%-8s %-7s round %d: %8.2f %s per %s, %d operations, %.0f%% of a core\n",
					w.name, s, round+1, f.Value, w.unit, w.per, f.Ops, 100*f.CPU.Seconds()/max(f.Wall.Seconds(), 1e-9))
			}
		}
	}
	return rep, nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command(ctx, os.Args[1:]); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, err)
		}
		stop()
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	rep, err := run(ctx, o, os.Stderr)
	if err != nil {
		return err
	}
	if err := rep.markdown(os.Stdout); err != nil {
		return err
	}
	if o.jsonFile != "" {
		if err := rep.writeJSON(o.jsonFile); err != nil {
			return err
		}
	}
	if o.enforce {
		for _, r := range rep.Rows {
			if yes, ok := r.met(); ok && !yes {
				return fmt.Errorf("bench: %s misses its target of %g", r.Work, r.Target)
			}
		}
	}
	return nil
}
