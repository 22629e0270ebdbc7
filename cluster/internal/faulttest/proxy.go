// Package faulttest puts a network that fails between one process and its broker, and says what the processes
// of a cluster must make of it. The tests of the buses use it.
package faulttest

import (
	"net"
	"sync"
	"testing"
)

// A Proxy passes TCP connections on to a broker until it is told otherwise. Its methods may be called
// concurrently.
type Proxy struct {
	// Addr is where it listens.
	Addr string

	target string
	ln     net.Listener
	work   sync.WaitGroup

	mu     sync.Mutex
	moved  *sync.Cond     // something below has changed
	held   [2]bool        // by direction; guarded by mu
	closed bool           // guarded by mu
	conns  map[*pipe]bool // guarded by mu
}

// Directions.
const (
	toBroker = iota
	toClient
)

// pipe is one connection, from a client to the broker.
type pipe struct {
	ends [2]net.Conn
	dead bool // nothing passes any more, and nobody is told; guarded by Proxy.mu
}

// NewProxy starts a proxy for the broker at target, which ends with the test.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: ln.Addr().String(), target: target, ln: ln, conns: make(map[*pipe]bool)}
	p.moved = sync.NewCond(&p.mu)
	p.work.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// Hold stops what flows in a direction, in connections that there are and in new ones, which are made all
// the same: bytes wait until it is called again.
func (p *Proxy) Hold(fromBroker, fromClient bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held[toClient], p.held[toBroker] = fromBroker, fromClient
	p.moved.Broadcast()
}

// Lose forgets all connections without a word, as a firewall that is restarted does. New ones work.
func (p *Proxy) Lose() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.dead = true
	}
}

func (p *Proxy) accept() {
	for {
		client, err := p.ln.Accept()
		if err != nil {
			return
		}
		broker, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		c := &pipe{ends: [2]net.Conn{client, broker}}
		p.mu.Lock()
		closed := p.closed
		p.conns[c] = true
		p.mu.Unlock()
		if closed {
			p.hangUp(c)
			return
		}
		p.work.Go(func() { p.copy(c, toBroker) })
		p.work.Go(func() { p.copy(c, toClient) })
	}
}

// copy passes one direction of a connection on.
func (p *Proxy) copy(c *pipe, direction int) {
	from, to := c.ends[direction], c.ends[1-direction]
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if !p.pass(c, direction) {
			if err == nil {
				continue // into nowhere
			}
			return // and whoever is at the other end will not hear of it
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				p.hangUp(c)
				return
			}
		}
		if err != nil {
			p.hangUp(c)
			return
		}
	}
}

// pass waits while a direction is held. It reports whether bytes may go on.
func (p *Proxy) pass(c *pipe, direction int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.held[direction] && !c.dead && !p.closed {
		p.moved.Wait()
	}
	return !c.dead && !p.closed
}

func (p *Proxy) hangUp(c *pipe) {
	p.mu.Lock()
	delete(p.conns, c)
	p.mu.Unlock()
	for _, end := range c.ends {
		_ = end.Close()
	}
}

func (p *Proxy) close() {
	_ = p.ln.Close()
	p.mu.Lock()
	p.closed = true
	p.moved.Broadcast()
	var conns []*pipe
	for c := range p.conns {
		conns = append(conns, c)
	}
	p.mu.Unlock()
	for _, c := range conns {
		p.hangUp(c)
	}
	p.work.Wait()
}
