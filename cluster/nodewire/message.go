package nodewire

import (
	"errors"
	"fmt"
	"strconv"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/wire/msgpack"
	"github.com/siokit/siokit/wire/sio"
)

// kind is the type of a request or response.
type kind int

const (
	kindSockets kind = iota
	kindAllRooms
	kindJoin
	kindLeave
	kindDisconnect
	kindFetch
	kindServerEmit
	kindBroadcast   // and acks are wanted
	kindClientCount // an answer to that: how many clients have been asked
	kindAck         // and what one of them says
)

// request asks the other members, or tells them to do something.
type request struct {
	UID       string         `json:"uid,omitzero"`
	RequestID string         `json:"requestId,omitzero"`
	Type      *kind          `json:"type,omitzero"`
	Packet    *packet        `json:"packet,omitzero"`
	Opts      *options       `json:"opts,omitzero"`
	Rooms     names          `json:"rooms,omitzero"`
	SID       string         `json:"sid,omitzero"`  // as adapters before 6.1 have it, instead of Opts
	Room      jsontext.Value `json:"room,omitzero"` // the same, instead of Rooms
	Close     *bool          `json:"close,omitzero"`
	Data      jsontext.Value `json:"data,omitzero"` // of a server-to-server event: its name and arguments

	attachments [][]byte // of Packet
}

// response answers a request.
type response struct {
	Type        *kind             `json:"type,omitzero"`
	RequestID   string            `json:"requestId"`
	ClientCount *int              `json:"clientCount,omitzero"`
	Sockets     *[]jsontext.Value `json:"sockets,omitzero"`
	Rooms       *[]string         `json:"rooms,omitzero"`
	Data        jsontext.Value    `json:"data,omitzero"`
	Packet      jsontext.Value    `json:"packet,omitzero"` // read from MessagePack only

	attachments [][]byte // of Packet
}

// is reports a response's type. Those to most requests have none.
func (r *response) is(k kind) bool { return r.Type != nil && *r.Type == k }

// packet is an event with its name.
type packet struct {
	Type      int            `json:"type"`
	Data      jsontext.Value `json:"data"`
	Namespace *string        `json:"nsp,omitzero"`
}

// options say whom something is for.
type options struct {
	Rooms  names `json:"rooms"` // none means everybody
	Except names `json:"except"`
	Flags  flags `json:"flags,omitzero"`
}

type flags struct {
	Volatile bool
	Plain    bool    // compress is false
	Timeout  float64 // milliseconds; 0 means none
}

// UnmarshalJSONFrom takes whatever emitters in other languages write, which may be an empty array.
func (f *flags) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	v, err := dec.ReadValue()
	if err != nil || v.Kind() != '{' {
		return err
	}
	var members struct {
		Volatile jsontext.Value `json:"volatile"`
		Compress jsontext.Value `json:"compress"`
		Timeout  jsontext.Value `json:"timeout"`
	}
	if err := jsonv2.Unmarshal(v, &members, lenient...); err != nil {
		return err
	}
	f.Volatile, f.Plain = string(members.Volatile) == "true", string(members.Compress) == "false"
	if members.Timeout.Kind() == '0' {
		f.Timeout, _ = strconv.ParseFloat(string(members.Timeout), 64)
	}
	return nil
}

// names are rooms. Integers, which Node allows, become decimal strings, and null is none.
type names []string

// UnmarshalJSONFrom implements jsonv2.UnmarshalerFrom.
func (n *names) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	var list []jsontext.Value
	if err := jsonv2.UnmarshalDecode(dec, &list); err != nil {
		return err
	}
	*n = make(names, 0, len(list))
	for _, v := range list {
		s, err := name(v)
		if err != nil {
			return err
		}
		*n = append(*n, s)
	}
	return nil
}

func name(v jsontext.Value) (s string, err error) {
	switch v.Kind() {
	case '"':
		err = jsonv2.Unmarshal(v, &s, lenient...)
	case '0':
		_, err = strconv.ParseInt(string(v), 10, 64)
		s = string(v)
	default:
		err = errors.New("neither a string nor an integer")
	}
	if err != nil {
		return "", fmt.Errorf("room %.40s: %w", v, err)
	}
	return s, nil
}

var lenient = []jsonv2.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

// audience reads opts. namespace is the channel's.
func (o *options) audience(namespace string) cluster.Audience {
	if o == nil {
		return cluster.Audience{Namespace: namespace, All: true}
	}
	return cluster.Audience{Namespace: namespace, All: len(o.Rooms) == 0, Rooms: o.Rooms, Except: o.Except}
}

func optionsOf(a cluster.Audience) *options {
	o := &options{Rooms: names{}, Except: names{}}
	if !a.All {
		o.Rooms = unique(a.Rooms)
	}
	o.Except = append(o.Except, unique(a.Except)...)
	return o
}

// unique returns names without repetitions, in a slice of its own.
func unique(list []string) names {
	seen := make(map[string]bool, len(list))
	out := make(names, 0, len(list))
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

// codec reads and writes what is on the channels.
type codec struct {
	limits sio.Limits
	parser msgpack.Parser
}

func newCodec(limits sio.Limits) codec {
	if limits.Attachments <= 0 {
		limits.Attachments = sio.DefaultAttachments
	}
	return codec{limits: limits, parser: msgpack.Parser{Binaries: limits.Attachments}}
}

var errMarker = errors.New("nodewire: beside binary values it holds an object with a member \"_placeholder\": rename that")

// value reads the MessagePack value at the start of msg.
func (c codec) value(msg []byte) (v msgpack.Value, rest []byte, err error) {
	v, rest, err = c.parser.ReadValue(msg, &c.limits)
	if err == nil && v.Marker != "" {
		err = errMarker // an Emit has no place for another marker
	}
	return v, rest, err
}

// read reads a request or response, in either encoding, into what into points to.
func (c codec) read(msg []byte, into any) (attachments [][]byte, err error) {
	if len(msg) > 0 && msg[0] != '{' {
		v, rest, err := c.value(msg)
		if err != nil {
			return nil, err
		}
		if len(rest) > 0 {
			return nil, fmt.Errorf("nodewire: %d bytes follow the message", len(rest))
		}
		msg, attachments = v.JSON, v.Attachments
	}
	if err := jsonv2.Unmarshal(msg, into, lenient...); err != nil {
		return nil, fmt.Errorf("nodewire: %w", err)
	}
	return attachments, nil
}

func (c codec) request(msg []byte) (*request, error) {
	var r request
	var err error
	if r.attachments, err = c.read(msg, &r); err != nil {
		return nil, err
	}
	if r.Type == nil {
		return nil, errors.New("nodewire: a request without a type")
	}
	return &r, nil
}

func (c codec) response(msg []byte) (*response, error) {
	var r response
	var err error
	if r.attachments, err = c.read(msg, &r); err != nil {
		return nil, err
	}
	if r.RequestID == "" {
		return nil, errors.New("nodewire: a response without a requestId")
	}
	return &r, nil
}
