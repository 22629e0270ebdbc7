package sio

import (
	"bytes"
	"fmt"
	"math"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// A placeholder is the object {"_placeholder":true,"num":n}, which stands in the JSON of
// a binary packet where its attachment n was. As in the reference implementation, what
// makes it one is _placeholder being true; other members do not matter, and of members
// with the same name the last one counts.

// members is what has been read of an object that may be a placeholder.
type members struct {
	name        string // the member whose value comes next, if it matters
	placeholder bool
	num         float64
	hasNum      bool
}

// note records the value of the member m.name. Val is a literal, a number, or anything
// else, which only counts as a wrong value.
func (m *members) note(val jsontext.Value) {
	switch m.name {
	case "_placeholder":
		m.placeholder = string(val) == "true"
	case "num":
		m.hasNum = false
		if val.Kind() == '0' {
			f, err := strconv.ParseFloat(string(val), 64)
			m.num, m.hasNum = f, err == nil
		}
	}
	m.name = ""
}

// index checks the attachment's number. "-0" and "1e0" are integers to JavaScript too.
func (m *members) index(attachments int) (int, error) {
	if !m.hasNum || m.num != math.Trunc(m.num) || m.num < 0 || m.num >= float64(attachments) {
		return 0, fmt.Errorf("a placeholder's num must be an integer from 0 to %d, the last attachment of its packet", attachments-1)
	}
	return int(m.num), nil
}

var lenient = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

// checkPlaceholders checks a binary packet's payload, all of it: one JSON value in which
// every placeholder names one of the attachments. That an attachment is named twice, or
// not at all, is no error.
func checkPlaceholders(data []byte, attachments, maxDepth int) error {
	if data == nil {
		return nil
	}
	end, err := scanValue(data, 0, maxDepth)
	if err == nil && skipSpace(data, end) != len(data) {
		err = syntaxError("data after the payload", end)
	}
	if err != nil {
		return fmt.Errorf("sio: the payload of a binary packet: %w", err)
	}
	dec := jsontext.NewDecoder(bytes.NewReader(data), lenient...)
	var open []members // one for each open array or object
	for {
		depth := dec.StackDepth()
		kind, length := dec.StackIndex(depth)
		inName := depth > 0 && kind == '{' && length%2 == 0
		switch next := dec.PeekKind(); next {
		case '{', '[':
			if depth > 0 && open[depth-1].name != "" {
				open[depth-1].note(nil)
			}
			open = append(open, members{})
			_, err = dec.ReadToken()
		case '}', ']':
			last := open[depth-1]
			open = open[:depth-1]
			if next == '}' && last.placeholder {
				if _, err := last.index(attachments); err != nil {
					return fmt.Errorf("sio: binary packet: %w", err)
				}
			}
			_, err = dec.ReadToken()
		default:
			var val jsontext.Value
			if val, err = dec.ReadValue(); err != nil {
				break
			}
			if inName {
				open[depth-1].name = memberName(val)
			} else if depth > 0 && open[depth-1].name != "" {
				open[depth-1].note(val)
			}
		}
		if err != nil {
			return fmt.Errorf("sio: the payload of a binary packet: %w", err)
		}
		if dec.StackDepth() == 0 {
			return nil
		}
	}
}

// memberName returns the name in the JSON string val if a placeholder has such a member.
func memberName(val jsontext.Value) string {
	switch string(val) {
	case `"_placeholder"`:
		return "_placeholder"
	case `"num"`:
		return "num"
	}
	if bytes.IndexByte(val, '\\') < 0 {
		return ""
	}
	switch name, _ := jsontext.AppendUnquote(nil, val); string(name) {
	case "_placeholder":
		return "_placeholder"
	case "num":
		return "num"
	}
	return ""
}

// readPlaceholder reads one JSON object. If it is a placeholder, ok is true and n is the
// attachment that it names.
func readPlaceholder(object jsontext.Value, attachments int) (n int, ok bool, err error) {
	dec := jsontext.NewDecoder(bytes.NewReader(object), lenient...)
	if _, err := dec.ReadToken(); err != nil {
		return 0, false, err
	}
	var m members
	for dec.PeekKind() == '"' {
		name, err := dec.ReadValue()
		if err != nil {
			return 0, false, err
		}
		m.name = memberName(name)
		val, err := dec.ReadValue()
		if err != nil {
			return 0, false, err
		}
		m.note(val)
	}
	if !m.placeholder {
		return 0, false, nil
	}
	n, err = m.index(attachments)
	return n, true, err
}
