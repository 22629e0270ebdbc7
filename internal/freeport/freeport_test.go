package freeport_test

import (
	"net"
	"testing"

	"github.com/siokit/siokit/internal/freeport"
)

// A port is one caller's: it can be listened on, again and again, and no other call returns it meanwhile.
func TestFind(t *testing.T) {
	found := map[string]bool{}
	for range 300 {
		port, err := freeport.Find()
		if err != nil {
			t.Fatal(err)
		}
		if found[port] {
			t.Errorf("port %s came twice", port)
		}
		found[port] = true
		address := net.JoinHostPort("127.0.0.1", port)
		for range 2 {
			l, err := net.Listen("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			_ = l.Close()
		}
		// What another process meets that picks the same number.
		if c, err := net.ListenPacket("udp", address); err == nil {
			_ = c.Close()
			t.Errorf("port %s is not reserved", port)
		}
	}
}
