package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/siokit/siokit/engineio"
)

var (
	// ErrDisconnected is returned by a Call, and told to the function of an EmitFunc, whose connection ended
	// before the ack came, and returned by Emit and Call on a namespace that the server has refused or ended: Socket.Connect joins it again.
	ErrDisconnected = errors.New("client: the namespace is disconnected")
	// ErrNotConnected is returned by Emit and Call when there is no connection and nothing may wait for one.
	ErrNotConnected = errors.New("client: not connected: call Connect first, or again after Close")
	// ErrTimeout is returned by Call when the server did not answer in time.
	ErrTimeout = errors.New("client: the server did not answer in time: does it have a handler for this event that acks?")
	// ErrBufferFull is returned by Emit and Call when too much waits for a connection already.
	ErrBufferFull = errors.New("client: too many events wait for a connection: see BufferEvents and BufferBytes")
	// ErrNotWritable is returned by a volatile Call or EmitFunc when the event cannot leave at once.
	ErrNotWritable = errors.New("client: the event cannot be sent at once and is volatile: without Volatile it waits")
	// ErrConnected is returned by Connect when the client is connected, or about to be.
	ErrConnected = errors.New("client: connected or connecting already: Close first")
	errClosed    = errors.New("client: closed")
	// errUnanswered is what servers do with a packet that they cannot read.
	errUnanswered = errors.New("the server closed the connection before it answered CONNECT: is Options.Parser the server's, was it being stopped?")
)

// A ConnectError says that the server has refused a namespace.
type ConnectError struct {
	Namespace string
	Message   string          // of the server
	Data      json.RawMessage // of the server; nil for none
	hint      string
}

func (e *ConnectError) Error() string {
	text := fmt.Sprintf("client: the server refuses namespace %q: %s", e.Namespace, e.Message)
	if len(e.Data) > 0 {
		text += fmt.Sprintf(" (data: %.200s)", e.Data)
	}
	return text + e.hint
}

// A DisconnectError says why a connection, or the client, has ended.
type DisconnectError struct {
	Reason Reason
	Err    error // what lies behind it; may be nil
}

func (e *DisconnectError) Error() string {
	if e.Err == nil {
		return "client: disconnected: " + string(e.Reason)
	}
	return fmt.Sprintf("client: disconnected: %s: %v", e.Reason, e.Err)
}

func (e *DisconnectError) Unwrap() error { return e.Err }

// unanswered adds to why a connection ended before the server had answered CONNECT. err may be nil.
func unanswered(err error) error {
	if err == nil {
		return errUnanswered
	}
	return fmt.Errorf("%w (%w)", errUnanswered, err)
}

// A ReconnectError says that Options.ReconnectAttempts attempts in a row have failed. It unwraps to the
// last failure.
type ReconnectError struct {
	Attempts int
	Err      error
}

func (e *ReconnectError) Error() string {
	return fmt.Sprintf("client: gave up after %d attempts to reconnect: %v", e.Attempts, e.Err)
}

func (e *ReconnectError) Unwrap() error { return e.Err }

// An Error is the answer of a handler that failed. Call returns it when a siokit server's ack is
// {"error": {...}}; returned by a handler of OnCall it makes such an ack. Any other error that a handler
// returns is told to the server as "internal error", and to Options.OnError as it is.
type Error struct {
	Code    string `json:"code,omitempty"`
	Message string `json:"message"`
	Data    any    `json:"data,omitempty"`
}

func (e *Error) Error() string {
	if e.Code == "" {
		return "client: " + e.Message
	}
	return fmt.Sprintf("client: %s: %s", e.Code, e.Message)
}

// failedAck is the form in which errors travel.
type failedAck struct {
	Error *Error `json:"error"`
}

// An ArgumentError says that what the server sent does not fit a handler, or its answer not the Out of Call.
type ArgumentError struct {
	Event string
	Got   int // arguments that the server sent
	Want  int // arguments that the type takes
	Type  string
	Err   error // of decoding; nil when the number is wrong
}

func (e *ArgumentError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("client: event %q does not fit %s: %v", e.Event, e.Type, e.Err)
	}
	return fmt.Sprintf("client: event %q: the server sent %d arguments, %s takes %d", e.Event, e.Got, e.Type, e.Want)
}

func (e *ArgumentError) Unwrap() error { return e.Err }

// A PanicError is what a callback panicked with.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("client: a callback panicked: %v", e.Value) }

// Unwrap returns the panic's value if it was an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Reason says why a namespace was disconnected. The texts are those of the JavaScript client.
type Reason string

// The disconnect reasons. After ServerDisconnect and ClientDisconnect the client does not come back by
// itself.
const (
	ServerDisconnect Reason = "io server disconnect" // the server ended this namespace
	ClientDisconnect Reason = "io client disconnect" // Close, or Socket.Disconnect
	TransportClose   Reason = Reason(engineio.TransportClose)
	TransportError   Reason = Reason(engineio.TransportError)
	PingTimeout      Reason = Reason(engineio.PingTimeout)
	ParseError       Reason = Reason(engineio.ParseError)
)

// waitError is why a wait ended with ctx.
func waitError(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return ErrTimeout
	}
	return ctx.Err()
}
