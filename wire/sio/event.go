package sio

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ParseEvent splits the payload of an Event into its name and its arguments and checks
// all of it: one JSON array, nested no deeper and with no more arguments than l allows.
// The arguments alias data, and are nil if there are none.
//
// The name must be a string, or an integer of at most 2^53-1 in size, which becomes its
// decimal text. A Reserved name is an error: a peer must not be able to reach a
// lifecycle handler by sending its name. Every error means that the connection is to be closed.
//
// An Event without any payload ("42", Data nil) is legal on the wire and has no name; it
// must not reach ParseEvent, which refuses it.
func ParseEvent(data []byte, l Limits) (name string, args []json.RawMessage, err error) {
	if len(data) == 0 || data[0] != '[' {
		return "", nil, errors.New("sio: the payload of an event must be a JSON array that begins with the event's name")
	}
	i := skipSpace(data, 1)
	switch {
	case i < len(data) && data[i] == '"':
		name, i, err = parseName(data, i)
	case i < len(data) && (data[i] == '-' || isDigit(data[i])):
		name, i, err = parseIntegerName(data, i)
	default:
		err = errors.New("sio: an event's name must be a string or an integer")
	}
	if err != nil {
		return "", nil, err
	}
	if Reserved(name) {
		return "", nil, fmt.Errorf("sio: event name %q is reserved and cannot be sent by a peer", name)
	}
	args, err = splitArgs(data, i, &l, false)
	if err != nil {
		return "", nil, fmt.Errorf("sio: event %.64q: %w", name, err)
	}
	return name, args, nil
}

// ParseArgs splits the payload of an Ack into its arguments, with the same checks as
// ParseEvent. Nil data (an ack without a payload) has no arguments.
func ParseArgs(data []byte, l Limits) ([]json.RawMessage, error) {
	if len(data) == 0 {
		return nil, nil
	}
	if data[0] != '[' {
		return nil, errors.New("sio: the payload of an ack must be a JSON array")
	}
	args, err := splitArgs(data, 1, &l, true)
	if err != nil {
		return nil, fmt.Errorf("sio: ack: %w", err)
	}
	return args, nil
}

// splitArgs reads the elements of the outer array from data[i] on. If first, it stands
// right after the opening bracket, else after an element.
func splitArgs(data []byte, i int, l *Limits, first bool) ([]json.RawMessage, error) {
	var few [8]json.RawMessage // most packets fit; the result is a copy of the exact size
	args := few[:0]
	depth, limit := l.depth()-1, l.args()
	for {
		i = skipSpace(data, i)
		switch {
		case i < len(data) && data[i] == ']':
			if end := skipSpace(data, i+1); end != len(data) {
				return nil, syntaxError("data after the payload", end)
			}
			if len(args) == 0 {
				return nil, nil
			}
			return append(make([]json.RawMessage, 0, len(args)), args...), nil
		case first:
		case i < len(data) && data[i] == ',':
			i = skipSpace(data, i+1)
		default:
			return nil, syntaxError("want a comma or the closing bracket", i)
		}
		first = false
		if len(args) == limit {
			return nil, fmt.Errorf("more than %d arguments: raise Limits.Args or send an array", limit)
		}
		end, err := scanValue(data, i, depth)
		if err != nil {
			return nil, fmt.Errorf("argument %d: %w", len(args)+1, err)
		}
		args = append(args, json.RawMessage(data[i:end:end]))
		i = end
	}
}

// parseName reads the string at data[i].
func parseName(data []byte, i int) (name string, end int, err error) {
	end, verbatim, err := scanString(data, i)
	if err != nil {
		return "", 0, fmt.Errorf("sio: an event's name: %w", err)
	}
	raw := data[i:end]
	if !verbatim {
		name, err = unescape(raw)
		return name, end, err
	}
	name = string(raw[1 : len(raw)-1])
	if !utf8.ValidString(name) {
		name = strings.ToValidUTF8(name, "\uFFFD")
	}
	return name, end, nil
}

// unescape decodes a name with escapes, which is rare. Lone surrogates become U+FFFD.
func unescape(raw []byte) (name string, err error) {
	if err := json.Unmarshal(raw, &name); err != nil {
		return "", fmt.Errorf("sio: an event's name: %w", err)
	}
	return name, nil
}

// parseIntegerName reads the integer at data[i].
func parseIntegerName(data []byte, i int) (name string, end int, err error) {
	end, err = scanNumber(data, i)
	if err != nil {
		return "", 0, fmt.Errorf("sio: an event's name: %w", err)
	}
	digits := data[i:end]
	negative := digits[0] == '-'
	if negative {
		digits = digits[1:]
	}
	_, rest, err := parseID(digits)
	if err != nil || len(rest) > 0 {
		return "", 0, errors.New("sio: an event's name must be a string or an integer of at most 2^53-1")
	}
	if negative && digits[0] == '0' { // -0 is 0
		return "0", end, nil
	}
	return string(data[i:end]), end, nil
}
