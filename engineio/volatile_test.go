package engineio_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/siokit/siokit/engineio"
)

// volatiles are the two ways to send a volatile message.
var volatiles = map[string]func(c *engineio.Conn, m *engineio.Message) bool{
	"Conn": func(c *engineio.Conn, m *engineio.Message) bool {
		sent, err := c.SendVolatile(m)
		return sent && err == nil
	},
	"Batch": func(c *engineio.Conn, m *engineio.Message) bool {
		var b engineio.Batch
		sent := b.SendVolatile(c, m)
		return b.Done() == 1 && sent
	},
}

// A volatile message leaves at once or not at all: not while anything is still to be written, and on
// polling not without a poll.
func TestSendVolatile(t *testing.T) {
	for name, send := range volatiles {
		t.Run(name, func(t *testing.T) {
			bubble(t, engineio.Config{}, func(t *testing.T, r *rig) {
				ws, s := r.ws(t)
				synctest.Wait() // until what opens the session is written
				if !send(s.conn, message("a", []byte("A"))) {
					t.Error("dropped although nothing is queued")
				}
				synctest.Wait()
				ws.wantText("4a")
				ws.want(opBinary, "A")
				synctest.Wait()
				_ = s.conn.SendSoon(message("b")) // waits for a millisecond
				if send(s.conn, message("c", []byte("C"))) {
					t.Error("queued behind another message")
				}
				pass(time.Millisecond)
				ws.wantText("4b")
				ws.silent("a dropped message")

				sid, s := r.open(t)
				if send(s.conn, message("d")) {
					t.Error("queued without a poll")
				}
				poll := r.park(t, sid)
				synctest.Wait()
				if !send(s.conn, message("e").Uncompressed()) {
					t.Error("dropped although a poll waits")
				}
				if send(s.conn, message("f")) {
					t.Error("the poll has been taken already")
				}
				poll.answer("GET").want(t, 200, "4e")
				synctest.Wait()
				s.conn.Close(engineio.ServerClose)
				if send(s.conn, message("g")) {
					t.Error("sent after the end")
				}
				if _, err := s.conn.SendVolatile(message("g")); err != engineio.ErrClosed {
					t.Errorf("after the end: %v", err)
				}
			})
		})
	}
}
