// Package freeport finds ports for servers that cannot choose one themselves, or must have the same one twice.
package freeport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// What Linux and the BSDs hand out begins at 32768 or higher.
const lowest, highest = 12_000, 32_000

// Find returns a TCP port of 127.0.0.1 that nobody listens on, and that nobody is given while the caller starts what is
// to listen on it: it is below those that the kernel hands out by itself, to listeners on port 0 and to outgoing
// connections, as tests make them by the hundred.
func Find() (string, error) {
	var err error
	for range 1000 {
		port := strconv.Itoa(lowest + rand.IntN(highest-lowest))
		var l net.Listener
		if l, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", port)); err == nil {
			return port, l.Close()
		}
	}
	return "", fmt.Errorf("freeport: tried a thousand ports between %d and %d: %w", lowest, highest, err)
}
