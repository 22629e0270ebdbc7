package engineio

// An Opener is a Receiver that is told when the OPEN packet has been queued, once, before anything is
// received: what it sends from then on comes after OPEN. It is called on the handshake's goroutine, and
// not for a connection that has ended already.
type Opener interface {
	Opened()
}

// opened tells the Receiver.
func (c *Conn) opened(r Receiver) {
	if o, ok := r.(Opener); ok && c.isOpen() {
		o.Opened()
	}
}
