package engineio

// writableLocked reports whether a message would leave at once: everything before it has been
// written, and on polling a GET is waiting.
func (c *Conn) writableLocked() bool {
	return c.outbox.packets == 0 && (c.ws != nil || c.poll != nil)
}

// offerVolatile is offer for a message that is better lost than late.
func (c *Conn) offerVolatile(m *Message) (sent, ready bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.admitLocked(m); err == ErrClosed {
		return false, false, err
	}
	if !c.writableLocked() {
		return false, false, nil
	}
	return true, c.queueLocked(m), nil
}

// SendVolatile is Send for a message that is better lost than late: it is dropped, with its
// attachments, unless it can leave at once. sent is false for a dropped message.
func (c *Conn) SendVolatile(m *Message) (sent bool, err error) {
	sent, ready, err := c.offerVolatile(m)
	if ready {
		c.srv.ready.push(c)
	}
	return sent, err
}

// SendVolatile queues m for c unless the message would have to wait. It reports false for a message
// that was dropped, also because the connection has ended.
func (b *Batch) SendVolatile(c *Conn, m *Message) (sent bool) {
	sent, ready, _ := c.offerVolatile(m)
	if ready {
		b.ready = append(b.ready, c)
	}
	if sent {
		b.sent++
	}
	return sent
}
