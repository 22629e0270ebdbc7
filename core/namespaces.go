package core

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Of returns the namespace of that name, creating it if need be. A missing leading slash is
// added. Clients can join only namespaces that exist; "/" always does. The text of a pattern returns
// what OfPattern did.
//
// When there are patterns or functions, and nothing is registered on a name yet that one of them may
// know, what Of returns is an address: emitting on it reaches who is there, nothing is created, and
// the guards of the pattern stay in force. It becomes a namespace of its own, which comes before the
// pattern, with the first registration (On, Use, OnConnect, ...). That panics when clients are in the
// namespace of the pattern at the time.
func (s *Server) Of(name string) *Namespace {
	if name == "" || name[0] != '/' {
		name = "/" + name
	}
	ns, created := s.findOrCreate(name)
	if created {
		s.announceListed(ns)
	}
	return ns
}

func (s *Server) findOrCreate(name string) (ns *Namespace, created bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ns = s.namespaces[name]; ns != nil && !ns.undecidedLocked() {
		return ns, false
	}
	for _, p := range s.patterns {
		if p.name == name {
			return p, false
		}
	}
	static := newNamespace(s, name)
	if of, _ := s.matchLocked(name); of == nil && len(s.functions) == 0 {
		s.listLocked(static)
		return static, true
	}
	static.set.claim = func() *handlerSet { return s.claim(static) }
	return static, false
}

// listLocked makes ns the one that clients get. One that a function is being asked about gives way.
func (s *Server) listLocked(ns *Namespace) {
	if undecided := s.namespaces[ns.name]; undecided != nil {
		s.unlistLocked(undecided)
	}
	ns.told = make(chan struct{})
	ns.listed.Store(true)
	s.namespaces[ns.name] = ns
}

// undecidedLocked is true for a child that no function has accepted.
func (ns *Namespace) undecidedLocked() bool { return ns.child != nil && ns.child.of == nil }

// claim makes an address a namespace, or says whose registrations to change when there is one.
func (s *Server) claim(ns *Namespace) *handlerSet {
	s.mu.Lock()
	now := s.namespaces[ns.name]
	switch {
	case ns.removed.Load():
		now = ns
	case now == nil || now.undecidedLocked():
		s.listLocked(ns)
		s.mu.Unlock()
		s.announceListed(ns)
		return ns.set
	}
	s.mu.Unlock()
	if now == ns {
		return ns.set
	}
	ns.set.from.Store(now.set)
	return now.set
}

// live returns the namespace that clients are in: ns, or what has its name now that ns has gone or
// never was more than an address.
func (ns *Namespace) live() *Namespace {
	if ns.listed.Load() {
		return ns
	}
	ns.srv.mu.RLock()
	defer ns.srv.mu.RUnlock()
	if now := ns.srv.namespaces[ns.name]; now != nil {
		return now
	}
	return ns
}

// parts returns the namespaces whose clients ns stands for: its children, or itself.
func (ns *Namespace) parts() []*Namespace {
	if ns.parent != nil {
		return ns.Children()
	}
	return []*Namespace{ns.live()}
}

