//go:build linux

package main

import (
	"encoding/binary"
	"fmt"
)

// WebSocket opcodes (RFC 6455, 5.2) the bench meets.
const (
	opText  = 1
	opClose = 8
)

// appendFrame appends payload to dst as one final client frame. The masking key
// is four zero bytes: the server unmasks as always, while this side can build a
// frame once and patch digits in it.
func appendFrame(dst []byte, opcode byte, payload []byte) []byte {
	const fin, masked = 0x80, 0x80
	dst = append(dst, fin|opcode)
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, masked|byte(n))
	case n < 1<<16:
		dst = append(dst, masked|126)
		dst = binary.BigEndian.AppendUint16(dst, uint16(n))
	default:
		dst = append(dst, masked|127)
		dst = binary.BigEndian.AppendUint64(dst, uint64(n))
	}
	dst = append(dst, 0, 0, 0, 0)
	return append(dst, payload...)
}

// cutFrame takes the first server frame off b. ok is false when b holds only a
// part of it. The payload aliases b.
func cutFrame(b []byte) (opcode byte, payload, rest []byte, ok bool, err error) {
	if len(b) < 2 {
		return 0, nil, b, false, nil
	}
	if b[0]&0xf0 != 0x80 || b[1]&0x80 != 0 {
		return 0, nil, b, false, fmt.Errorf("bench: frame starts %#x: the bench wants whole, unmasked frames without extensions", b[:2])
	}
	n, head := uint64(b[1]), 2
	switch n {
	case 126:
		if len(b) < 4 {
			return 0, nil, b, false, nil
		}
		n, head = uint64(binary.BigEndian.Uint16(b[2:])), 4
	case 127:
		if len(b) < 10 {
			return 0, nil, b, false, nil
		}
		n, head = binary.BigEndian.Uint64(b[2:]), 10
	}
	if n > 1<<24 {
		return 0, nil, b, false, fmt.Errorf("bench: frame of %d bytes: no server here has reason to send that", n)
	}
	end := head + int(n)
	if len(b) < end {
		return 0, nil, b, false, nil
	}
	return b[0] & 0x0f, b[head:end], b[end:], true, nil
}
