package engineio

import "fmt"

// Reason says why a connection ended. The texts are those of the Node server where it has one.
type Reason string

// The reasons an Engine.IO connection ends. Package core adds those of a single namespace.
const (
	TransportClose Reason = "transport close"      // the peer closed, or the link broke
	TransportError Reason = "transport error"      // the peer broke the transport's protocol
	PingTimeout    Reason = "ping timeout"         // no pong within PingTimeout
	ParseError     Reason = "parse error"          // the peer sent what is no packet
	ForcedClose    Reason = "forced close"         // the layer above refused what it read
	ServerShutdown Reason = "server shutting down" // Server.Shutdown
	ServerClose    Reason = "forced server close"  // Conn.Close by the application
	SlowConsumer   Reason = "slow consumer"        // the outbox was full, or a write made no progress (siokit's own)
)

// A CloseError is the cause of a connection's context once it has ended.
type CloseError struct {
	Reason Reason
	Err    error // what lies behind it, nil when there is nothing to add
}

func (e *CloseError) Error() string {
	if e.Err == nil {
		return "engineio: connection closed: " + string(e.Reason)
	}
	return fmt.Sprintf("engineio: connection closed: %s: %v", e.Reason, e.Err)
}

func (e *CloseError) Unwrap() error { return e.Err }
