package eio

import (
	"encoding/base64"
	"errors"
)

// Errors of Decode3, DecodeBinary3, Packets3 and BinaryPackets3, besides those of Decode.
var (
	ErrBinaryType = errors.New("eio: binary data in a packet that is no message: only Engine.IO 3 messages can be binary")
	ErrLength     = errors.New("eio: bad length in an Engine.IO 3 payload: want <length>:<packet> with the length in UTF-16 code units, or a binary payload with the length in bytes")
)

// Decode3 reads one text frame of a WebSocket, or one element of a text payload, of Engine.IO
// revision 3: as in revision 4, except that base64 names its packet type, "b4AQID".
//
// The data of a text packet aliases frame.
func Decode3(frame []byte) (Packet, error) {
	switch {
	case len(frame) == 0:
		return Packet{}, ErrEmpty
	case frame[0] != 'b':
		return Decode(frame)
	case len(frame) == 1:
		return Packet{}, ErrType
	}
	switch t := Type(frame[1] - '0'); {
	case t > Noop:
		return Packet{}, ErrType
	case t != Message:
		return Packet{}, ErrBinaryType
	}
	data, err := decodeBase64(frame[2:])
	if err != nil {
		return Packet{}, err
	}
	return Packet{Type: Message, Binary: true, Data: data}, nil
}

// DecodeBinary3 reads one binary frame of a WebSocket, or one binary element of a binary payload,
// of Engine.IO revision 3: the packet type as a byte 0 to 6, not a digit, then the data, which
// aliases frame.
func DecodeBinary3(frame []byte) (Packet, error) {
	switch {
	case len(frame) == 0:
		return Packet{}, ErrEmpty
	case Type(frame[0]) > Noop:
		return Packet{}, ErrType
	case Type(frame[0]) != Message:
		return Packet{}, ErrBinaryType
	}
	return Packet{Type: Message, Binary: true, Data: frame[1:]}, nil
}

// Append3 appends the text form of p in revision 3: the type digit and the data, or for a binary
// message "b4" and padded standard base64.
func Append3(dst []byte, p Packet) []byte {
	if p.Binary {
		dst = append(dst, 'b', '0'+byte(p.Type))
		return base64.StdEncoding.AppendEncode(dst, p.Data)
	}
	dst = append(dst, '0'+byte(p.Type))
	return append(dst, p.Data...)
}

// AppendBinary3 appends the form of a binary message in revision 3: the byte 4 and the data.
func AppendBinary3(dst, data []byte) []byte {
	dst = append(dst, byte(Message))
	return append(dst, data...)
}
