package core

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"runtime"
	"slices"
)

// A parent is what makes a Namespace one that only its children's clients can be in. Its children
// share its handlerSet.
type parent struct {
	pattern *pattern // nil: accept decides
	accept  func(ctx context.Context, name string, auth json.RawMessage) (bool, error)

	children map[string]*Namespace // by name; guarded by Server.mu
}

// child is what a Namespace has that exists only while clients are in it or ask for it.
type child struct {
	of      *Namespace    // the parent; nil until a function has accepted the name; guarded by Server.mu
	sockets int           // also those that are still to be accepted; guarded by Server.mu
	told    chan struct{} // closed when the OnNamespace functions have run; nil before; guarded by Server.mu
}

// OfPattern returns the parent of all namespaces whose names match a pattern. What is registered on it
// (On, Use, OnConnect, ...) serves every one of them, and emitting on it, or to its rooms, reaches the
// clients of all.
//
//	orgs := srv.OfPattern("/org/{id}")        // one segment; c.Param("id"), Param[int](c, "id")
//	files := srv.OfPattern("/files/{path...}") // one or more segments
//	all := srv.OfPattern("/*")                // every name; c.Param("*")
//
// Literal text is compared byte by byte. A parameter is never empty and holds none of ?#%\{}*, no "."
// or ".." segment, no control character and no broken UTF-8.
//
// A namespace begins with the first client that asks for it and is gone when nobody is in it any
// more, so names that clients make up take no memory. Config.Guards and the parent's guards run for
// every one of them. For a name the first of these decides: a namespace that was named by Of, the
// patterns in the order of their registration, the functions of OfFunc in that order.
//
// The same pattern again returns the same parent. OfPattern panics when the pattern is malformed,
// which is a mistake of the program.
func (s *Server) OfPattern(text string) *Namespace {
	p, err := parsePattern(text)
	if err != nil {
		panic(err.Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ns := range s.patterns {
		if ns.parent.pattern.text == p.text {
			return ns
		}
	}
	ns := newNamespace(s, p.text)
	ns.parent = &parent{pattern: p, children: make(map[string]*Namespace)}
	ns.listed.Store(true)
	s.patterns = append(s.patterns, ns)
	if s.link != nil {
		s.link.OpenNamespace(ns.name) // broadcasts to all children go by the parent's name
	}
	return ns
}

// OfFunc returns the parent of all namespaces that accept says yes to; see OfPattern. accept is asked
// for every client that wants to join a name that neither Of nor a pattern knows, after Config.Guards
// and before the guards of the parent: auth is what this client sent, nil if nothing, and ctx is its
// *Context. No is (false, nil), and the next function is asked; an error refuses the client with it. It
// may be called concurrently.
//
// A name belongs, for as long as somebody is in it, to the first function that accepted it, and further
// clients must be accepted by that one.
func (s *Server) OfFunc(accept func(ctx context.Context, name string, auth json.RawMessage) (bool, error)) *Namespace {
	if accept == nil {
		panic("core: OfFunc needs a function")
	}
	place := "namespaces accepted by a function"
	if _, file, line, ok := runtime.Caller(1); ok {
		place = fmt.Sprintf("namespaces accepted at %s:%d", file, line)
	}
	ns := newNamespace(s, place)
	ns.parent = &parent{accept: accept, children: make(map[string]*Namespace)}
	ns.listed.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.functions = append(s.functions, ns)
	return ns
}

// Children returns the namespaces that exist now of a parent made by OfPattern or OfFunc, in no order.
// Other namespaces have none.
func (ns *Namespace) Children() []*Namespace {
	if ns.parent == nil {
		return nil
	}
	ns.srv.mu.RLock()
	defer ns.srv.mu.RUnlock()
	return slices.Collect(maps.Values(ns.parent.children))
}

// Parent returns what OfPattern or OfFunc returned for a namespace of theirs, nil for others.
func (ns *Namespace) Parent() *Namespace {
	if ns.child == nil {
		return nil
	}
	ns.srv.mu.RLock()
	defer ns.srv.mu.RUnlock()
	return ns.child.of
}

// enter returns the namespace that a client asks for, nil when there is none. If it is a child the
// caller must leave it again.
func (s *Server) enter(name string) *Namespace {
	s.mu.RLock()
	ns := s.namespaces[name]
	dynamic := ns != nil && ns.child != nil || ns == nil && len(s.patterns)+len(s.functions) > 0
	s.mu.RUnlock()
	if !dynamic {
		return ns
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ns = s.namespaces[name]
	if ns == nil {
		ns = s.newChildLocked(name)
	}
	if ns != nil && ns.child != nil {
		ns.child.sockets++
	}
	return ns
}

// newChildLocked makes the namespace of that name if a pattern matches it, or if functions are to be
// asked about it.
func (s *Server) newChildLocked(name string) *Namespace {
	of, params := s.matchLocked(name)
	if of == nil && len(s.functions) == 0 {
		return nil
	}
	ns := newNamespace(s, name)
	ns.child, ns.params = &child{}, params
	ns.set.claim = func() *handlerSet {
		panic(fmt.Sprintf("core: %q is one of many namespaces that share their handlers: register on what OfPattern or OfFunc returned, "+
			"or on Of(%[1]q) before the first client is in it", name))
	}
	ns.listed.Store(true)
	s.namespaces[name] = ns
	if of != nil {
		of.adoptLocked(ns)
	}
	return ns
}

// matchLocked returns the parent of the first pattern that matches.
func (s *Server) matchLocked(name string) (of *Namespace, params map[string]string) {
	for _, of := range s.patterns {
		if params, ok := of.parent.pattern.match(name); ok {
			return of, params
		}
	}
	return nil, nil
}

func (ns *Namespace) adoptLocked(c *Namespace) {
	c.child.of = ns
	c.set.from.Store(ns.set)
	ns.parent.children[c.name] = c
}

// hold keeps a child that is there as one more socket would, until leave.
func (s *Server) hold(ns *Namespace) {
	if ns.child == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ns.child.sockets++
}

// leave undoes enter and hold. With its last socket a child is gone.
func (s *Server) leave(ns *Namespace) {
	if ns.child == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if ns.child.sockets--; ns.child.sockets == 0 {
		s.unlistLocked(ns)
	}
}

// unlistLocked makes the server forget a namespace; another of its name may have come already.
func (s *Server) unlistLocked(ns *Namespace) {
	ns.listed.Store(false)
	if s.namespaces[ns.name] == ns {
		delete(s.namespaces, ns.name)
		if s.link != nil {
			s.link.CloseNamespace(ns.name)
		}
	}
	if ns.child != nil && ns.child.of != nil && ns.child.of.parent.children[ns.name] == ns {
		delete(ns.child.of.parent.children, ns.name)
	}
}

// settle asks the functions of OfFunc whether c's client may be in a namespace that only they know.
func (s *Server) settle(c *Context) error {
	ns := c.ns
	if ns.child == nil {
		return nil
	}
	for {
		of, asked := s.candidates(ns)
		if of != nil && of.parent.accept == nil {
			return nil // by pattern
		}
		accepted, err := firstToAccept(c, asked)
		if err != nil {
			return err
		}
		if accepted == nil {
			return errInvalidNamespace
		}
		of, exists := s.adopt(accepted, ns)
		if !exists {
			return errInvalidNamespace
		}
		if of == accepted {
			return nil
		}
		// Meanwhile another client has made it the child of another function, which must be asked, or
		// the function has been removed.
	}
}

// candidates returns the parent of a child if it has one, and whose functions must be asked.
func (s *Server) candidates(ns *Namespace) (of *Namespace, asked []*Namespace) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if ns.child.of != nil {
		return ns.child.of, []*Namespace{ns.child.of}
	}
	return nil, slices.Clone(s.functions)
}

func firstToAccept(c *Context, asked []*Namespace) (*Namespace, error) {
	for _, of := range asked {
		ok, err := of.parent.accept(c, c.ns.name, slices.Clone(c.auth))
		if err != nil {
			return nil, err
		}
		if ok {
			return of, nil
		}
	}
	return nil, nil
}

// adopt makes ns a child of of, unless it has a parent or of has been removed, and returns its parent.
// exists is false when ns has been removed, or given way to one made by Of.
func (s *Server) adopt(of, ns *Namespace) (parent *Namespace, exists bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.namespaces[ns.name] != ns {
		return nil, false
	}
	if ns.child.of == nil && of.listed.Load() {
		of.adoptLocked(ns)
	}
	return ns.child.of, true
}
