package main

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// hub knows the clients and their rooms. Safe for concurrent use.
type hub struct {
	mu      sync.RWMutex // guards what follows; not held while writing to a client
	clients map[*client]struct{}
	rooms   map[string]map[*client]struct{}
}

func newHub() *hub {
	return &hub{clients: map[*client]struct{}{}, rooms: map[string]map[*client]struct{}{}}
}

func (h *hub) add(c *client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clients[c] = struct{}{}
}

// remove forgets c and closes its connection.
func (h *hub) remove(c *client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.clients, c)
	for name, members := range h.rooms {
		delete(members, c)
		if len(members) == 0 {
			delete(h.rooms, name)
		}
	}
	c.ws.Close()
}

func (h *hub) join(room string, c *client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.rooms[room] == nil {
		h.rooms[room] = map[*client]struct{}{}
	}
	h.rooms[room][c] = struct{}{}
}

// broadcast sends msg to all members of the room. The frame is built once. A
// member that cannot be written to is closed; its own goroutine cleans up.
func (h *hub) broadcast(room string, msg []byte) error {
	frame, err := websocket.NewPreparedMessage(websocket.TextMessage, msg)
	if err != nil {
		return err
	}
	h.mu.RLock()
	members := list(h.rooms[room])
	h.mu.RUnlock()
	for _, c := range members {
		if err := c.writePrepared(frame); err != nil {
			c.ws.Close()
		}
	}
	return nil
}

// heartbeat pings all clients, for ever.
func (h *hub) heartbeat() {
	for range time.Tick(pingInterval) {
		h.mu.RLock()
		clients := list(h.clients)
		h.mu.RUnlock()
		for _, c := range clients {
			if err := c.write([]byte("2")); err != nil {
				c.ws.Close()
			}
		}
	}
}

func list(set map[*client]struct{}) []*client {
	return slices.AppendSeq(make([]*client, 0, len(set)), maps.Keys(set))
}
