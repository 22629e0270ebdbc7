package cluster

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// request is a question to the other nodes. mu comes after Node.mu.
type request struct {
	id string

	mu      sync.Mutex
	missing map[string]bool // nodes that have not said that they are done; guarded by mu
	silent  []string        // that will not; guarded by mu
	ended   bool            // guarded by mu
	done    chan struct{}   // closed when nobody is missing
	each    func(*message)  // takes an answer; called with mu held
}

// grace is how much longer than the answers may take their node's last word may.
func grace(timeout time.Duration) time.Duration { return min(time.Second, timeout/20) }

// ask publishes a question and waits for every node that is there now.
func (n *Node) ask(ctx context.Context, timeout time.Duration, publish func(request string, timeout time.Duration), each func(*message)) error {
	if deadline, ok := ctx.Deadline(); ok {
		timeout = time.Until(deadline)
	}
	r := &request{id: newID()[:16], missing: make(map[string]bool), done: make(chan struct{}), each: each}
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return ErrClosed
	}
	for host, p := range n.peers {
		if n.thereLocked(p) {
			r.missing[host] = true
		}
	}
	if len(r.missing) == 0 {
		close(r.done)
	}
	n.requests[r.id] = r
	n.mu.Unlock()
	defer func() {
		n.mu.Lock()
		delete(n.requests, r.id)
		n.mu.Unlock()
		r.end()
	}()
	publish(r.id, timeout)
	if err := n.await(ctx, r, timeout); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if silent := append(r.silent, slices.Collect(maps.Keys(r.missing))...); len(silent) > 0 {
		slices.Sort(silent)
		return &SilentError{Nodes: silent}
	}
	return nil
}

// await returns when all nodes have answered or their time is up.
func (n *Node) await(ctx context.Context, r *request, timeout time.Duration) error {
	timer := time.NewTimer(timeout + grace(timeout))
	defer timer.Stop()
	gone := ctx.Done()
	for {
		select {
		case <-r.done:
			return nil
		case <-timer.C:
			return nil
		case <-n.ctx.Done():
			return ErrClosed
		case <-gone:
			if ctx.Err() == context.Canceled {
				return ctx.Err()
			}
			gone = nil // the deadline, which the nodes keep too: they will say so
		}
	}
}

// answer takes a message from a node that was asked.
func (r *request) answer(host string, m *message, last bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended || !r.missing[host] {
		return
	}
	if m != nil && r.each != nil {
		r.each(m)
	}
	if last {
		delete(r.missing, host)
		r.settleLocked()
	}
}

// lost gives up on a node.
func (r *request) lost(host string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.missing[host] {
		delete(r.missing, host)
		r.silent = append(r.silent, host)
		r.settleLocked()
	}
}

func (r *request) settleLocked() {
	if len(r.missing) == 0 && !r.ended {
		close(r.done)
	}
}

// end makes late answers be ignored.
func (r *request) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
}

// Fetch implements Link.
func (n *Node) Fetch(ctx context.Context, a Audience) (sockets []Socket, err error) {
	if !a.All && len(a.Rooms) == 0 {
		return nil, nil
	}
	var bad error // said at the end: reject takes Node.mu, which comes before request.mu
	err = n.ask(ctx, n.opts.RequestTimeout, func(id string, timeout time.Duration) {
		n.check(n.out.sendAudience(methodFetch, a, &extension{Request: id, Timeout: timeout.Milliseconds()}))
	}, func(m *message) {
		var answer bounded[Socket]
		if err := jsonv2.Unmarshal(m.Go.Sockets, &answer, jsontext.AllowDuplicateNames(true)); len(m.Go.Sockets) > 0 && err != nil {
			bad = fmt.Errorf("cluster: sockets: %w", err)
		}
		for _, s := range answer {
			s.Node = m.Host
			sockets = append(sockets, s)
		}
	})
	if bad != nil {
		n.reject(bad)
	}
	return sockets, err
}

// Gather implements Link.
func (n *Node) Gather(ctx context.Context, e *Emit, each func(Reply)) error {
	if !e.All && len(e.Rooms) == 0 {
		return nil
	}
	return n.ask(ctx, n.opts.RequestTimeout, func(id string, timeout time.Duration) {
		n.check(n.out.sendEmit(methodGather, e, &extension{Request: id, Timeout: timeout.Milliseconds()}))
	}, func(m *message) {
		if r, ok := m.reply(n.opts.Limits); ok {
			each(r)
		}
	})
}

// ServerEmit implements Link.
func (n *Node) ServerEmit(ctx context.Context, e *Emit, each func(Reply)) error {
	if each == nil {
		return n.out.ServerEmit(e)
	}
	return n.ask(ctx, n.opts.RequestTimeout, func(id string, timeout time.Duration) {
		n.check(n.out.sendEmit(methodServerEmit, e, &extension{Request: id, Timeout: timeout.Milliseconds()}))
	}, func(m *message) {
		if r, ok := m.reply(n.opts.Limits); ok {
			r.SID = m.Host
			each(r)
		}
	})
}
