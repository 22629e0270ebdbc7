//go:build linux

package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// report is one run: what -json writes, and where the table comes from.
type report struct {
	Machine  machine           `json:"machine"`
	Versions map[string]string `json:"versions"` // by server
	Quick    bool              `json:"quick,omitempty"`
	Rounds   int               `json:"rounds"`
	Seconds  float64           `json:"seconds"` // of one measurement
	Decode   []string          `json:"decode"`  // the Go servers whose handlers get values
	Rows     []*row            `json:"rows"`
}

type machine struct {
	CPU    string    `json:"cpu"`
	Cores  int       `json:"cores"`
	Kernel string    `json:"kernel"`
	Go     string    `json:"go"`
	When   time.Time `json:"when"`
}

// row is one workload. Figures hold a value per round, by server.
type row struct {
	Work    string              `json:"work"`
	Title   string              `json:"title"`
	Unit    string              `json:"unit"`
	Per     string              `json:"per"`
	Base    string              `json:"base,omitempty"`
	Target  float64             `json:"target"`
	Figures map[string][]figure `json:"figures"`
}

func thisMachine() machine {
	m := machine{Cores: runtime.NumCPU(), Go: runtime.Version(), When: time.Now().UTC().Truncate(time.Second)}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		defer f.Close()
		for sc := bufio.NewScanner(f); sc.Scan(); {
			if name, ok := strings.CutPrefix(sc.Text(), "model name"); ok {
				m.CPU = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(name), ":"))
				break
			}
		}
	}
	return m
}

// spread is the median of several values and their range.
type spread struct{ median, low, high float64 }

// spreadOf returns the spread of v; ok is false when v is empty.
func spreadOf(v []float64) (s spread, ok bool) {
	if len(v) == 0 {
		return spread{}, false
	}
	v = slices.Sorted(slices.Values(v))
	mid := len(v) / 2
	median := v[mid]
	if len(v)%2 == 0 {
		median = (v[mid-1] + v[mid]) / 2
	}
	return spread{median, v[0], v[len(v)-1]}, true
}

// absolute returns the server's figures in the row's unit.
func (r *row) absolute(server string) (spread, bool) {
	var v []float64
	for _, f := range r.Figures[server] {
		v = append(v, f.Value)
	}
	return spreadOf(v)
}

// ratio compares the server with the base, round by round: what slowed the
// machine down in a round slowed both down.
func (r *row) ratio(server string) (spread, bool) {
	var v []float64
	base := r.Figures[r.Base]
	for i, f := range r.Figures[server] {
		if i < len(base) {
			v = append(v, f.Value/base[i].Value)
		}
	}
	return spreadOf(v)
}

// judged returns the figure that the target is about.
func (r *row) judged(server string) (spread, bool) {
	if r.Base == "" {
		return r.absolute(server)
	}
	return r.ratio(server)
}

// met reports whether siokit reached the target; ok is false when it was not
// measured, or its base was not.
func (r *row) met() (yes, ok bool) {
	s, ok := r.judged(siokit)
	return ok && s.median <= r.Target, ok
}

// markdown writes the report as a page's section.
func (rep *report) markdown(w io.Writer) error {
	var b strings.Builder
	m := rep.Machine
	fmt.Fprintf(&b, "Measured %s on %d cores of %s, Linux %s, %s.\n",
		m.When.Format(time.DateOnly), m.Cores, cmp.Or(m.CPU, "an unnamed CPU"), m.Kernel, m.Go)
	for _, s := range []string{bare, node, siokit} {
		if v := rep.Versions[s]; v != "" {
			fmt.Fprintf(&b, "%s: %s. ", s, v)
		}
	}
	fmt.Fprintf(&b, "%d rounds of %g s each; median, and (lowest-highest).\n", rep.Rounds, rep.Seconds)
	for _, s := range []string{bare, siokit} {
		if rep.Versions[s] != "" {
			how := "gets the bytes of a message"
			if slices.Contains(rep.Decode, s) {
				how = "decodes messages into a struct"
			}
			fmt.Fprintf(&b, "%s %s. ", s, how)
		}
	}
	b.WriteString("Node decodes them into objects.\n")
	if rep.Quick {
		b.WriteString("\n**A quick run: small counts and short windows. Not the numbers to publish.**\n")
	}
	b.WriteString("\n| work | clients | bare | Node | siokit | target | met? |\n|---|---|---|---|---|---|---|\n")
	for _, r := range rep.Rows {
		target, met := fmt.Sprintf("<= %g", r.Target), "-"
		switch r.Base {
		case "":
			target += " " + r.Unit
		case node:
			target += " of Node"
		}
		if yes, ok := r.met(); ok {
			met = map[bool]string{true: "yes", false: "**no**"}[yes]
		}
		fmt.Fprintf(&b, "| %s, per %s | %d | %s | %s | %s | %s | %s |\n", r.Title, r.Per, r.clients(),
			r.cell(bare), r.cell(node), r.cell(siokit), target, met)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *row) clients() int {
	for _, figures := range r.Figures {
		for _, f := range figures {
			return f.Clients
		}
	}
	return 0
}

// cell shows the base in its unit, and the others as ratios of it.
func (r *row) cell(server string) string {
	if s, ok := r.ratio(server); ok && server != r.Base {
		return fmt.Sprintf("%.2f (%.2f-%.2f)", s.median, s.low, s.high)
	}
	if s, ok := r.absolute(server); ok {
		return fmt.Sprintf("%.1f %s (%.1f-%.1f)", s.median, r.Unit, s.low, s.high)
	}
	return "-"
}

// writeJSON writes the report to the file.
func (rep *report) writeJSON(file string) error {
	b, err := json.MarshalIndent(rep, "", "  ")
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
}
