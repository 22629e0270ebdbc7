package sio

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// AppendEvent appends an Event with the given name and arguments to dst and returns it
// with the attachments, which alias the caller's byte slices and must follow the packet
// as binary messages, in order. If there are any, the packet is a BinaryEvent.
//
// An id below 0 means that no ack is wanted. An empty namespace means "/".
//
// A []byte, and a named byte slice without JSON methods, becomes an attachment wherever
// it stands in the arguments; a nil one becomes null. A json.RawMessage is checked and
// sent as JSON. Everything else is encoded as by encoding/json, but <, > and & are
// not escaped, and invalid UTF-8, also in what MarshalJSON returns, becomes U+FFFD.
//
// On error dst is returned as it was, and nothing is to be sent. It is an error if the
// name is Reserved, if a value has no JSON form (a channel, a function, NaN, a cycle,
// more than 10,000 levels), or if there are more than DefaultAttachments attachments,
// for which peers with the default limit would close the connection.
func AppendEvent(dst []byte, ns string, id int64, event string, args []any) (out []byte, attachments [][]byte, err error) {
	f, err := standard.Event(dst, ns, id, event, args)
	return f.Data, f.Attachments, err
}

// AppendAck appends an Ack to the event that carried id. The arguments are encoded, and
// errors reported, as by AppendEvent.
func AppendAck(dst []byte, ns string, id int64, args []any) (out []byte, attachments [][]byte, err error) {
	f, err := standard.Ack(dst, ns, id, args)
	return f.Data, f.Attachments, err
}

// AppendConnect appends a Connect. Data is the client's auth payload or the server's
// {"sid":...}; it must encode to a JSON object, and nil means no payload.
func AppendConnect(dst []byte, ns string, data any) ([]byte, error) {
	out, err := appendHeader(dst, Connect, ns, -1)
	if err != nil || data == nil {
		return out, err
	}
	if out, err = appendConnectData(out, data); err != nil {
		return dst, err
	}
	return out, nil
}

func appendConnectData(dst []byte, data any) ([]byte, error) {
	out, err := appendOne(dst, data)
	if err != nil {
		return dst, fmt.Errorf("sio: the payload of CONNECT: %w", err)
	}
	if out[len(dst)] != '{' {
		return dst, fmt.Errorf("sio: the payload of CONNECT must be a JSON object, such as a struct or a map, not a %T", data)
	}
	return out, nil
}

// AppendConnectError appends a ConnectError, {"message":...,"data":...}, without data if
// that is nil. Only a server sends it. Both parts reach the client: they must not
// contain the text of internal errors.
func AppendConnectError(dst []byte, ns, message string, data any) ([]byte, error) {
	out, err := appendHeader(dst, ConnectError, ns, -1)
	if err != nil {
		return dst, err
	}
	if out, err = appendRefusal(out, message, data); err != nil {
		return dst, err
	}
	return out, nil
}

func appendRefusal(dst []byte, message string, data any) (out []byte, err error) {
	out = append(dst, `{"message":`...)
	out = appendString(out, message)
	if data != nil {
		out = append(out, `,"data":`...)
		if out, err = appendOne(out, data); err != nil {
			return dst, fmt.Errorf("sio: the data of CONNECT_ERROR: %w", err)
		}
	}
	return append(out, '}'), nil
}

// AppendDisconnect appends a Disconnect for the namespace, which must be one that a
// Decoder or one of the other Append functions has accepted.
func AppendDisconnect(dst []byte, ns string) []byte {
	dst = append(dst, '0'+byte(Disconnect))
	return appendNamespace(dst, ns)
}

func appendNamespace(dst []byte, ns string) []byte {
	if ns == "" || ns == "/" {
		return dst
	}
	dst = append(dst, ns...)
	return append(dst, ',')
}

// appendHeader returns dst unchanged on error.
func appendHeader(dst []byte, t Type, ns string, id int64) ([]byte, error) {
	if err := validNamespace(ns); err != nil {
		return dst, err
	}
	if id > MaxID {
		return dst, fmt.Errorf("sio: ack id %d is larger than 2^53-1", id)
	}
	dst = append(dst, '0'+byte(t))
	dst = appendNamespace(dst, ns)
	if id >= 0 {
		dst = strconv.AppendInt(dst, id, 10)
	}
	return dst, nil
}

// appendArgs appends an Event (with a name) or an Ack (without).
func (e *Encoder) appendArgs(dst []byte, t Type, ns string, id int64, name *string, args []any) ([]byte, [][]byte, error) {
	start := len(dst)
	out, err := appendHeader(dst, t, ns, id)
	if err != nil {
		return dst, nil, err
	}
	out, attachments, err := e.appendPayload(out, name, args, e.attachments(), defaultMarker)
	if err != nil {
		return dst, nil, err
	}
	if n := len(attachments); n > 0 {
		// How many there are is known only now, and belongs after the type.
		out[start] += byte(BinaryEvent - Event)
		out = slices.Insert(out, start+1, append(strconv.AppendInt(nil, int64(n), 10), '-')...)
	}
	return out, attachments, nil
}

// appendPayload appends the array of an event's name, if it has one, and of the arguments.
func (e *Encoder) appendPayload(dst []byte, name *string, args []any, limit int, marker string) ([]byte, [][]byte, error) {
	out := append(dst, '[')
	if name != nil {
		out = appendString(out, *name)
	}
	var attachments [][]byte
	if len(args) > 0 {
		w := writers.Get().(*writer)
		w.limit, w.marker = limit, marker
		before := len(out)
		var err error
		if out, err = w.appendValues(out, args, name == nil, e.JSON); err != nil {
			return dst, nil, err // and the writer is dropped
		}
		attachments = w.attachments
		w.release(len(out) - before)
	}
	return append(out, ']'), attachments, nil
}

// appendOne appends a value that cannot have attachments.
func appendOne(dst []byte, v any) ([]byte, error) {
	w := writers.Get().(*writer)
	w.limit, w.marker = DefaultAttachments, defaultMarker
	out, err := w.appendValues(dst, []any{v}, true, nil)
	if err != nil {
		return dst, err
	}
	if len(w.attachments) > 0 {
		w.attachments = nil
		w.release(0)
		return dst, errors.New("it cannot hold binary data: encode it as a string")
	}
	w.release(len(out) - len(dst))
	return out, nil
}

// describe words an error of appendArgs.
func describe(err error, packet string) error {
	var bad argumentError
	if errors.As(err, &bad) {
		return fmt.Errorf("sio: argument %d of %s: %w", bad.index+1, packet, bad.err)
	}
	return err
}

// appendString appends s as a JSON string. Invalid UTF-8 becomes U+FFFD.
func appendString(dst []byte, s string) []byte {
	out, err := jsontext.AppendQuote(dst, s)
	if err != nil {
		out, _ = jsontext.AppendQuote(dst, strings.ToValidUTF8(s, "\uFFFD"))
	}
	return out
}
