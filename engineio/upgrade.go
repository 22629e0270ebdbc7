package engineio

import (
	"errors"
	"net/http"
	"time"

	"github.com/siokit/siokit/wire/eio"
)

// maxProbes is how many "2probe" one WebSocket may send. Clients send one.
const maxProbes = 5

// upgrade serves the WebSocket request of a session that is on polling. Until the client says
// "5" the session stays on polling, whatever happens to the WebSocket.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request, q query) {
	c := q.conn
	if !c.beginProbe() {
		s.refuse(w, r, badRequest("the session is already being upgraded"))
		return
	}
	if !s.hold(c) {
		c.endProbe(nil)
		s.refuse(w, r, unknownSession())
		return
	}
	defer s.active.done()
	sock, err := c.accept(w, r, q.header, false)
	if err != nil {
		c.endProbe(nil)
		return
	}
	s.active.run(func() { c.runProbe(sock) })
}

// beginProbe takes the session's only place for an upgrade.
func (c *Conn) beginProbe() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.probing || c.ws != nil || c.state != stateOpen {
		return false
	}
	c.probing = true
	return true
}

// endProbe gives the place back and drops the WebSocket, if there is one.
func (c *Conn) endProbe(sock *socket) {
	c.mu.Lock()
	c.probing, c.noops, c.probe = false, false, nil
	c.mu.Unlock()
	if sock != nil {
		_ = sock.nc.Close()
	}
}

// runProbe speaks with a WebSocket that may take over the session, and becomes its reader when
// it does.
func (c *Conn) runProbe(sock *socket) {
	c.mu.Lock()
	open := c.state == stateOpen
	c.probe = sock
	c.mu.Unlock()
	if !open || !c.probeSucceeds(sock) {
		c.endProbe(sock)
		return
	}
	_ = sock.nc.SetReadDeadline(time.Time{})
	// A POST that is still being taken was sent before the "5": its packets come first.
	c.recv.Lock()
	attached := c.attach(sock)
	c.recv.Unlock()
	if attached {
		sock.read()
	}
}

// probeSucceeds answers probes until the client switches.
func (c *Conn) probeSucceeds(sock *socket) bool {
	_ = sock.nc.SetDeadline(time.Now().Add(c.srv.cfg.UpgradeTimeout))
	for probes := 0; ; {
		p, err := sock.probePacket()
		if err != nil {
			return false
		}
		switch {
		case p.Type == eio.Ping && string(p.Data) == "probe" && probes < maxProbes:
			probes++
			m := control(eio.Pong, "probe")
			_ = sock.SetWriteDeadline(time.Now().Add(c.srv.cfg.WriteTimeout)) // gorilla leaves one behind
			if _, err := sock.nc.Write(m.appendFrames(nil, nil)); err != nil {
				return false
			}
			c.releasePolls()
		case p.Type == eio.Upgrade && probes > 0:
			_ = sock.nc.SetWriteDeadline(time.Time{})
			return true
		default:
			return false
		}
	}
}

// releasePolls answers the parked poll, and those to come, with a noop: the client finishes its
// poll before it switches.
func (c *Conn) releasePolls() {
	c.mu.Lock()
	c.noops = true
	c.wakePollLocked()
	c.mu.Unlock()
}

func (s *socket) probePacket() (eio.Packet, error) {
	binary, buf, err := s.next()
	if err != nil {
		if s.closeFrame != nil { // gorilla's answer was kept back or already written
			_, _ = s.nc.Write(s.closeFrame)
		}
		return eio.Packet{}, err
	}
	if binary {
		return eio.Packet{}, errors.New("binary frame in a probe")
	}
	p, err := eio.Decode(buf.b)
	p.Data = append([]byte(nil), p.Data...)
	buf.release()
	return p, err
}
