package client

// PendingCalls is how many Calls wait for an ack.
func (s *Socket) PendingCalls() int {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	return len(s.pending)
}
