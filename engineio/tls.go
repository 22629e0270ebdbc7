package engineio

import (
	"crypto/tls"
	"net"
)

// tlsRecord is the most that one record of TLS holds (RFC 8446, 5.1).
const tlsRecord = 16 << 10

func overTLS(nc net.Conn) bool {
	_, ok := nc.(interface{ ConnectionState() tls.ConnectionState })
	return ok
}

// hangUp closes the connection, without waiting: a tls.Conn says so to the peer first, for up to 5 s.
func (s *socket) hangUp() {
	if s.tls {
		s.conn.srv.spawned.run(func() { _ = s.nc.Close() })
		return
	}
	_ = s.nc.Close()
}
