package sio

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// CheckArgs checks arguments that come from elsewhere than a client, such as another process, before
// they go to clients: one JSON array within the limits, in which every placeholder names one of the
// attachments. It returns how many arguments there are. What it passes, AppendEncodedEvent takes.
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

// AppendEncodedEvent is AppendEvent for arguments that are encoded already, as CheckArgs wants them.
// The attachments must follow the packet.
func AppendEncodedEvent(dst []byte, ns string, id int64, event string, args []byte, attachments int) ([]byte, error) {
	if Reserved(event) {
		return dst, fmt.Errorf("sio: event name %q is reserved: peers would refuse it, choose another", event)
	}
	t := Event
	start := len(dst)
	out, err := appendHeader(dst, t, ns, id)
	if err != nil {
		return dst, err
	}
	if attachments > 0 {
		out[start] += byte(BinaryEvent - Event)
		out = slices.Insert(out, start+1, append(strconv.AppendInt(nil, int64(attachments), 10), '-')...)
	}
	out = appendString(append(out, '['), event)
	if rest := args[skipSpace(args, 1):]; rest[0] != ']' {
		out = append(out, ',')
		return append(out, rest...), nil
	}
	return append(out, ']'), nil
}

// SplitEvent returns the payload of an event that AppendEvent has made: its arguments as a JSON array
// of their own. The result is a copy.
func SplitEvent(packet []byte) (args []byte) {
	i := slices.Index(packet, '[') + 1
	for i < len(packet) && packet[i] != ',' && packet[i] != ']' {
		if packet[i] != '"' {
			i++
			continue
		}
		end, _, err := scanString(packet, i)
		if err != nil {
			break
		}
		i = end
	}
	if i < len(packet) && packet[i] == ',' {
		i++
	}
	return append([]byte{'['}, packet[i:]...)
}
