package core

import "sync"

// besides counts the handlers of one socket that run beside its dispatcher, see Concurrent. Its
// fields are guarded by Socket.mu.
type besides struct {
	running map[*handler]int // without zeros
	ended   sync.Cond        // one of them has
}

func (b *besides) idle() bool { return b == nil || len(b.running) == 0 }

// runBeside runs the handler of an event beside the dispatcher, which calls it and waits while n of
// them run. An event whose socket the server has ended meanwhile is dropped.
func (s *Socket) runBeside(r route, n int, c *Context, id int64) {
	s.mu.Lock()
	b := s.queue.beside
	if b == nil {
		b = &besides{running: make(map[*handler]int)}
		b.ended.L = &s.mu
		s.queue.beside = b
	}
	for b.running[r.handler] >= n {
		b.ended.Wait()
	}
	if s.reason == ServerNamespaceDisconnect || s.client.revoked() {
		s.mu.Unlock()
		c.over()
		return
	}
	b.running[r.handler]++
	s.mu.Unlock()
	s.ns.srv.dispatchers.start(work{socket: s, beside: func() {
		defer s.endBeside(r.handler) // also when the handler ends its goroutine
		s.runEvent(r, c, id)
	}})
}

func (s *Socket) endBeside(h *handler) {
	s.mu.Lock()
	b := s.queue.beside
	if b.running[h]--; b.running[h] == 0 {
		delete(b.running, h)
	}
	b.ended.Broadcast()
	s.mu.Unlock()
	s.client.quiesced()
}

// awaitBesides returns when no handler runs beside the dispatcher, which calls it.
func (s *Socket) awaitBesides() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.queue.beside.idle() {
		s.queue.beside.ended.Wait()
	}
}
