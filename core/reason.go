package core

import (
	"fmt"

	"github.com/siokit/siokit/engineio"
)

// Reason says why a socket was disconnected. The texts are those of the Node server.
type Reason string

// The disconnect reasons. TransportClose to SlowConsumer concern the whole connection.
const (
	TransportClose            Reason = Reason(engineio.TransportClose)
	TransportError            Reason = Reason(engineio.TransportError)
	PingTimeout               Reason = Reason(engineio.PingTimeout)
	ParseError                Reason = Reason(engineio.ParseError)
	ForcedClose               Reason = Reason(engineio.ForcedClose)
	ServerShutdown            Reason = Reason(engineio.ServerShutdown)
	ForcedServerClose         Reason = Reason(engineio.ServerClose)
	SlowConsumer              Reason = Reason(engineio.SlowConsumer) // siokit's own
	ClientNamespaceDisconnect Reason = "client namespace disconnect" // the client called disconnect()
	ServerNamespaceDisconnect Reason = "server namespace disconnect" // Socket.Disconnect, or a revoked login
)

// A DisconnectError is the cause of a Context that has ended:
//
//	var gone *core.DisconnectError
//	if errors.As(context.Cause(c), &gone) { log.Print(gone.Reason) }
type DisconnectError struct {
	Reason Reason
	Err    error // what lies behind it, for example why a login was revoked; may be nil
}

func (e *DisconnectError) Error() string {
	if e.Err == nil {
		return "core: disconnected: " + string(e.Reason)
	}
	return fmt.Sprintf("core: disconnected: %s: %v", e.Reason, e.Err)
}

func (e *DisconnectError) Unwrap() error { return e.Err }