// OnNamespace adds a function that is called for every namespace that comes into being from now on, as
// the event new_namespace is in the Node server: on the goroutine that called Of, or for one of a
// pattern or function when a client's guards have passed and before its OnConnect. No client is in the
// namespace before the functions have returned, so they must not wait for one. Parents are not told.
func (s *Server) OnNamespace(f func(ns *Namespace)) {
	if f == nil {
		panic("core: OnNamespace needs a function")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onNamespace = append(s.onNamespace, f)
}

// announce tells other processes and runs the OnNamespace functions.
func (s *Server) announce(ns *Namespace) {
	s.openToOthers(ns)
	s.mu.RLock()
	told := s.onNamespace
	s.mu.RUnlock()
	for _, f := range told {
		if err := protect(func() error { f(ns); return nil }); err != nil {
			s.panics.Add(1)
			p, _ := errors.AsType[*PanicError](err)
			ns.log.Error("core: an OnNamespace function panicked", "panic", p.Value, "stack", string(p.Stack))
		}
	}
}

// openToOthers tells other processes of a namespace, which may be gone by then: the end must be what they hear last.
func (s *Server) openToOthers(ns *Namespace) {
	if s.link == nil {
		return
	}
	s.link.OpenNamespace(ns.name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !ns.listed.Load() && s.namespaces[ns.name] == nil {
		s.link.CloseNamespace(ns.name)
	}
}

// announceListed announces a namespace that clients can ask for already: they wait for it in awaitTold.
func (s *Server) announceListed(ns *Namespace) {
	defer close(ns.told) // also when a function ends the goroutine
	s.announce(ns)
}

// awaitTold returns when the namespace of s has been announced, or false when the client has left.
func (s *Socket) awaitTold() bool {
	if s.ns.told == nil {
		return true
	}
	select {
	case <-s.ns.told:
		return true
	case <-s.ctx.Done():
		return false
	}
}

// announceChild announces the namespace of s with its first client, and lets others wait for that. It
// reports false when the client has left.
func (s *Socket) announceChild() bool {
	child := s.ns.child
	if child == nil {
		return true
	}
	srv := s.ns.srv
	srv.mu.Lock()
	told := child.told
	if told == nil {
		child.told = make(chan struct{})
		defer close(child.told) // also when a function ends the goroutine
	}
	srv.mu.Unlock()
	if told == nil {
		srv.announce(s.ns)
		return true
	}
	select {
	case <-told:
		return true
	case <-s.ctx.Done():
		return false
	}
}

// RemoveNamespace disconnects everybody in a namespace, with ServerNamespaceDisconnect, and forgets it
// with all that is registered on it: from now on CONNECT for its name is refused, unless a pattern or
// function knows the name. Removing a parent, by its pattern's text, removes its children with it. See
// Namespace.Remove.
//
// It fails for "/" and for a name that does not exist.
func (s *Server) RemoveNamespace(name string) error {
	if name == "" || name[0] != '/' {
		name = "/" + name
	}
	s.mu.RLock()
	ns := s.namespaces[name]
	for _, p := range s.patterns {
		if ns == nil && p.name == name {
			ns = p
		}
	}
	s.mu.RUnlock()
	if ns == nil {
		return fmt.Errorf("core: there is no namespace %q to remove", clip(name))
	}
	return ns.Remove()
}

// Remove is Server.RemoveNamespace for this namespace, whatever it is called by now. It returns when
// everybody has been told to go and nobody can come any more; disconnect handlers may still be running.
// It may be called from any handler, also from one of the namespace itself.
func (ns *Namespace) Remove() error {
	s := ns.srv
	if ns == s.root {
		return fmt.Errorf("core: the namespace %q cannot be removed", ns.name)
	}
	is := func(other *Namespace) bool { return other == ns }
	s.mu.Lock()
	s.patterns = slices.DeleteFunc(slices.Clone(s.patterns), is)
	s.functions = slices.DeleteFunc(slices.Clone(s.functions), is)
	if s.link != nil && ns.parent != nil && ns.parent.pattern != nil && ns.listed.Load() {
		s.link.CloseNamespace(ns.name)
	}
	gone := []*Namespace{ns}
	if ns.parent != nil {
		gone = slices.AppendSeq(gone, maps.Values(ns.parent.children))
	}
	for _, part := range gone {
		s.unlistLocked(part)
	}
	s.mu.Unlock()
	for _, part := range gone {
		for _, socket := range part.close() {
			socket.Disconnect()
		}
	}
	return nil
}

// close lets nobody in any more and returns who is in.
func (ns *Namespace) close() []*Socket {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	ns.removed.Store(true)
	return slices.Collect(maps.Values(ns.sockets))
}

// knownNames returns what clients can ask for, for logs.
func (s *Server) knownNames() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var names []string
	for name, ns := range s.namespaces {
		if ns.child == nil {
			names = append(names, name)
		}
	}
	for _, of := range slices.Concat(s.patterns, s.functions) {
		names = append(names, of.name)
	}
	slices.Sort(names)
	return names
}
