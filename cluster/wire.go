package cluster

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/siokit/siokit/wire/sio"
)

// Methods of the channel. Those of siokit's own begin with "go.", which Python processes ignore.
const (
	methodEmit       = "emit"
	methodCallback   = "callback"
	methodDisconnect = "disconnect"
	methodEnterRoom  = "enter_room"
	methodLeaveRoom  = "leave_room"
	methodCloseRoom  = "close_room"

	methodHello        = "go.hello"       // I am here; with Ask: who else is?
	methodBye          = "go.bye"         // and now I am not
	methodGoEmit       = "go.emit"        // an emit that Python could only do wrong
	methodJoin         = "go.join"        // an audience joins Rooms
	methodLeave        = "go.leave"       // and leaves them
	methodGoDisconnect = "go.disconnect"  // an audience is disconnected
	methodFetch        = "go.fetch"       // asks for sockets
	methodGather       = "go.gather"      // asks an audience for acks
	methodServerEmit   = "go.server_emit" // an event for servers
	methodReply        = "go.reply"       // one answer to one of the three
	methodDone         = "go.done"        // the last answer of this node has been sent
	methodRevoke       = "go.revoke"      // a login ended
)

// message is one JSON object of the channel. Which fields count depends on the method.
type message struct {
	Method    string         `json:"method"`
	Host      string         `json:"host_id"`
	Namespace *string        `json:"namespace,omitzero"`
	Event     *string        `json:"event,omitzero"`
	Data      jsontext.Value `json:"data,omitzero"`
	Binary    bool           `json:"binary"`
	Room      jsontext.Value `json:"room,omitzero"`
	SkipSID   jsontext.Value `json:"skip_sid,omitzero"`
	Callback  jsontext.Value `json:"callback,omitzero"`
	SID       *string        `json:"sid,omitzero"`
	ID        jsontext.Value `json:"id,omitzero"`
	Args      jsontext.Value `json:"args,omitzero"`
	Go        *extension     `json:"go,omitzero"`
}

// extension is what siokit nodes tell each other beside what Python knows. Its presence says that
// another siokit node is speaking: then Data is exactly the list of arguments.
type extension struct {
	Seq       int64           `json:"seq,omitzero"`    // counts the messages of a node from 1
	At        int64           `json:"at,omitzero"`     // Unix milliseconds; signed messages only
	From      string          `json:"from,omitzero"`   // the node that speaks; only where host_id says something else
	To        string          `json:"to,omitzero"`     // the node that asked
	Legacy    bool            `json:"legacy,omitzero"` // Data is the one argument itself
	Request   string          `json:"request,omitzero"`
	Except    bounded[string] `json:"except,omitzero"`
	Rooms     bounded[string] `json:"rooms,omitzero"`   // to join or leave
	Timeout   int64           `json:"timeout,omitzero"` // milliseconds that an answer may take
	Volatile  bool            `json:"volatile,omitzero"`
	Plain     bool            `json:"plain,omitzero"`
	Transport bool            `json:"transport,omitzero"` // disconnect closes the connection
	Ask       bool            `json:"ask,omitzero"`       // a hello that wants one back, a server event that wants answers
	Sockets   jsontext.Value  `json:"sockets,omitzero"`   // a list of Socket
	Err       string          `json:"err,omitzero"`
	Blob      []byte          `json:"blob,omitzero"` // base64
}

// MaxMessage is how many bytes a message of the channel may have; longer ones are dropped unread.
const MaxMessage = 16 << 20

var errPickle = errors.New("cluster: a pickled message: the sender is python-socketio before 5.14, upgrade it")

// parseMessage reads a message. Anything that is not one is an error; nothing of it is trusted.
func parseMessage(data []byte) (*message, error) {
	switch {
	case len(data) > MaxMessage:
		return nil, fmt.Errorf("cluster: a message of %d bytes, more than %d", len(data), MaxMessage)
	case len(data) > 0 && data[0] == 0x80:
		return nil, errPickle
	case len(data) == 0 || data[0] != '{':
		return nil, errors.New("cluster: not a JSON object")
	case !utf8.Valid(data):
		return nil, errors.New("cluster: not UTF-8")
	}
	var m message
	if err := jsonv2.Unmarshal(data, &m, lenient...); err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	if m.Method == "" {
		return nil, errors.New("cluster: a message without a method")
	}
	replaceHalves(m.Data) // a copy of what was received
	return &m, nil
}

