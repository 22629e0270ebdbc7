package core

import (
	"errors"
	"fmt"
)

var (
	// ErrDisconnected is returned when the client has left, also by a Call that waits for it.
	ErrDisconnected = errors.New("core: the client is disconnected")
	// ErrTimeout is returned by Call when the client did not answer in time.
	ErrTimeout = errors.New("core: the client did not answer in time")
	// ErrNotWritable is returned when a volatile event that wants an ack cannot leave at once.
	ErrNotWritable = errors.New("core: the client cannot be sent to at once and the event is volatile; emit it without Volatile to have it wait")
	// ErrNotConnected is returned by Call before the client has been told that it is connected:
	// call it from an event handler, or from a goroutine started after OnConnect.
	ErrNotConnected = errors.New("core: the client is not connected yet; Call works after OnConnect has returned, and EmitFunc before that too")
	// ErrNoSocket is returned by Call when its context does not come from a handler.
	ErrNoSocket = errors.New("core: this context does not come from a socket handler")
	// ErrNoHandler is what Everywhere.OnAnyError gets for an event that nothing handles. Nobody else is told.
	ErrNoHandler = errors.New("core: no handler for this event: register one with On or OnCall, or OnUnhandled")
)

// A ConnectError refuses a connection when middleware or OnConnect returns it: the client gets
// connect_error with the message and, as err.data, Data. Returned by an event handler it is
// sent like an Error without a code.
type ConnectError struct {
	Message string
	Data    any
}

func (e *ConnectError) Error() string { return "core: refused: " + e.Message }

// ClientError implements the interface by which any package can make errors that clients see.
func (e *ConnectError) ClientError() (message string, data any) { return e.Message, e.Data }

// An Error is meant for the client. When an event handler returns it, the ack is
//
//	{"error": {"code": Code, "message": Message, "data": Data}}
//
// without the members that are empty. Any other error becomes {"error": {"message": "internal
// error"}}: its text goes to the error hook, never to the client. Namespace.MapError turns such errors
// into ones that are.
type Error struct {
	Code    string
	Message string
	Data    any
}

func (e *Error) Error() string {
	if e.Code == "" {
		return "core: " + e.Message
	}
	return fmt.Sprintf("core: %s: %s", e.Code, e.Message)
}

// ClientError makes an Error usable as a refusal too.
func (e *Error) ClientError() (message string, data any) { return e.Message, e.Data }

// clientError is what an error must implement for its text to reach a client. auth's errors do,
// without importing this package.
type clientError interface {
	error
	ClientError() (message string, data any)
}

const internalError = "internal error"

var errInternal = &ConnectError{Message: internalError}

// refusal returns the message and data of a CONNECT_ERROR.
func refusal(err error) (message string, data any) {
	if ce, ok := errors.AsType[clientError](err); ok {
		return ce.ClientError()
	}
	return internalError, nil
}

type ackError struct {
	Error ackErrorBody `json:"error"`
}

type ackErrorBody struct {
	Code    string `json:"code,omitempty"`
	Message string `json:"message"`
	Data    any    `json:"data,omitempty"`
}

// failedAck returns the arguments of an ack for a handler that failed.
func failedAck(err error) []any {
	if answer, ok := errors.AsType[*answerError](err); ok {
		return answer.args
	}
	return []any{errorAck(err)}
}

// errorAck returns the one argument of an ack for a handler that failed.
func errorAck(err error) ackError {
	if e, ok := errors.AsType[*Error](err); ok {
		return ackError{ackErrorBody{e.Code, e.Message, e.Data}}
	}
	message, data := refusal(err)
	return ackError{ackErrorBody{Message: message, Data: data}}
}

// isForClient reports whether err was made for the client, so that it is no news to the
// operator.
func isForClient(err error) bool {
	_, ok := errors.AsType[clientError](err)
	return ok
}

// A PanicError reports a panic of user code to the error hook.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("core: handler panicked: %v", e.Value) }

// Unwrap returns the panic's value if it was an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
