package engineio

import (
	"errors"
	"fmt"

	"github.com/siokit/siokit/wire/eio"
)

// ErrOutboxFull is returned by ClientConn.Send when too much is waiting to be sent. The message was not
// queued; the connection goes on.
var ErrOutboxFull = errors.New("engineio: too much is waiting to be sent: send slower, or raise OutboxBytes and OutboxPackets")

// A TooLargeError is returned by ClientConn.Send for a message that the server would end the connection
// for. The connection goes on.
type TooLargeError struct {
	Size int64 // of the largest packet, as it travels on the present transport
	Max  int64 // what the server takes
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("engineio: a packet of %d bytes, the server takes %d: send less at once, or raise the server's limit (MaxPayload, maxHttpBufferSize, max_http_buffer_size)", e.Size, e.Max)
}

// Send queues m and returns. It never waits for the network.
func (c *ClientConn) Send(m *Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.admitLocked(m); err != nil {
		return err
	}
	c.outbox.appendLocked(m)
	c.changed.Broadcast()
	return nil
}

// SendVolatile is Send for a message that is better lost than late: sent is false for one that was
// dropped because it would have had to wait.
func (c *ClientConn) SendVolatile(m *Message) (sent bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.admitLocked(m); err != nil && err != ErrOutboxFull {
		return false, err
	}
	if c.outbox.packets > 0 || c.writing || c.pausing {
		return false, nil
	}
	c.outbox.appendLocked(m)
	c.changed.Broadcast()
	return true, nil
}

func (c *ClientConn) admitLocked(m *Message) error {
	if c.state != stateOpen {
		return ErrClosed
	}
	if limit := c.handshake.MaxPayload; limit > 0 {
		if size := m.largest(c.ws == nil); size > limit {
			return &TooLargeError{size, limit}
		}
	}
	if !c.outbox.admits(m, c.opts.OutboxBytes, c.opts.OutboxPackets) {
		return ErrOutboxFull
	}
	return nil
}

// largest is the size of the message's largest packet.
func (m *Message) largest(polling bool) int64 {
	size := func(data []byte) int {
		if polling {
			return base64Size(data)
		}
		return len(data)
	}
	most := 0
	if m.binary {
		most = size(m.data())
	} else {
		most = len(m.text())
	}
	for _, a := range m.attachments {
		most = max(most, size(a))
	}
	return int64(most)
}

// maxBatch bounds what one write on a WebSocket takes out of the outbox. On polling it is one body: an upgrade
// waits for what is being written, and each further body would take a round trip.
const maxBatch = 512

// batchLocked returns how many messages the next write takes.
func (c *ClientConn) batchLocked() (n int) {
	queue := c.outbox.queue
	if c.ws != nil {
		return min(len(queue), maxBatch)
	}
	packets, size := 0, int64(0)
	for ; n < len(queue); n++ {
		packets += queue[n].packets()
		size += int64(queue[n].Size())
		if n > 0 && (packets > maxBodyPackets || size > c.bodyLimit()) {
			break
		}
	}
	return n
}

// writeLoop writes what is queued until the connection ends.
func (c *ClientConn) writeLoop() {
	for {
		batch, pong, ws, more := c.nextBatch()
		if !more {
			return
		}
		var err error
		if ws != nil {
			err = ws.writeFrames(batch, pong)
		} else {
			err = c.post(batch)
		}
		c.mu.Lock()
		c.writing = false
		if c.state != stateClosed {
			for _, m := range batch {
				c.outbox.bytes -= m.Size()
				c.outbox.packets -= m.packets()
			}
		}
		c.changed.Broadcast()
		c.mu.Unlock()
		if err != nil {
			c.end(TransportError, err)
			return
		}
	}
}

// nextBatch waits for something to write. It says goodbye when everything has been written on a closing
// connection.
func (c *ClientConn) nextBatch() (batch []*Message, pong []byte, ws *clientSocket, more bool) {
	c.mu.Lock()
	for {
		switch {
		case c.state == stateClosed:
			c.mu.Unlock()
			return nil, nil, nil, false
		case c.pausing && c.state == stateOpen:
		case len(c.outbox.queue) > 0 || c.pong != nil && c.ws != nil:
			n := c.batchLocked()
			batch = append(batch, c.outbox.queue[:n]...)
			clear(c.outbox.queue[:n])
			if c.outbox.queue = c.outbox.queue[n:]; len(c.outbox.queue) == 0 {
				c.outbox.queue = nil
			}
			pong, c.pong = c.pong, nil
			c.writing, ws = true, c.ws
			c.mu.Unlock()
			return batch, pong, ws, true
		case c.state == stateClosing:
			ws = c.ws
			c.mu.Unlock()
			c.farewell(ws)
			return nil, nil, nil, false
		}
		c.changed.Wait()
	}
}

// farewell tells the server that the session ends. On a WebSocket it waits for the answer, until CloseTimeout: to
// close a TCP connection on which something still comes in is to reset it, and the server would lose what is on
// its way.
func (c *ClientConn) farewell(ws *clientSocket) {
	if ws == nil {
		_ = c.post([]*Message{control(eio.Close, "")})
		c.end(ForcedClose, nil)
		return
	}
	ws.leave()
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.state != stateClosed {
		c.changed.Wait()
	}
}
