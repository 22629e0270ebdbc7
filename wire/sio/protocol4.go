package sio

import "fmt"

// AppendError4 appends the ERROR by which Socket.IO protocol 4 (socket.io-client 1 and 2) refuses a
// namespace: data, or the message when that is nil. Only a server sends it. What it says reaches the
// client: it must not contain the text of internal errors.
func AppendError4(dst []byte, ns, message string, data any) ([]byte, error) {
	out, err := appendHeader(dst, ConnectError, ns, -1)
	if err != nil {
		return dst, err
	}
	if data == nil {
		return appendString(out, message), nil
	}
	if out, err = appendOne(out, data); err != nil {
		return dst, fmt.Errorf("sio: the data of ERROR: %w", err)
	}
	return out, nil
}
