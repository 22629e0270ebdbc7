package client

// PendingCalls is how many Calls wait for an ack.
func (s *Socket) PendingCalls() int {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	return len(s.pending)
}

// Ending reports whether only what runs already is waited for.
func (c *Client) Ending() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.run != nil && c.run.over
}
