package cluster

import (
	"slices"
	"time"
)

// peer is another siokit process.
type peer struct {
	node  bool      // it serves clients and answers questions; an emitter does not
	seq   int64     // of its last message
	heard time.Time // when that came
}

// maxPeers bounds what a flood of made-up ids can cost.
const maxPeers = 4096

// heard notes a message of a siokit node. It reports false if the message is to be ignored: it has come
// before. Gaps in a node's numbering are messages that were lost.
func (n *Node) heard(host string, seq int64) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.peers[host]
	if p == nil {
		if len(n.peers) >= maxPeers {
			return true
		}
		n.peers[host] = &peer{seq: seq, heard: time.Now()}
		return true
	}
	p.heard = time.Now()
	switch {
	case seq <= p.seq:
		n.duplicates.Add(1)
		return false
	case seq > p.seq+1:
		n.lost.Add(seq - p.seq - 1)
	}
	p.seq = seq
	return true
}

// Nodes implements Link.
func (n *Node) Nodes() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var nodes []string
	for host, p := range n.peers {
		if p.node {
			nodes = append(nodes, host)
		}
	}
	slices.Sort(nodes)
	return nodes
}

// met notes that a process is a node.
func (n *Node) met(host string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if p := n.peers[host]; p != nil {
		p.node = true
	}
}

// forget makes nodes that said goodbye or have been silent for too long be nobody to wait for any more.
// With a key, their numbers are kept for as long as a recorded message of theirs would look recent.
func (n *Node) forget(gone func(host string, p *peer) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for host, p := range n.peers {
		if !gone(host, p) {
			continue
		}
		if len(n.opts.Key) == 0 || time.Since(p.heard) > 2*signedFor {
			delete(n.peers, host)
		}
		if !p.node {
			continue
		}
		p.node = false
		for _, r := range n.requests {
			r.lost(host)
		}
	}
}

// hello says that this node is there.
func (n *Node) hello(ask bool) { n.send(&message{Method: methodHello, Go: &extension{Ask: ask}}) }

// A bus that can be told to connect anew implements resubscriber.
type resubscriber interface{ Resubscribe() }

// beat says hello until Close, forgets nodes that do not, and has the bus connect anew when nothing
// comes back.
func (n *Node) beat() {
	ticker := time.NewTicker(n.opts.Heartbeat)
	defer ticker.Stop()
	healthy := true
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-ticker.C:
		}
		n.hello(false)
		now := time.Now()
		n.forget(func(_ string, p *peer) bool { return now.Sub(p.heard) > n.opts.DeadAfter })
		err := n.Healthy()
		if (err == nil) != healthy {
			healthy = err == nil
			if healthy {
				n.log.Info("cluster: messages go both ways again")
			} else {
				n.log.Error("cluster: cut off from the other processes; local clients are served", "error", err)
			}
		}
		if r, ok := n.bus.(resubscriber); ok && err != nil && n.bus.Healthy() == nil {
			r.Resubscribe()
		}
	}
}
