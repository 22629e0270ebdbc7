package core

import (
	"bytes"
	"errors"
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
	ns := c.srv.enter(namespace)
	s, err := c.admit(ns, namespace, auth, known)
	if s == nil && ns != nil {
		c.srv.leave(ns)
	}
	switch {
	case err == errInvalidNamespace:
		c.srv.cfg.Logger.Debug("core: a client asked for an unknown namespace", "namespace", clip(namespace), "known", c.srv.knownNames())
		return c.refuse(namespace, err)
	case s != nil:
		s.enqueue(task{kind: taskConnect})
	}
	return err
}

// admit makes the socket for a CONNECT, nil when the connection has ended since.
func (c *client) admit(ns *Namespace, namespace string, auth []byte, known bool) (*Socket, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.draining { // since take looked: nobody would end the socket
		return nil, nil
	}
	if known && slices.ContainsFunc(c.sockets, func(s *Socket) bool { return s.ns.name == namespace && !s.left }) {
		return nil, errTwice
	}
	// A socket that the server has ended gives way to the new one.
	c.sockets = slices.DeleteFunc(c.sockets, func(s *Socket) bool { return s.ns.name == namespace })
	if len(c.sockets) >= c.srv.cfg.MaxNamespaces {
		return nil, errTooMany
	}
	if ns == nil {
		return nil, errInvalidNamespace
	}
	s := newSocket(c, ns, bytes.Clone(auth))
	if ns.recovery != nil && !c.protocol4 {
		if pid, session := ns.recovery.take(auth, c.principal); session != nil {
			s.resume(pid, session)
		}
	}
	c.sockets = append(c.sockets, s)
	return s, nil
}

// refuse answers a CONNECT with CONNECT_ERROR. An error means that it was one too many.
func (c *client) refuse(namespace string, cause error) error {
	message, packet := internalError, (*engineio.Message)(nil)
	err := protect(func() (err error) { // ClientError, MarshalJSON and Config.Parser are the user's
		var data any
		message, data = refusal(cause)
		packet, err = c.encodeRefusal(namespace, message, data)
		return err
	})
	if err != nil {
		if isPanic(err) {
			c.srv.panics.Add(1)
		}
		c.srv.cfg.Logger.Error("core: a refusal's data cannot be encoded", "namespace", clip(namespace), "error", err)
		err = protect(func() (err error) {
			packet, err = c.encodeRefusal(namespace, message, nil)
			return err
		})
		if err != nil {
			return err
		}
	}
	_ = c.conn.Send(packet)
	return c.countRefusal()
}

// countRefusal returns an error when there have been too many.
func (c *client) countRefusal() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refused++; c.refused >= maxRefused {
		return errRefusedOften
	}
	return nil
}

var errGoexit = errors.New("core: a guard or OnConnect has ended its goroutine with runtime.Goexit")

// runConnect decides about the client, on the socket's dispatcher.
func (s *Socket) runConnect() {
	if !s.awaitTold() {
		return // left: nobody has seen it
	}
	c := &Context{Socket: s, event: "connect"}
	decided := false
	defer func() {
		if !decided { // by runtime.Goexit, as t.FailNow does
			s.refused(c, errGoexit)
		}
	}()
	s.decide(c)
	decided = true
}

func (s *Socket) decide(c *Context) {
	err := s.passGuards(c)
	if err == nil {
		switch err = s.enter(); {
		case err == errNotResumable:
			s.giveWay()
			return
		case err == ErrDisconnected:
			return // left while the guards ran: nobody has seen it
		case err == nil && s.client.srv.cfg.AlwaysConnect:
			s.accept()
		}
	}
	if err == nil {
		err = protect(func() error {
			connect := s.ns.set.load().onConnect
			if len(connect) == 0 {
				connect = s.ns.srv.everywhere.load().onConnect
			}
			for _, f := range connect {
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
	s.accept()
}

// enter makes the socket reachable. It returns ErrDisconnected when the client has left, and
// errNotResumable when it cannot be the one that its client was cut off from. Other errors refuse.
func (s *Socket) enter() error {
	switch {
	case s.client.revoked() || !s.announceChild():
		return ErrDisconnected
	case s.ns.recovery != nil:
		return s.ns.recovery.enter(s)
	}
	return s.ns.register(s)
}

// giveWay replaces a socket that nobody has seen by one with an id of its own.
func (s *Socket) giveWay() {
	next := newSocket(s.client, s.ns, s.auth)
	c := s.client
	c.srv.hold(s.ns)
	c.mu.Lock()
	i := slices.Index(c.sockets, s)
	if i >= 0 && !c.closed && !s.left {
		c.sockets[i] = next
	} else {
		i = -1
	}
	c.mu.Unlock()
	if i < 0 {
		c.srv.leave(s.ns)
		return
	}
	if s.close(ForcedClose, nil) {
		next.enqueue(task{kind: taskConnect})
	}
}

// passGuards asks everything that decides before the namespace knows of the client.
func (s *Socket) passGuards(c *Context) error {
	return protect(func() error {
		if err := runGuards(c, s.client.srv.cfg.Guards); err != nil {
			return err
		}
		if err := s.client.srv.settle(c); err != nil {
			return err
		}
		return runGuards(c, s.ns.set.load().middleware)
	})
}

func runGuards(c *Context, guards []Guard) error {
	for _, guard := range guards {
		if err := guard(c); err != nil {
			return err
		}
	}
	return nil
}

// refused removes every trace of the socket and tells the client.
func (s *Socket) refused(c *Context, err error) {
	shown, mapped := s.ns.shown(c, err)
	if isPanic(err) && !mapped {
		shown = errInternal // also when it panicked with an error made for clients
	}
	if isPanic(err) || !isForClient(err) {
		s.ns.reportShown(c, err, shown)
	}
	if s.Connected() {
		s.refusedLate(err, shown)
		return
	}
	s.client.remove(s)
	if !s.close(ForcedClose, err) {
		return // the client has gone already
	}
	if err := s.client.refuse(s.ns.name, shown); err != nil {
		s.client.conn.CloseBecause(engineio.ForcedClose, err)
		return
	}
	s.client.vacated()
}

// refusedLate refuses a client that has been told that it is connected. A DISCONNECT packet has no
// room for a reason, so Config.EndedEvent tells it.
func (s *Socket) refusedLate(cause, shown error) {
	if !isForClient(shown) {
		shown = errInternal
	}
	s.leave(errors.Join(shown, cause))
	if err := s.client.countRefusal(); err != nil {
		s.client.conn.CloseBecause(engineio.ForcedClose, err)
	}
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
	disconnect := s.ns.set.load().onDisconnect
	if len(disconnect) == 0 {
		disconnect = s.ns.srv.everywhere.load().onDisconnect
	}
	for _, f := range disconnect {
		if err := protect(func() error { f(c, reason); return nil }); err != nil {
			s.ns.report(c, err)
		}
	}
	if err := s.saveSession(c); err != nil {
		s.ns.report(c, err)
	}
}
