//go:build linux

package main

// connect counts whole lives of a connection: dial, WebSocket handshake, OPEN,
// CONNECT and its answer, close frame and its answer, end of the TCP connection.
type connect struct {
	atOnce int

	l       *loop
	stopped bool
	count   int64
	alive   int
}

func (c *connect) open(l *loop) error {
	c.l = l
	return nil
}

func (c *connect) start() error {
	for range c.atOnce {
		if err := c.live(); err != nil {
			return err
		}
	}
	return nil
}

// live runs one life, and the next one when it is over.
func (c *connect) live() error {
	c.alive++
	_, err := c.l.dialSocket(func(s *socket) error {
		return s.bye(func() error {
			c.alive--
			c.count++
			if c.stopped {
				return nil
			}
			return c.live()
		})
	})
	return err
}

func (c *connect) stop()           { c.stopped = true }
func (c *connect) finished() int64 { return c.count }
func (c *connect) pending() int    { return c.alive }
func (c *connect) part() error     { return nil }
