//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// statTick is the unit of utime and stime in /proc/<pid>/stat. The kernel
// reports them in USER_HZ, which is 100 on every Linux that Go runs on.
const statTick = 10 * time.Millisecond

// cpuTime returns the user+system CPU time of all threads of process pid, those
// that have ended included, with the scheduler's nanosecond resolution. It reads
// the process's CPU clock, the sum that /proc/<pid>/task/*/schedstat would give
// if finished threads stayed listed.
func cpuTime(pid int) (time.Duration, error) {
	// The kernel's encoding of "CPU clock of process pid", see clock_getcpuclockid(3).
	const schedClock = 2
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|schedClock), &ts); err != nil {
		return 0, fmt.Errorf("bench: CPU clock of process %d: %w (did the server die?)", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// statTime returns utime+stime of process pid from /proc/<pid>/stat: coarse, but
// what ps and top show, so the bench checks cpuTime against it.
func statTime(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("bench: %w (did the server die?)", err)
	}
	// The command name may hold spaces and brackets; what follows its last ')' may not.
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("bench: /proc/%d/stat has only %d fields", pid, len(fields))
	}
	var ticks int64
	for _, f := range fields[11:13] { // utime and stime: fields 14 and 15 of the whole line
		n, err := strconv.ParseInt(string(f), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("bench: /proc/%d/stat: %w", pid, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * statTick, nil
}

// checkClocks fails when the two sources of CPU time differ by more than
// rounding, for then the numbers of this machine cannot be trusted.
func checkClocks(pid int) error {
	fine, err := cpuTime(pid)
	if err != nil {
		return err
	}
	coarse, err := statTime(pid)
	if err != nil {
		return err
	}
	after, err := cpuTime(pid) // the process runs on, for long if this one has to wait for a processor
	if err != nil {
		return err
	}
	if slip := 3*statTick + fine/50; coarse < fine-slip || coarse > after+slip {
		return fmt.Errorf("bench: process %d used %v by its CPU clock but %v by /proc/stat: "+
			"this kernel's accounting cannot be trusted", pid, fine, coarse)
	}
	return nil
}

// residentKiB returns the resident memory of process pid in KiB, exact: from
// smaps_rollup, since the counters of statm lag by some pages per CPU.
func residentKiB(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, fmt.Errorf("bench: %w (did the server die?)", err)
	}
	for line := range bytes.Lines(b) {
		if f := bytes.Fields(line); len(f) >= 2 && string(f[0]) == "Rss:" {
			return strconv.ParseInt(string(f[1]), 10, 64)
		}
	}
	return 0, fmt.Errorf("bench: /proc/%d/smaps_rollup has no Rss line", pid)
}
