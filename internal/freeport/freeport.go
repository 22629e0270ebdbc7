// Package freeport finds ports for servers that cannot choose one themselves, or must have the same one twice.
package freeport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
)

// What Linux and the BSDs hand out begins at 32768 or higher, unless an administrator has widened it.
const lowest, highest = 12_000, 32_000

var (
	mu       sync.Mutex
	reserved []net.PacketConn // never closed; guarded by mu
)

// Find returns a TCP port of 127.0.0.1 that nobody listens on, and that nobody is given while the caller starts what is
// to listen on it, or starts it again: it is below those that the kernel hands out by itself, to listeners on port 0 and
// to outgoing connections, as tests make them by the hundred; and no other call of Find, in this process or in another,
// returns it as long as this process runs, which holds the UDP port of the same number for that.
func Find() (port string, err error) {
	below := min(highest, handedOut())
	for range 1000 {
		port = strconv.Itoa(lowest + rand.IntN(below-lowest))
		var reservation net.PacketConn
		if reservation, err = net.ListenPacket("udp", net.JoinHostPort("127.0.0.1", port)); err != nil {
			continue
		}
		var l net.Listener
		if l, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", port)); err != nil {
			_ = reservation.Close()
			continue
		}
		mu.Lock()
		reserved = append(reserved, reservation)
		mu.Unlock()
		return port, l.Close()
	}
	return "", fmt.Errorf("freeport: tried a thousand ports between %d and %d: %w", lowest, below, err)
}

// handedOut is the lowest port that the kernel hands out, highest if that is unknown or leaves too few.
func handedOut() int {
	var first int
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return highest
	}
	if _, err := fmt.Sscan(string(text), &first); err != nil || first < lowest+1000 {
		return highest
	}
	return first
}