// lenient is how messages are read. A name may come twice, and of a surrogate pair one half may be there,
// escaped: JavaScript and Python let users cut an emoji in two.
var lenient = []jsonv2.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

// replaceHalves writes U+FFFD over the halves of surrogate pairs, as happens to those from clients: not
// every client could read them.
func replaceHalves(v jsontext.Value) {
	unit := func(at int) rune {
		if len(v) < at+6 || v[at] != '\\' || v[at+1] != 'u' {
			return 0
		}
		n, _ := strconv.ParseUint(string(v[at+2:at+6]), 16, 16)
		return rune(n)
	}
	for i := 0; ; i += 2 {
		next := bytes.IndexByte(v[i:], '\\')
		if next < 0 {
			return
		}
		i += next
		switch first := unit(i); {
		case !utf16.IsSurrogate(first):
		case utf16.DecodeRune(first, unit(i+6)) != utf8.RuneError:
			i += 10
		default:
			copy(v[i:], `\ufffd`)
		}
	}
}

func (m *message) namespace() (string, error) {
	if m.Namespace == nil || *m.Namespace == "" {
		return "", errors.New("cluster: a message without a namespace")
	}
	return *m.Namespace, nil
}

// audience reads for whom a message is.
func (m *message) audience() (a Audience, err error) {
	if a.Namespace, err = m.namespace(); err != nil {
		return a, err
	}
	if isNull(m.Room) {
		a.All = true
	} else if a.Rooms, err = names(m.Room); err != nil {
		return a, fmt.Errorf("cluster: room: %w", err)
	}
	if !isNull(m.SkipSID) {
		if a.Except, err = names(m.SkipSID); err != nil {
			return a, fmt.Errorf("cluster: skip_sid: %w", err)
		}
	}
	if m.Go != nil {
		a.Except = append(a.Except, m.Go.Except...)
	}
	return a, nil
}

func isNull(v jsontext.Value) bool { return len(v) == 0 || v.Kind() == 'n' }

// names reads a room or a list of rooms. Python's numeric rooms become decimal strings.
func names(v jsontext.Value) ([]string, error) {
	list := []jsontext.Value{v}
	if v.Kind() == '[' {
		var err error
		if list, err = split(v, maxList); err != nil {
			return nil, err
		}
	}
	out := make([]string, 0, len(list))
	for _, item := range list {
		switch item.Kind() {
		case '"':
			var s string
			if err := jsonv2.Unmarshal(item, &s, lenient...); err != nil {
				return nil, err
			}
			out = append(out, s)
		case '0':
			n, err := strconv.ParseInt(string(item), 10, 64)
			if err != nil {
				return nil, fmt.Errorf("%s is neither a name nor an integer", item)
			}
			out = append(out, strconv.FormatInt(n, 10))
		default:
			return nil, fmt.Errorf("%.40s is not a name", item)
		}
	}
	return out, nil
}

// emit reads an event. limits bound what goes to clients.
func (m *message) emit(limits sio.Limits) (*Emit, error) {
	a, err := m.audience()
	if err != nil {
		return nil, err
	}
	if m.Event == nil || sio.Reserved(*m.Event) {
		return nil, errors.New("cluster: an emit without a usable event name")
	}
	e := &Emit{Audience: a, Event: *m.Event}
	if e.Data, e.Attachments, err = unpack(m.Data, m.Binary, m.Go != nil && !m.Go.Legacy, limits); err != nil {
		return nil, err
	}
	if m.Go != nil {
		e.Volatile, e.Plain = m.Go.Volatile, m.Go.Plain
	}
	return e, nil
}

