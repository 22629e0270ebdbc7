package main

import (
	"maps"
	"slices"
	"sync"
)

// online knows the name behind each open connection, by socket id. Its methods tell everybody the new list while
// they hold the lock, so that the list sent last is the newest; that is fine because emitting only queues.
type online struct {
	tell func(names []string) error

	mu    sync.Mutex
	names map[string]string // guarded by mu
}

func (o *online) add(id, name string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.names[id] = name
	return o.tellLocked()
}

func (o *online) remove(id string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.names, id)
	return o.tellLocked()
}

// tellLocked sends each name once: two tabs of ann are one ann.
func (o *online) tellLocked() error {
	return o.tell(slices.Compact(slices.Sorted(maps.Values(o.names))))
}
