package sio

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// A placeholder is the object {"_placeholder":true,"num":n}, which stands in the JSON of
// a binary packet where its attachment n was. As in the reference implementation, what
// makes it one is _placeholder being true; other members do not matter, and of members
// with the same name the last one counts. In packets of a Parser another member may take the place of
// _placeholder: see Packet.Marker.

const defaultMarker = "_placeholder"

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
	case "":
	case "num":
		m.hasNum = false
		if val.Kind() == '0' {
			f, err := strconv.ParseFloat(string(val), 64)
			m.num, m.hasNum = f, err == nil
		}
	default:
		m.placeholder = string(val) == "true"
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
	if _, err = findPlaceholders(data, attachments, defaultMarker); err != nil {
		return fmt.Errorf("sio: binary packet: %w", err)
	}
	return nil
}

// A Placeholder is where an attachment belongs in the payload of a packet: Data[Start:End] stands for
// Attachments[Num].
type Placeholder struct{ Start, End, Num int }

// Placeholders returns the placeholders in p.Data in the order in which they stand there, without those that are
// inside another one. It is for parsers that write binary values into their message. A packet without
// attachments has none.
func (p Packet) Placeholders() ([]Placeholder, error) {
	if len(p.Attachments) == 0 || p.Data == nil {
		return nil, nil
	}
	marker := p.Marker
	if marker == "" {
		marker = defaultMarker
	}
	found, err := findPlaceholders(p.Data, len(p.Attachments), marker)
	if err != nil {
		return nil, fmt.Errorf("sio: %w", err)
	}
	slices.SortFunc(found, func(a, b Placeholder) int { return a.Start - b.Start })
	end := 0
	return slices.DeleteFunc(found, func(p Placeholder) bool {
		inside := p.Start < end
		end = max(end, p.End)
		return inside
	}), nil
}

// findPlaceholders returns the placeholders in one JSON value in the order of their ends. It is an error if
// one does not name an attachment.
func findPlaceholders(data []byte, attachments int, marker string) (found []Placeholder, err error) {
	type object struct {
		members
		start int
	}
	dec := jsontext.NewDecoder(bytes.NewReader(data), lenient...)
	var open []object // and arrays
	for {
		depth := dec.StackDepth()
		kind, length := dec.StackIndex(depth)
		inName := depth > 0 && kind == '{' && length%2 == 0
		switch next := dec.PeekKind(); next {
		case '{', '[':
			if depth > 0 && open[depth-1].name != "" {
				open[depth-1].note(nil)
			}
			_, err = dec.ReadToken()
			open = append(open, object{start: int(dec.InputOffset()) - 1})
		case '}', ']':
			if _, err = dec.ReadToken(); err != nil { // also of a bracket that closes nothing
				return nil, err
			}
			last := open[depth-1]
			if open = open[:depth-1]; next == '}' && last.placeholder {
				n, err := last.index(attachments)
				if err != nil {
					return nil, err
				}
				found = append(found, Placeholder{last.start, int(dec.InputOffset()), n})
			}
		default:
			var val jsontext.Value
			if val, err = dec.ReadValue(); err != nil {
				break
			}
			if inName {
				open[depth-1].name = memberName(val, marker)
			} else if depth > 0 && open[depth-1].name != "" {
				open[depth-1].note(val)
			}
		}
		if err != nil {
			return nil, err
		}
		if dec.StackDepth() == 0 {
			return found, nil
		}
	}
}

// memberName returns the name in the JSON string val if a placeholder has such a member.
func memberName(val jsontext.Value, marker string) string {
	name := val[1 : len(val)-1]
	if bytes.IndexByte(name, '\\') >= 0 {
		name, _ = jsontext.AppendUnquote(nil, val)
	}
	switch string(name) {
	case marker:
		return marker
	case "num":
		return "num"
	}
	return ""
}

// freshMarker returns a member name that no object in data has.
func freshMarker(data []byte) (string, error) {
	taken := map[string]bool{}
	dec := jsontext.NewDecoder(bytes.NewReader(data), lenient...)
	for {
		depth := dec.StackDepth()
		kind, length := dec.StackIndex(depth)
		tok, err := dec.ReadToken()
		if err != nil {
			return "", err
		}
		if kind == '{' && length%2 == 0 && tok.Kind() == '"' {
			if name := tok.String(); strings.HasPrefix(name, defaultMarker) {
				taken[name] = true
			}
		}
		if dec.StackDepth() == 0 {
			return Marker(taken), nil
		}
	}
}

// Marker returns a name for Packet.Marker that is not among taken, which are the members of an
// application's objects that begin with "_placeholder". It is for the decoders of parsers.
func Marker(taken map[string]bool) string {
	for n := 2; ; n++ {
		if name := defaultMarker + strconv.Itoa(n); !taken[name] {
			return name
		}
	}
}

// readPlaceholder reads one JSON object. If it is a placeholder, ok is true and n is the
// attachment that it names.
func readPlaceholder(object jsontext.Value, attachments int, marker string) (n int, ok bool, err error) {
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
		m.name = memberName(name, marker)
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
