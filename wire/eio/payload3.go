package eio

import (
	"bytes"
	"encoding/base64"
	"iter"
	"math"
	"strconv"
	"unicode/utf8"
)

// AppendPayload3 appends p to a text payload of Engine.IO revision 3: its length, a colon, and its
// text form. The length counts UTF-16 code units, as JavaScript does.
func AppendPayload3(dst []byte, p Packet) []byte {
	if p.Binary {
		dst = strconv.AppendInt(dst, int64(2+base64.StdEncoding.EncodedLen(len(p.Data))), 10)
	} else {
		dst = strconv.AppendInt(dst, int64(1+utf16Len(p.Data)), 10)
	}
	return Append3(append(dst, ':'), p)
}

// Bytes of a binary payload of revision 3.
const (
	textElement   = 0
	binaryElement = 1
	lengthEnd     = 0xff
)

// AppendBinaryPayload3 appends p to a binary payload of Engine.IO revision 3: a byte 0 for text or 1
// for binary, the decimal digits of the length as bytes 0 to 9, the byte 255, and the packet. The
// length counts bytes, the type included.
func AppendBinaryPayload3(dst []byte, p Packet) []byte {
	kind := byte(textElement)
	if p.Binary {
		kind = binaryElement
	}
	dst = append(dst, kind)
	start := len(dst)
	dst = strconv.AppendInt(dst, int64(1+len(p.Data)), 10)
	for i := start; i < len(dst); i++ {
		dst[i] -= '0'
	}
	dst = append(dst, lengthEnd)
	if p.Binary {
		return AppendBinary3(dst, p.Data)
	}
	return Append3(dst, p)
}

// Packets3 iterates over the packets of a text payload of revision 3, "2:401:3". It stops after the
// first error, so that the packets before a broken one can still be delivered. An empty payload
// yields ErrEmpty; an empty element, as in "0:", is skipped, as by the reference implementation.
//
// The payload must be UTF-8. Text packets cost no allocation and alias it.
func Packets3(payload []byte) iter.Seq2[Packet, error] {
	return func(yield func(Packet, error) bool) {
		if len(payload) == 0 {
			yield(Packet{}, ErrEmpty)
			return
		}
		for rest := payload; len(rest) > 0; {
			element, after, ok := cutElement(rest)
			if !ok {
				yield(Packet{}, ErrLength)
				return
			}
			rest = after
			if len(element) == 0 {
				continue
			}
			if p, err := Decode3(element); !yield(p, err) || err != nil {
				return
			}
		}
	}
}

// cutElement splits "<length>:<packet>" from what follows.
func cutElement(rest []byte) (element, after []byte, ok bool) {
	colon := bytes.IndexByte(rest[:min(len(rest), maxLengthDigits+1)], ':')
	if colon < 1 {
		return nil, nil, false
	}
	units, ok := decimal(rest[:colon], '0')
	if !ok {
		return nil, nil, false
	}
	rest = rest[colon+1:]
	end, ok := utf16Prefix(rest, units)
	return rest[:end:end], rest[end:], ok
}

// BinaryPackets3 iterates over the packets of a binary payload of revision 3, the body of an
// application/octet-stream. It stops after the first error; an empty payload yields ErrEmpty.
//
// The data of all packets aliases payload. That of a text packet is not checked to be UTF-8.
func BinaryPackets3(payload []byte) iter.Seq2[Packet, error] {
	return func(yield func(Packet, error) bool) {
		if len(payload) == 0 {
			yield(Packet{}, ErrEmpty)
			return
		}
		for rest := payload; len(rest) > 0; {
			kind, element, after, ok := cutBinaryElement(rest)
			if !ok {
				yield(Packet{}, ErrLength)
				return
			}
			rest = after
			decode := Decode3
			if kind == binaryElement {
				decode = DecodeBinary3
			}
			if p, err := decode(element); !yield(p, err) || err != nil {
				return
			}
		}
	}
}

func cutBinaryElement(rest []byte) (kind byte, element, after []byte, ok bool) {
	kind = rest[0]
	rest = rest[1:]
	end := bytes.IndexByte(rest[:min(len(rest), maxLengthDigits+1)], lengthEnd)
	if kind > binaryElement || end < 1 {
		return 0, nil, nil, false
	}
	n, ok := decimal(rest[:end], 0)
	rest = rest[end+1:]
	if !ok || n > len(rest) {
		return 0, nil, nil, false
	}
	return kind, rest[:n:n], rest[n:], true
}

// maxLengthDigits bounds a length, far above any body that a server takes.
const maxLengthDigits = 10

// decimal reads at most maxLengthDigits digits, the first of which is the byte zero.
func decimal(digits []byte, zero byte) (n int, ok bool) {
	for _, c := range digits {
		if c -= zero; c > 9 || n > (math.MaxInt-9)/10 { // ten digits are too many for 32 bits
			return 0, false
		}
		n = n*10 + int(c)
	}
	return n, true
}

// utf16Len counts the UTF-16 code units of UTF-8 text.
func utf16Len(text []byte) (units int) {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		units += unitsOf(r)
		text = text[size:]
	}
	return units
}

// utf16Prefix returns how many bytes the first units code units take. It fails when there are fewer,
// or when the last one would be half a character.
func utf16Prefix(text []byte, units int) (end int, ok bool) {
	for units > 0 {
		if end == len(text) {
			return end, false
		}
		if c := text[end]; c < utf8.RuneSelf {
			end++
			units--
			continue
		}
		r, size := utf8.DecodeRune(text[end:])
		end += size
		units -= unitsOf(r)
	}
	return end, units == 0
}

func unitsOf(r rune) int {
	if r > 0xffff {
		return 2
	}
	return 1
}
