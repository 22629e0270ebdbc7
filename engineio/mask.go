package engineio

import (
	"crypto/rand"
	"encoding/binary"
)

const opPong = 0x8a

// appendMasked appends a frame as clients must send it (RFC 6455, 5.3). The mask is from crypto/rand: a
// page that could guess it could make a proxy in between see requests of its choice.
func appendMasked(dst []byte, op byte, payload []byte) []byte {
	at := len(dst)
	dst = appendHeader(dst, op, len(payload))
	dst[at+1] |= 0x80
	var key [4]byte
	_, _ = rand.Read(key[:]) // never fails
	dst = append(dst, key[:]...)
	start := len(dst)
	dst = append(dst, payload...)
	mask(dst[start:], key)
	return dst
}

func mask(data []byte, key [4]byte) {
	k := uint64(binary.LittleEndian.Uint32(key[:]))
	k |= k << 32
	for len(data) >= 8 {
		binary.LittleEndian.PutUint64(data, binary.LittleEndian.Uint64(data)^k)
		data = data[8:]
	}
	for i := range data {
		data[i] ^= key[i&3]
	}
}
