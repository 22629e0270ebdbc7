package faulttest

import (
	"testing"
	"time"

	"github.com/siokit/siokit/cluster"
)

// Failover moves what nodes use of a broker to another place while events flow, and is the bar of F-08d: the
// flow stands still for most at the longest, nothing comes twice or in another order, and what was lost is
// counted.
func Failover(t *testing.T, open func(t *testing.T) cluster.Bus, most time.Duration, move func(t *testing.T)) {
	opts := cluster.Options{Heartbeat: 500 * time.Millisecond, DeadAfter: time.Second}
	a, b := NewNode(t, open(t), "A", opts), NewNode(t, open(t), "B", opts)
	Until(t, "the nodes know each other", func() bool { return len(a.Nodes()) == 1 && len(b.Nodes()) == 1 })
	a.Say()
	Until(t, "an event", func() bool { a.Repeat(); last, _ := b.Heard(a); return last > 0 })

	stop, stopped := make(chan struct{}), make(chan struct{})
	end := func() { close(stop); <-stopped }
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
				a.Say()
			}
		}
	}()
	var longest time.Duration
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		last, at := 0, time.Now()
		for {
			if now, _ := b.Heard(a); now != last {
				last, at = now, time.Now()
			}
			longest = max(longest, time.Since(at))
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	failed := true
	defer func() {
		if failed {
			end()
		}
	}()
	move(t)
	after := a.Said()
	Until(t, "events after the move", func() bool { last, _ := b.Heard(a); return last > after })
	time.Sleep(1500 * time.Millisecond) // a move that comes late would show
	failed = false
	end()
	<-watched
	Until(t, "the last event", func() bool { a.Repeat(); last, _ := b.Heard(a); return last == a.Said() })
	_, count := b.Heard(a)
	missing := int64(a.Said() - count)
	t.Logf("nothing came for %s; %d of %d events were lost; A %+v, B %+v", longest, missing, a.Said(), a.Stats(), b.Stats())
	if longest > most+busy {
		t.Errorf("nothing came for %s, want %s at most", longest, most)
	}
	if missing > b.Stats().Lost {
		t.Errorf("%d events were lost, and B counts %d", missing, b.Stats().Lost)
	}
}
