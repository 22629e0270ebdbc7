//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// tiny is the smallest scale on which every workload still does its work.
func tiny() scale {
	sc := quickScale()
	sc.warm, sc.stall = 5*time.Millisecond, patience
	sc.members, sc.idle, sc.before = 10, 100, 10
	return sc
}

// measured runs o until the report is plausible: each time in longer windows, as a busy machine may give a server
// none of a short one.
func measured(t *testing.T, o options, plausible func(*report) error) *report {
	t.Helper()
	var failed error
	for _, o.scale.window = range []time.Duration{50 * time.Millisecond, 500 * time.Millisecond, 3 * time.Second} {
		rep, err := run(t.Context(), o, t.Output())
		if err == nil {
			err = plausible(rep)
		}
		if err == nil {
			return rep
		}
		failed = err
		t.Logf("in windows of %s: %v", o.scale.window, err)
	}
	t.Fatal(failed)
	return nil
}

// Two servers that share a Redis, either of which is measured.
func TestRunMeasuresAPair(t *testing.T) {
	o, err := parse([]string{"-quick", "-servers", "siokit", "-work", "farin,farout"})
	if err != nil {
		t.Fatal(err)
	}
	o.scale = tiny()
	measured(t, o, func(rep *report) error {
		if len(rep.Rows) != 2 {
			return fmt.Errorf("%d rows", len(rep.Rows))
		}
		for _, r := range rep.Rows {
			if f := r.Figures[siokit]; len(f) != 1 || f[0].Ops == 0 || f[0].Value > 10_000 {
				return fmt.Errorf("%s: %+v", r.Work, f)
			}
		}
		return nil
	})
}

// The whole way from the flags to the table, against the bare server, so that
// the bench still runs when somebody needs it.
func TestRunMeasuresTheBareServer(t *testing.T) {
	o, err := parse([]string{"-quick", "-servers", "bare"})
	if err != nil {
		t.Fatal(err)
	}
	o.scale, o.rounds = tiny(), 2
	rep := measured(t, o, func(rep *report) error {
		if len(rep.Rows) != len(workloads) {
			return fmt.Errorf("%d rows, want one for each of %d workloads", len(rep.Rows), len(workloads))
		}
		for _, r := range rep.Rows {
			figures := r.Figures[bare]
			if slices.Contains([]string{"polling", "farin", "farout"}, r.Work) {
				if len(figures) != 0 {
					return fmt.Errorf("%s: the bare server has none, got %v", r.Work, figures)
				}
				continue
			}
			if len(figures) != o.rounds {
				return fmt.Errorf("%s: %d figures, want %d", r.Work, len(figures), o.rounds)
			}
			for _, f := range figures {
				// An idle client costs pages, which come in lumps at this scale.
				if r.Work != "idle" && (f.Ops == 0 || f.Value <= 0 || f.Value > 10_000) {
					return fmt.Errorf("%s: implausible figure %+v", r.Work, f)
				}
			}
		}
		return nil
	})

	var table strings.Builder
	if err := rep.markdown(&table); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"bare: gorilla/websocket v", "A quick run", "| echo with ack", "| idle WebSocket"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, table.String())
		}
	}

	file := filepath.Join(t.TempDir(), "bench.json")
	if err := rep.writeJSON(file); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var back report
	if err := json.Unmarshal(b, &back); err != nil || len(back.Rows) != len(rep.Rows) {
		t.Errorf("JSON file: %d rows, error %v, want %d rows", len(back.Rows), err, len(rep.Rows))
	}
}

// A server must not outlive the bench, however that ends.
func TestServerEnds(t *testing.T) {
	commands, err := build(t.Context(), t.TempDir(), []string{bare})
	if err != nil {
		t.Fatal(err)
	}
	for name, end := range map[string]func(*server, context.CancelFunc){
		"with stop":        func(s *server, _ context.CancelFunc) { s.stop() },
		"with its context": func(s *server, cancel context.CancelFunc) { cancel(); s.cmd.Wait() },
		"with this process": func(s *server, _ context.CancelFunc) {
			s.alive.Close() // as the kernel does for a process that dies
			if err := s.cmd.Wait(); err != nil {
				t.Errorf("the server ended with %v, want a normal end", err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s, err := startServer(ctx, commands[bare], false)
			if err != nil {
				t.Fatal(err)
			}
			defer s.stop()
			end(s, cancel)
			if err := syscall.Kill(s.pid(), 0); !errors.Is(err, syscall.ESRCH) {
				t.Errorf("signalling the ended server: %v, want no such process", err)
			}
		})
	}
}

func TestStartServerNamesTheCommandThatFails(t *testing.T) {
	_, err := startServer(t.Context(), []string{"echo", "hello", "world"}, false)
	if err == nil || !strings.Contains(err.Error(), "world did not start") {
		t.Errorf("got error %v, want one that names the command", err)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, args := range [][]string{
		{"-work", "ecko"}, {"-rounds", "0"}, {"-seconds", "60"}, {"-seconds", "0"}, {"extra"},
	} {
		if _, err := parse(args); err == nil || !strings.HasPrefix(err.Error(), "bench: ") {
			t.Errorf("parse(%q): error %v, want one that says what is wrong", args, err)
		}
	}
	if _, err := build(t.Context(), t.TempDir(), []string{"deno"}); err == nil {
		t.Error("build accepts a server it does not know")
	}
}
