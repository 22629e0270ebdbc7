package sio

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// An EncodedEvent is an event whose arguments are encoded, and which can be made a packet of any
// namespace, with any ack id, any number of times. It must not be changed.
type EncodedEvent struct {
	Name        string
	Attachments [][]byte
	data        []byte // the JSON array of the name and the arguments
	marker      string // see Packet.Marker
}

// Encode encodes an event's arguments, as AppendEvent does. The attachments are copies.
func (e *Encoder) Encode(event string, args []any) (EncodedEvent, error) {
	p, err := e.event(-1, event, args)
	if err != nil {
		return EncodedEvent{}, err
	}
	for i, a := range p.Attachments {
		p.Attachments[i] = slices.Clone(a)
	}
	return EncodedEvent{Name: event, Attachments: p.Attachments, data: p.Data, marker: p.Marker}, nil
}

// EncodedBefore returns the event of that name with arguments that somebody else has encoded: a JSON
// array that CheckArgs has passed.
func EncodedBefore(event string, args []byte, attachments [][]byte) (EncodedEvent, error) {
	if err := notReserved(event); err != nil {
		return EncodedEvent{}, err
	}
	data := appendString(append(make([]byte, 0, len(event)+len(args)+4), '['), event)
	rest := args[skipSpace(args, 1):]
	if rest[0] != ']' {
		data = append(data, ',')
	}
	return EncodedEvent{Name: event, Attachments: attachments, data: append(data, rest...)}, nil
}

// Args returns the arguments as a JSON array, with a placeholder for each attachment. ok is false if they
// hold something of the application's that looks like one: then there is no such form.
func (ev EncodedEvent) Args() (args []byte, ok bool) {
	if ev.marker != "" {
		return nil, false
	}
	end, _, err := scanString(ev.data, 1)
	if err != nil {
		return nil, false // cannot be: we wrote it
	}
	if ev.data[end] == ',' {
		end++
	}
	return append([]byte{'['}, ev.data[end:]...), true
}

// Frame makes a packet of the event. An id below 0 means that no ack is wanted.
func (e *Encoder) Frame(dst []byte, ns string, id int64, ev EncodedEvent) (Frame, error) {
	p := Packet{Type: Event, ID: max(id, 0), HasID: id >= 0, Data: ev.data, Attachments: slices.Clone(ev.Attachments), Marker: ev.marker}
	return e.frame(dst, ns, p)
}

// frame makes a packet of p, whose payload is encoded.
func (e *Encoder) frame(dst []byte, ns string, p Packet) (Frame, error) {
	if e.Parser != nil {
		return e.parse(dst, ns, p)
	}
	if p.Marker != "" || len(p.Attachments) > e.attachments() {
		return Frame{Data: dst}, fmt.Errorf("sio: an event with %d attachments, the limit is %d", len(p.Attachments), e.attachments())
	}
	id := int64(-1)
	if p.HasID {
		id = p.ID
	}
	start := len(dst)
	out, err := appendHeader(dst, p.Type, ns, id)
	if err != nil {
		return Frame{Data: dst}, err
	}
	if n := len(p.Attachments); n > 0 {
		out[start] += byte(BinaryEvent - Event)
		out = slices.Insert(out, start+1, append(strconv.AppendInt(nil, int64(n), 10), '-')...)
	}
	return Frame{Data: append(out, p.Data...), Attachments: p.Attachments}, nil
}

// CheckArgs checks arguments that come from elsewhere than a client, such as another process, before
// they go to clients: one JSON array within the limits, in which every placeholder names one of the
// attachments. It returns how many arguments there are. What it passes, EncodedBefore takes.
func CheckArgs(data []byte, attachments int, l Limits) (n int, err error) {
	if len(data) == 0 || data[0] != '[' {
		return 0, errors.New("sio: encoded arguments must be a JSON array")
	}
	if attachments > 0 {
		if err := checkPlaceholders(data, attachments, l.depth()); err != nil {
			return 0, err
		}
	}
	args, err := splitArgs(data, 1, &l, true)
	if err != nil {
		return 0, fmt.Errorf("sio: encoded arguments: %w", err)
	}
	return len(args), nil
}
