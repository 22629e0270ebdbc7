package sio

import (
	"encoding/binary"
	"fmt"
)

// This scanner finds where a JSON value ends and checks it on the way (RFC 8259). It
// exists because every message of every client passes here: it is one pass without an
// allocation or a pooled decoder, honours Limits.Depth, and yields offsets into the
// message. bench_test.go compares it with jsontext.Decoder.
//
// Invalid UTF-8 passes: decoding turns it into U+FFFD. Raw control characters do not.

// syntaxError is made only on the way to closing a connection.
func syntaxError(what string, at int) error {
	return fmt.Errorf("invalid JSON: %s at byte %d", what, at)
}

// plain marks the bytes that may stand for themselves inside a string.
var plain = func() (t [256]bool) {
	for c := range 256 {
		t[c] = c >= 0x20 && c != '"' && c != '\\'
	}
	return t
}()

func skipSpace(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\t' || data[i] == '\n' || data[i] == '\r') {
		i++
	}
	return i
}

// scanValue returns the index after the value that begins at data[i], without space
// before it. It keeps open brackets in a bit stack (set: an object), not on the
// goroutine's stack, so that deep nesting costs a bit per level.
func scanValue(data []byte, i, maxDepth int) (int, error) {
	var (
		small [4]uint64
		stack = small[:]
		depth int
		err   error
	)
	for {
		// At the start of a value.
		if i >= len(data) {
			return i, syntaxError("it ends where a value should be", i)
		}
		switch c := data[i]; c {
		case '{', '[':
			if depth == maxDepth {
				return i, fmt.Errorf("JSON is nested deeper than %d levels", maxDepth)
			}
			if depth>>6 == len(stack) {
				stack = append(stack, 0)
			}
			bit := uint64(1) << (depth & 63)
			if c == '{' {
				stack[depth>>6] |= bit
			} else {
				stack[depth>>6] &^= bit
			}
			depth++
			i = skipSpace(data, i+1)
			if i < len(data) && data[i] == c+2 { // '[' + 2 is ']', '{' + 2 is '}'
				break
			}
			if c == '{' {
				if i, err = scanKey(data, i); err != nil {
					return i, err
				}
			}
			continue
		case '"':
			if i, _, err = scanString(data, i); err != nil {
				return i, err
			}
		case 't':
			i, err = scanLiteral(data, i, "true")
		case 'f':
			i, err = scanLiteral(data, i, "false")
		case 'n':
			i, err = scanLiteral(data, i, "null")
		default:
			i, err = scanNumber(data, i)
		}
		if err != nil {
			return i, err
		}
		// After a value, or at the bracket that closes an empty array or object.
		for {
			if depth == 0 {
				return i, nil
			}
			i = skipSpace(data, i)
			if i >= len(data) {
				return i, syntaxError("a bracket is not closed", i)
			}
			object := stack[(depth-1)>>6]&(1<<((depth-1)&63)) != 0
			c := data[i]
			if c == ',' {
				i = skipSpace(data, i+1)
				if object {
					if i, err = scanKey(data, i); err != nil {
						return i, err
					}
				}
				break
			}
			if object && c != '}' || !object && c != ']' {
				return i, syntaxError("want a comma or the closing bracket", i)
			}
			i++
			depth--
		}
	}
}

// scanKey reads an object's key and its colon, up to the start of the value.
func scanKey(data []byte, i int) (int, error) {
	if i >= len(data) || data[i] != '"' {
		return i, syntaxError("an object's key must be a string", i)
	}
	i, _, err := scanString(data, i)
	if err != nil {
		return i, err
	}
	i = skipSpace(data, i)
	if i >= len(data) || data[i] != ':' {
		return i, syntaxError("want a colon after an object's key", i)
	}
	return skipSpace(data, i+1), nil
}

// scanString reads the string that begins at data[i], a quote. Verbatim is false if it
// has escapes.
func scanString(data []byte, i int) (end int, verbatim bool, err error) {
	verbatim = true
	i++
	for {
		for i+8 <= len(data) && !special(binary.LittleEndian.Uint64(data[i:])) {
			i += 8
		}
		for i < len(data) && plain[data[i]] {
			i++
		}
		if i >= len(data) {
			return i, false, syntaxError("a string is not closed", i)
		}
		switch data[i] {
		case '"':
			return i + 1, verbatim, nil
		case '\\':
			verbatim = false
			if i+1 >= len(data) {
				return i, false, syntaxError("a string is not closed", i)
			}
			switch data[i+1] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
				i += 2
			case 'u':
				if i+6 > len(data) || !isHex(data[i+2]) || !isHex(data[i+3]) || !isHex(data[i+4]) || !isHex(data[i+5]) {
					return i, false, syntaxError(`\u needs four hexadecimal digits`, i)
				}
				i += 6
			default:
				return i, false, syntaxError("unknown escape in a string", i)
			}
		default:
			return i, false, syntaxError("control character in a string", i)
		}
	}
}

// special reports whether one of the eight bytes in x may be a quote, a backslash or a
// control character. It finds all of them, and at times one that is none.
func special(x uint64) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	quote, slash := x^ones*'"', x^ones*'\\'
	return ((quote-ones)&^quote|(slash-ones)&^slash|(x-ones*0x20)&^x)&tops != 0
}

func scanLiteral(data []byte, i int, want string) (int, error) {
	if len(data)-i < len(want) || string(data[i:i+len(want)]) != want {
		return i, syntaxError("unknown literal", i)
	}
	return i + len(want), nil
}

func scanNumber(data []byte, i int) (int, error) {
	start := i
	if i < len(data) && data[i] == '-' {
		i++
	}
	switch {
	case i < len(data) && data[i] == '0':
		i++
	case i < len(data) && isDigit(data[i]):
		i = skipDigits(data, i)
	default:
		return i, syntaxError("want a value", start)
	}
	if i < len(data) && data[i] == '.' {
		digits := i + 1
		if i = skipDigits(data, digits); i == digits {
			return i, syntaxError("a number ends with its decimal point", i)
		}
	}
	if i < len(data) && (data[i] == 'e' || data[i] == 'E') {
		i++
		if i < len(data) && (data[i] == '+' || data[i] == '-') {
			i++
		}
		digits := i
		if i = skipDigits(data, digits); i == digits {
			return i, syntaxError("a number has an empty exponent", i)
		}
	}
	return i, nil
}

func skipDigits(data []byte, i int) int {
	for i < len(data) && isDigit(data[i]) {
		i++
	}
	return i
}

func isHex(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
