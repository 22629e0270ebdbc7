package engineio

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"time"
)

// readyList holds the connections that have something to write, and the few workers that write.
type readyList struct {
	mu      sync.Mutex
	wake    sync.Cond // on mu
	conns   []*Conn   // guarded by mu; a queue: head is the next
	head    int       // guarded by mu
	idle    int       // workers that wait; guarded by mu
	running bool      // guarded by mu
	stopped bool      // guarded by mu
	workers sync.WaitGroup
}

func newReadyList() *readyList {
	l := &readyList{}
	l.wake.L = &l.mu
	return l
}

// push appends connections whose flush state the caller has set to flushReady.
func (l *readyList) push(conns ...*Conn) {
	l.mu.Lock()
	if l.head > len(l.conns)/2 { // where the queue is never empty
		n := copy(l.conns, l.conns[l.head:])
		clear(l.conns[n:])
		l.conns, l.head = l.conns[:n], 0
	}
	l.conns = append(l.conns, conns...)
	if !l.running && !l.stopped {
		l.running = true
		for range runtime.GOMAXPROCS(0) {
			l.workers.Go(l.work)
		}
	}
	wake := min(l.idle, len(conns))
	l.mu.Unlock()
	for range wake {
		l.wake.Signal()
	}
}

// pop waits for the next connection. nil means that the server has shut down.
func (l *readyList) pop() *Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.head == len(l.conns) {
		if l.stopped {
			return nil
		}
		l.idle++
		l.wake.Wait()
		l.idle--
	}
	c := l.conns[l.head]
	l.conns[l.head] = nil
	l.head++
	if l.head == len(l.conns) {
		l.conns, l.head = l.conns[:0], 0
		if cap(l.conns) > 4096 {
			l.conns = nil
		}
	}
	return c
}

func (l *readyList) shutdown() {
	l.mu.Lock()
	l.stopped = true
	l.mu.Unlock()
	l.wake.Broadcast()
	l.workers.Wait()
}

func (l *readyList) work() {
	for {
		c := l.pop()
		if c == nil {
			return
		}
		f := borrowFlusher()
		c.flushWith(f)
		f.release()
	}
}

// flushChunk is how many bytes are joined into one write.
const flushChunk = 64 << 10

// A flusher joins frames and writes them without blocking.
type flusher struct {
	buf   []byte
	again bool // the socket buffer is full: buf holds what is left
	raw   rawWriter
}

var flushers = sync.Pool{New: func() any { return newFlusher() }}

func newFlusher() *flusher {
	f := &flusher{}
	f.raw.init()
	return f
}

func borrowFlusher() *flusher { return flushers.Get().(*flusher) }

func (f *flusher) release() {
	if cap(f.buf) > 2*flushChunk {
		f.buf = nil
	}
	f.buf, f.again = f.buf[:0], false
	flushers.Put(f)
}

// flushInline writes the outbox of a connection the caller has just made ready.
func (c *Conn) flushInline() {
	f := borrowFlusher()
	c.flushWith(f)
	f.release()
}