// unpack turns the data of an emit into the list of arguments, by the rules of python-socketio's
// receiver: a list of one is that argument, another list its elements, anything else one argument; and
// one argument that is null is none. exact is for lists from siokit nodes, which are what they are.
func unpack(v jsontext.Value, binary, exact bool, limits sio.Limits) (args json.RawMessage, attachments [][]byte, err error) {
	if len(v) == 0 {
		return nil, nil, errors.New("cluster: an emit without data")
	}
	if binary {
		if v, attachments, err = unpackBinary(v, limits); err != nil {
			return nil, nil, err
		}
	}
	switch {
	case v.Kind() != '[' && v.Kind() != 'n':
		args = append(append(json.RawMessage{'['}, v...), ']')
	case v.Kind() == 'n':
		args = json.RawMessage("[]")
	default:
		args = json.RawMessage(v)
	}
	n, err := sio.CheckArgs(args, len(attachments), limits)
	if err != nil {
		return nil, nil, err
	}
	if n == 1 && !exact && bytes.Equal(bytes.TrimSpace(args[1:len(args)-1]), []byte("null")) {
		args = json.RawMessage("[]")
	}
	return args, attachments, nil
}

// unpackBinary takes the attachments off: [value with placeholders, base64, base64, ...].
func unpackBinary(v jsontext.Value, limits sio.Limits) (rest jsontext.Value, attachments [][]byte, err error) {
	if v.Kind() != '[' {
		return nil, nil, errors.New("cluster: binary data must be a list")
	}
	most := limits.Attachments
	if most == 0 {
		most = sio.DefaultAttachments
	}
	parts, err := split(v, most+1)
	if err != nil || len(parts) < 2 {
		return nil, nil, fmt.Errorf("cluster: binary data must be a value and 1 to %d attachments: %w", most, cmp.Or(err, errors.New("there is none")))
	}
	for _, part := range parts[1:] {
		if part.Kind() != '"' {
			return nil, nil, fmt.Errorf("cluster: an attachment is %s, not base64", part.Kind())
		}
		text := []byte(part[1 : len(part)-1])
		if bytes.IndexByte(text, '\\') >= 0 { // "\/" is "/"
			if text, err = jsontext.AppendUnquote(nil, part); err != nil {
				return nil, nil, fmt.Errorf("cluster: an attachment: %w", err)
			}
		}
		raw := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
		n, err := base64.StdEncoding.Decode(raw, text)
		if err != nil {
			return nil, nil, fmt.Errorf("cluster: an attachment: %w", err)
		}
		attachments = append(attachments, raw[:n])
	}
	return parts[0], attachments, nil
}

// pack is unpack's counterpart.
func pack(args json.RawMessage, attachments [][]byte) (v jsontext.Value, binary bool) {
	if len(attachments) == 0 {
		return jsontext.Value(args), false
	}
	v = append(jsontext.Value{'['}, args...)
	for _, a := range attachments {
		v = append(v, ',', '"')
		v = base64.StdEncoding.AppendEncode(v, a)
		v = append(v, '"')
	}
	return append(v, ']'), true
}

// setAudience writes for whom a message is. ok is false if Python would send it to more than that.
func (m *message) setAudience(a Audience) (ok bool) {
	m.Namespace = &a.Namespace
	switch {
	case a.All:
		m.Room = jsontext.Value("null")
	case len(a.Rooms) == 1:
		m.Room = quote(a.Rooms[0])
	default:
		m.Room = list(a.Rooms)
	}
	m.SkipSID = jsontext.Value("null")
	for _, name := range a.Except {
		if !looksLikeSID(name) {
			m.Go.Except = a.Except
			return false
		}
	}
	if len(a.Except) > 0 {
		m.SkipSID = list(a.Except)
	}
	return true
}

// looksLikeSID is how Node's adapters tell a socket id from a room too.
func looksLikeSID(name string) bool {
	if len(name) != 20 {
		return false
	}
	for _, c := range []byte(name) {
		if c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

func quote(s string) jsontext.Value {
	b, err := jsontext.AppendQuote(nil, s)
	if err != nil { // invalid UTF-8: no room of another process has such a name
		b, _ = jsontext.AppendQuote(nil, string(bytes.ToValidUTF8([]byte(s), []byte("\uFFFD"))))
	}
	return b
}

func list(names []string) jsontext.Value {
	v := jsontext.Value{'['}
	for i, name := range names {
		if i > 0 {
			v = append(v, ',')
		}
		v = append(v, quote(name)...)
	}
	return append(v, ']')
}
