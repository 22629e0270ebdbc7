package core

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/siokit/siokit/engineio"
)

// Bounds of what may be emitted to a socket before its CONNECT reply.
const (
	maxEarlyMessages = 8192
	maxEarlyBytes    = 1 << 20
)

var errEarly = fmt.Errorf("core: more than %d packets or %d bytes were emitted to a client before it was connected; emit the rest from an event handler", maxEarlyMessages, maxEarlyBytes)

// join handles CONNECT. User code decides, on the socket's dispatcher.
func (c *client) join(namespace string, auth []byte, known bool) error {
	ns := c.srv.lookup(namespace)
	c.mu.Lock()
	if c.closed || c.draining { // since take looked: nobody would end the socket
		c.mu.Unlock()
		return nil
	}
	if known && slices.ContainsFunc(c.sockets, func(s *Socket) bool { return s.ns.name == namespace && !s.left }) {
		c.mu.Unlock()
		return errTwice
	}
	// A socket that the server has ended gives way to the new one.
	c.sockets = slices.DeleteFunc(c.sockets, func(s *Socket) bool { return s.ns.name == namespace })
	if len(c.sockets) >= c.srv.cfg.MaxNamespaces {
		c.mu.Unlock()
		return errTooMany
	}
	if ns == nil {
		c.mu.Unlock()
		c.srv.cfg.Logger.Debug("core: a client asked for an unknown namespace", "namespace", clip(namespace), "known", c.srv.namespaceNames())
		return c.refuse(namespace, c.invalidNamespace())
	}
	s := newSocket(c, ns, bytes.Clone(auth))
	if ns.recovery != nil && !c.protocol4 {
		if pid, session := ns.recovery.take(auth, c.principal); session != nil {
			s.resume(pid, session)
		}
	}
	c.sockets = append(c.sockets, s)
	c.mu.Unlock()
	s.enqueue(task{kind: taskConnect})
	return nil
}

// refuse answers a CONNECT with CONNECT_ERROR. An error means that it was one too many.
func (c *client) refuse(namespace string, cause error) error {
	message, packet := internalError, []byte(nil)
	err := protect(func() (err error) { // ClientError and MarshalJSON are the user's
		var data any
		message, data = refusal(cause)
		packet, err = c.appendRefusal(make([]byte, engineio.Headroom, 128), namespace, message, data)
		return err
	})
	if err != nil {
		if isPanic(err) {
			c.srv.panics.Add(1)
		}
		c.srv.cfg.Logger.Error("core: a refusal's data cannot be encoded", "namespace", clip(namespace), "error", err)
		packet, err = c.appendRefusal(make([]byte, engineio.Headroom, 128), namespace, message, nil)
		if err != nil {
			return err
		}
	}
	_ = c.conn.Send(engineio.NewMessage(packet))
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refused++; c.refused >= maxRefused {
		return errRefusedOften
	}
	return nil
}

// runConnect decides about the client, on the socket's dispatcher.
func (s *Socket) runConnect() {
	c := &Context{Socket: s, event: "connect"}
	registered := s.ns.set.load()
	err := protect(func() error {
		for _, guards := range [][]Guard{s.client.srv.cfg.Guards, registered.middleware} {
			for _, guard := range guards {
				if err := guard(c); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err == nil {
		open, again := s.enter()
		if again != nil {
			s.giveWay()
			return
		}
		if !open {
			return // left while the middleware ran: nobody has seen it
		}
	}
	if err == nil {
		err = protect(func() error {
			for _, f := range registered.onConnect {
				if err := f(c); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if saved := s.saveSession(c); saved != nil {
		s.ns.report(c, saved) // OnConnect has accepted the client: refusing it now would cost its OnDisconnect
	}
	if err != nil {
		s.refused(c, err)
		return
	}
	s.greeted = true // before accept: a disconnect may follow at once
	s.client.srv.engine.Stop(s.client.joinTimer)
	s.accept()
}

// enter makes the socket reachable. It reports false when the client has left. An error means that it
// cannot be the one that its client was cut off from.
func (s *Socket) enter() (open bool, err error) {
	switch {
	case s.client.revoked():
		return false, nil
	case s.ns.recovery != nil:
		return s.ns.recovery.enter(s)
	}
	return s.ns.register(s), nil
}

// giveWay replaces a socket that nobody has seen by one with an id of its own.
func (s *Socket) giveWay() {
	next := newSocket(s.client, s.ns, s.auth)
	c := s.client
	c.mu.Lock()
	i := slices.Index(c.sockets, s)
	if i >= 0 && !c.closed && !s.left {
		c.sockets[i] = next
	} else {
		i = -1
	}
	c.mu.Unlock()
	if i >= 0 && s.close(ForcedClose, nil) {
		next.enqueue(task{kind: taskConnect})
	}
}

// refused removes every trace of the socket and tells the client.
func (s *Socket) refused(c *Context, err error) {
	if !isForClient(err) {
		s.ns.report(c, err)
	}
	s.client.remove(s)
	if !s.close(ForcedClose, err) {
		return // the client has gone already
	}
	if err := s.client.refuse(s.ns.name, err); err != nil {
		s.client.conn.CloseBecause(engineio.ForcedClose, err)
		return
	}
	s.client.vacated()
}

// runDisconnect runs the disconnect functions of a socket that OnConnect had accepted.
func (s *Socket) runDisconnect() {
	if !s.greeted {
		return
	}
	c := &Context{Socket: s, event: "disconnect"}
	s.mu.Lock()
	reason := s.reason
	s.mu.Unlock()
	for _, f := range s.ns.set.load().onDisconnect {
		if err := protect(func() error { f(c, reason); return nil }); err != nil {
			s.ns.report(c, err)
		}
	}
	if err := s.saveSession(c); err != nil {
		s.ns.report(c, err)
	}
}
