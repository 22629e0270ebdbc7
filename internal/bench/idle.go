//go:build linux

package main

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"time"

	"golang.org/x/sys/unix"
)

// idle measures what one more connected, silent WebSocket client costs the
// server in resident memory. before clients are there already, so that what the
// first ones cost (threads, code paged in, maps grown) is not charged to the rest.
type idle struct {
	before, more int
	stall        time.Duration
}

// fit lowers the number of clients to what the limit on open files allows this
// process and, as it inherits the limit, the server.
func (i *idle) fit() error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("bench: limit on open files: %w", err)
	}
	const others = 200 // what is open besides
	room := int(min(limit.Max, math.MaxInt32)) - others - i.before
	if room < 100 {
		return fmt.Errorf("bench: at most %d files may be open: raise the hard limit (ulimit -Hn)", limit.Max)
	}
	i.more = min(i.more, room)
	return nil
}

// measure returns KiB of resident memory per client. The server collects its
// garbage on request before each reading.
func (i *idle) measure(l *loop, pid int) (float64, error) {
	defer l.hangup()
	if _, err := l.connectAll(i.before, nil); err != nil {
		return 0, err
	}
	first, err := i.settled(l, pid)
	if err != nil {
		return 0, err
	}
	if _, err := l.connectAll(i.more, nil); err != nil {
		return 0, err
	}
	second, err := i.settled(l, pid)
	if err != nil {
		return 0, err
	}
	if l.open != i.before+i.more {
		return 0, fmt.Errorf("bench: %d of %d idle clients are still connected", l.open, i.before+i.more)
	}
	return float64(second-first) / float64(i.more), nil
}

// settled has the server collect until its resident memory stops falling, and
// returns it in KiB. Heartbeats are answered meanwhile.
func (i *idle) settled(l *loop, pid int) (int64, error) {
	last := int64(math.MaxInt64)
	for range 20 {
		if err := i.collect(l); err != nil {
			return 0, err
		}
		now, err := residentKiB(pid)
		if err != nil {
			return 0, err
		}
		if now > last-last/200 { // fell by less than half a percent
			return min(now, last), nil
		}
		last = now
	}
	return 0, errors.New("bench: the server's memory keeps falling: no idle figure can be given")
}

func (i *idle) collect(l *loop) error {
	client := http.Client{Timeout: i.stall, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + l.addr.String() + "/gc")
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("bench: /gc answers %s", resp.Status)
	}
	return l.runFor(50 * time.Millisecond)
}
