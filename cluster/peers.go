package cluster

import (
	"maps"
	"slices"
	"time"
)

// peer is another siokit process.
type peer struct {
	node  bool      // it serves clients and answers questions; an emitter does not
	seq   int64     // of its last message
	heard time.Time // when that came
}

const (
	// maxPeers bounds what a flood of made-up ids can cost.
	maxPeers = 4096
	// remembered is how long the number of a process that is silent is kept. A bus that was cut off repeats
	// what it is unsure of when it is back: that has to be known, and what was lost meanwhile counted. A
	// recorded message looks recent for less than this, see Options.Key.
	remembered = time.Hour
)

// heard notes a message of a siokit node. It reports false if the message is to be ignored: it has come
// before. Gaps in a node's numbering are messages that were lost.
func (n *Node) heard(host string, seq int64) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.peers[host]
	if p == nil {
		if len(n.peers) >= maxPeers && !n.makeRoomLocked() {
			return true
		}
		n.peers[host] = &peer{seq: seq, heard: time.Now()}
		return true
	}
	switch {
	case seq <= p.seq: // perhaps a bus that repeats what it cannot know to have arrived: no sign of life
		n.duplicates.Add(1)
		return false
	case seq > p.seq+1:
		n.lost.Add(seq - p.seq - 1)
	}
	p.seq, p.heard = seq, time.Now()
	return true
}

// makeRoomLocked forgets the numbers of processes that are gone, if there are any. It looks once a second
// at most: a flood of made-up ids asks for each.
func (n *Node) makeRoomLocked() bool {
	now := time.Now()
	if now.Sub(n.madeRoom) < time.Second {
		return false
	}
	n.madeRoom = now
	before := len(n.peers)
	maps.DeleteFunc(n.peers, func(_ string, p *peer) bool {
		return !p.node && now.Sub(p.heard) > max(n.opts.DeadAfter, n.keyed())
	})
	return len(n.peers) < before
}

// keyed is how long a recorded message of a process looks recent; 0 without a key.
func (n *Node) keyed() time.Duration {
	if len(n.opts.Key) == 0 {
		return 0
	}
	return 2 * signedFor
}

// thereLocked reports whether p is a node that has been heard of lately. The heartbeat, which forgets the
// others, may be a while away.
func (n *Node) thereLocked(p *peer) bool { return p.node && time.Since(p.heard) <= n.opts.DeadAfter }

// Nodes implements Link.
func (n *Node) Nodes() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var nodes []string
	for host, p := range n.peers {
		if n.thereLocked(p) {
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
func (n *Node) forget(gone func(host string, p *peer) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for host, p := range n.peers {
		if !gone(host, p) {
			continue
		}
		if time.Since(p.heard) > remembered {
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

// sign says that this node is there, or, when it has heard nothing for so long that others would wait for
// its answers in vain, that it is not. Either comes back and shows that messages go both ways.
func (n *Node) sign() {
	n.mu.Lock()
	n.deaf = n.deafForLocked() > n.opts.DeadAfter
	deaf := n.deaf
	n.mu.Unlock()
	if deaf {
		n.send(&message{Method: methodBye})
	} else {
		n.hello(false)
	}
}

// deafForLocked is for how long nothing that this node published has come back.
func (n *Node) deafForLocked() time.Duration { return time.Since(n.echoed) }

// echo notes that something of our own has come back. A node that was deaf says hello again.
func (n *Node) echo() {
	n.mu.Lock()
	n.echoed = time.Now()
	was := n.deaf
	n.deaf = false
	n.mu.Unlock()
	if was {
		n.hello(true)
	}
}

// A bus that can be told to connect anew implements resubscriber.
type resubscriber interface{ Resubscribe() }

// beat says hello until Close, forgets nodes that do not, and has the bus connect anew when nothing
// comes back.
func (n *Node) beat() {
	ticker := time.NewTicker(n.opts.Heartbeat)
	defer ticker.Stop()
	healthy := true
	var resubscribed time.Time
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-ticker.C:
		}
		n.sign()
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
		// What was just sent comes back on the subscription that there is: a new one needs time to show that
		// it is better.
		if r, ok := n.bus.(resubscriber); ok && err != nil && n.bus.Healthy() == nil && now.Sub(resubscribed) >= n.opts.DeadAfter {
			resubscribed = now
			r.Resubscribe()
		}
	}
}