// flushWith writes everything that is queued for c, in one call if it fits. The caller owns the
// flush (flushReady); on return it is idle, or handed to a goroutine of its own.
func (c *Conn) flushWith(f *flusher) {
	for {
		c.mu.Lock()
		ws := c.ws
		if c.state == stateClosed || ws == nil {
			c.outbox.flush = flushIdle
			c.mu.Unlock()
			return
		}
		batch := c.outbox.takeLocked()
		if len(batch) == 0 && c.state == stateOpen {
			c.outbox.flush = flushIdle
			c.mu.Unlock()
			return
		}
		c.outbox.flush = flushBusy
		last := len(batch) == 0
		farewell := c.outbox.farewell
		c.mu.Unlock()
		if last {
			c.sayLast(ws, farewell, f) // the state stays busy: nobody writes after the close frame
			return
		}
		if ws.raw == nil {
			c.srv.spawned.run(func() { c.flushBlocking(ws, nil, batch) })
			return
		}
		f.buf, f.again = f.buf[:0], false
		for i, m := range batch {
			f.buf = ws.appendFrames(f.buf, m)
			if len(f.buf) < flushChunk && i < len(batch)-1 {
				continue
			}
			n, again, err := f.raw.write(ws.raw, f.buf)
			if err != nil {
				c.srv.spawned.run(func() { c.Fail(TransportClose, err) }) // Closed must not hold up a worker
				return
			}
			if again {
				rest := append([]byte(nil), f.buf[n:]...)
				c.srv.spawned.run(func() { c.flushBlocking(ws, rest, batch[i+1:], batch[:i+1]...) })
				return
			}
			f.buf = f.buf[:0]
		}
		c.mu.Lock()
		c.outbox.wroteLocked(batch)
		c.mu.Unlock()
	}
}

// sayLast writes the close frame, if that does not block.
func (c *Conn) sayLast(ws *socket, farewell []byte, f *flusher) {
	if ws.raw == nil {
		c.srv.spawned.run(func() { ws.sayGoodbye(farewell) })
		return
	}
	if _, again, err := f.raw.write(ws.raw, ws.lastFrame(farewell)); again || err != nil {
		c.cut() // the peer reads no more
		return
	}
	ws.leave(&ws.saidBye)
}

// flushBlocking is the flusher of one connection that would block, or that has no non-blocking
// write (TLS). It ends when the outbox is empty. rest are bytes of the messages sent, which have
// not been given back yet.
func (c *Conn) flushBlocking(ws *socket, rest []byte, batch []*Message, sent ...*Message) {
	var buf []byte
	for {
		err := c.writeBlocking(ws, rest)
		for _, m := range batch {
			if err != nil {
				break
			}
			if buf = ws.appendFrames(buf, m); len(buf) >= flushChunk {
				err = c.writeBlocking(ws, buf)
				buf = buf[:0]
			}
		}
		if err == nil {
			err = c.writeBlocking(ws, buf)
		}
		if err != nil {
			reason := TransportClose
			if errors.Is(err, os.ErrDeadlineExceeded) {
				reason = SlowConsumer
			}
			c.Fail(reason, err)
			return
		}
		c.mu.Lock()
		c.outbox.wroteLocked(sent)
		c.outbox.wroteLocked(batch)
		sent, rest, buf = nil, nil, buf[:0]
		batch = c.outbox.takeLocked()
		if len(batch) > 0 && c.state != stateClosed {
			c.mu.Unlock()
			continue
		}
		closing, farewell := c.state == stateClosing, c.outbox.farewell
		if !closing {
			_ = ws.nc.SetWriteDeadline(time.Time{}) // under mu: before the next flush can begin
			c.outbox.flush = flushIdle
		}
		c.mu.Unlock()
		if closing {
			ws.sayGoodbye(farewell)
		}
		return
	}
}

// writeBlocking writes p, and fails only when nothing at all moves for WriteTimeout. It looks
// ten times as often, because a write that times out does not say when it last moved. After that a
// tls.Conn writes nothing more, so there each record has all the time.
func (c *Conn) writeBlocking(ws *socket, p []byte) error {
	looks, most := 10, len(p)
	if ws.tls {
		looks, most = 1, tlsRecord
	}
	for stuck := 0; len(p) > 0; {
		_ = ws.nc.SetWriteDeadline(time.Now().Add(c.srv.cfg.WriteTimeout / time.Duration(looks)))
		n, err := ws.nc.Write(p[:min(most, len(p))])
		p = p[n:]
		if stuck++; n > 0 {
			stuck = 0
		}
		if err != nil && (stuck == looks || !errors.Is(err, os.ErrDeadlineExceeded)) {
			return err
		}
	}
	return nil
}
