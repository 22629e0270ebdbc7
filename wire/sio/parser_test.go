package sio_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/siokit/siokit/wire/sio"
)

// lines is a parser whose packets are "<type> <namespace> <marker> <payload>" in text, with attachments as they are
// in the protocol's own text.
type lines struct{ result *sio.Packet }

func (lines) Encode(dst []byte, p sio.Packet) (sio.Frame, error) {
	if p.Namespace == "/forbidden" {
		return sio.Frame{}, errors.New("lines: no")
	}
	if p.Namespace == "/short" {
		return sio.Frame{}, nil
	}
	text := []string{p.Type.String(), p.Namespace, p.Marker, string(p.Data)}
	return sio.Frame{Data: append(dst, strings.Join(text, " ")...), Attachments: p.Attachments}, nil
}

func (l lines) NewDecoder(sio.Side, *sio.Limits) sio.PacketDecoder { return l }

func (l lines) Text([]byte) (sio.Packet, bool, error) {
	return *l.result, l.result.Type < sio.BinaryEvent, nil
}
func (l lines) Binary([]byte) (sio.Packet, bool, error) { return sio.Packet{}, false, nil }

func TestEncoderWithParser(t *testing.T) {
	e := sio.Encoder{Parser: lines{}, Attachments: 2}
	like := map[string]any{"_placeholder": true, "num": 0}
	for _, row := range []struct {
		name, want string
		encode     func(dst []byte) (sio.Frame, error)
	}{
		{"event", `EVENT /  ["e",1,"x"]`, func(dst []byte) (sio.Frame, error) { return e.Event(dst, "", -1, "e", []any{1, "x"}) }},
		{"no arguments", `EVENT /n  ["e"]`, func(dst []byte) (sio.Frame, error) { return e.Event(dst, "/n", 3, "e", nil) }},
		{"binary", `EVENT /  ["e",{"_placeholder":true,"num":0}]`, func(dst []byte) (sio.Frame, error) { return e.Event(dst, "/", -1, "e", []any{[]byte("b")}) }},
		{"the word only", `EVENT /  ["_placeholder",{"_placeholder":true,"num":0}]`, func(dst []byte) (sio.Frame, error) {
			return e.Event(dst, "/", -1, "_placeholder", []any{[]byte("b")})
		}},
		{"like a placeholder", `ACK / _placeholder2 [{"_placeholder":true,"num":0},{"_placeholder2":true,"num":0}]`, func(dst []byte) (sio.Frame, error) {
			return e.Ack(dst, "/", 1, []any{like, []byte("b")})
		}},
		{"like one, without binary", `ACK /  [{"_placeholder":true,"num":0}]`, func(dst []byte) (sio.Frame, error) { return e.Ack(dst, "/", 1, []any{like}) }},
		{"connect", `CONNECT /  {"sid":"x"}`, func(dst []byte) (sio.Frame, error) { return e.Connect(dst, "/", map[string]string{"sid": "x"}) }},
		{"refusal", `CONNECT_ERROR /  {"message":"no","data":[1]}`, func(dst []byte) (sio.Frame, error) { return e.ConnectError(dst, "/", "no", []int{1}) }},
		{"disconnect", `DISCONNECT /n  `, func(dst []byte) (sio.Frame, error) { return e.Disconnect(dst, "/n") }},
	} {
		f, err := row.encode([]byte("head|"))
		if got := string(f.Data); err != nil || got != "head|"+row.want {
			t.Errorf("%s: %q, %v; want %q", row.name, got, err, row.want)
		}
	}
	for name, row := range map[string]struct {
		cure   string
		encode func(dst []byte) (sio.Frame, error)
	}{
		"parser's":  {"lines: no", func(dst []byte) (sio.Frame, error) { return e.Disconnect(dst, "/forbidden") }},
		"no append": {"must append to dst", func(dst []byte) (sio.Frame, error) { return e.Disconnect(dst, "/short") }},
		"limit": {"the limit is 2", func(dst []byte) (sio.Frame, error) {
			return e.Ack(dst, "/", 1, []any{make([][]byte, 0), [][]byte{{}, {}, {}}})
		}},
		"namespace":  {"must begin with a slash", func(dst []byte) (sio.Frame, error) { return e.Connect(dst, "n", nil) }},
		"argument":   {"argument 2 of event \"e\"", func(dst []byte) (sio.Frame, error) { return e.Event(dst, "/", -1, "e", []any{1, make(chan int)}) }},
		"reserved":   {"reserved", func(dst []byte) (sio.Frame, error) { return e.Event(dst, "/", -1, "disconnect", nil) }},
		"CONNECT":    {"must be a JSON object", func(dst []byte) (sio.Frame, error) { return e.Connect(dst, "/", 1) }},
		"refusal":    {"binary", func(dst []byte) (sio.Frame, error) { return e.ConnectError(dst, "/", "no", []byte("b")) }},
		"ack's id":   {"needs the id", func(dst []byte) (sio.Frame, error) { return e.Ack(dst, "/", -1, nil) }},
		"id too big": {"larger than", func(dst []byte) (sio.Frame, error) { return e.Ack(dst, "/", sio.MaxID+1, nil) }},
	} {
		f, err := row.encode([]byte("head|"))
		if err == nil || !strings.Contains(err.Error(), row.cure) || !strings.HasPrefix(err.Error(), "sio: ") || string(f.Data) != "head|" {
			t.Errorf("%s: %v, %q", name, err, f.Data)
		}
	}
}

// An object that spells its member differently each time cannot be told from a placeholder.
type fickle struct{ n *int }

func (f fickle) MarshalJSON() ([]byte, error) {
	*f.n++
	name := "_placeholder"
	if *f.n > 1 {
		name += string('0' + byte(*f.n))
	}
	return []byte(`{"` + name + `":true,"num":0}`), nil
}

func TestEncoderGivesUpOnFickleArguments(t *testing.T) {
	e := sio.Encoder{Parser: lines{}}
	n := 0
	if f, err := e.Ack(nil, "/", 1, []any{fickle{&n}, []byte("b")}); err == nil {
		t.Errorf("encoded as %s", f.Data)
	}
}

// What a parser returns is checked: a mistake of it must not reach the handlers of others.
func TestParsedPacketsAreChecked(t *testing.T) {
	object, list := []byte(`{"a":1}`), []byte(`["e"]`)
	for name, row := range map[string]struct {
		p  sio.Packet
		ok bool
	}{
		"event":                  {sio.Packet{Type: sio.Event, Namespace: "/", Data: list}, true},
		"connect":                {sio.Packet{Type: sio.Connect, Namespace: "/a", Data: object}, true},
		"connect without data":   {sio.Packet{Type: sio.Connect, Namespace: "/a"}, true},
		"header":                 {sio.Packet{Type: sio.BinaryEvent, Namespace: "/", Data: list}, true},
		"nothing":                {sio.Packet{Type: sio.BinaryEvent}, true},
		"no namespace":           {sio.Packet{Type: sio.Event, Data: list}, false},
		"no slash":               {sio.Packet{Type: sio.Event, Namespace: "a", Data: list}, false},
		"long namespace":         {sio.Packet{Type: sio.Event, Namespace: "/" + strings.Repeat("a", 512), Data: list}, false},
		"unknown type":           {sio.Packet{Type: 7, Namespace: "/"}, false},
		"refusal from a client":  {sio.Packet{Type: sio.ConnectError, Namespace: "/", Data: object}, false},
		"list in connect":        {sio.Packet{Type: sio.Connect, Namespace: "/", Data: list}, false},
		"bad JSON in connect":    {sio.Packet{Type: sio.Connect, Namespace: "/", Data: []byte(`{"a"}`)}, false},
		"disconnect with data":   {sio.Packet{Type: sio.Disconnect, Namespace: "/", Data: list}, false},
		"event with an object":   {sio.Packet{Type: sio.Event, Namespace: "/", Data: object}, false},
		"empty payload":          {sio.Packet{Type: sio.Event, Namespace: "/", Data: []byte{}}, false},
		"negative id":            {sio.Packet{Type: sio.Ack, Namespace: "/", Data: list, ID: -1, HasID: true}, false},
		"id above 2^53":          {sio.Packet{Type: sio.Ack, Namespace: "/", Data: list, ID: sio.MaxID + 1, HasID: true}, false},
		"header of an own event": {sio.Packet{Type: sio.BinaryAck, Namespace: "/", Data: object}, false},
	} {
		d := sio.NewParserDecoder(lines{&row.p}, sio.FromClient, nil)
		got, complete, err := d.Text(nil)
		if (err == nil) != row.ok {
			t.Errorf("%s: %v", name, err)
		}
		want := row.p
		if !row.ok || row.p.Namespace == "" {
			want = sio.Packet{}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
		if waits := row.ok && !complete; d.Pending() != waits {
			t.Errorf("%s: pending is %v", name, d.Pending())
		}
	}
	d := sio.NewParserDecoder(nil, sio.FromClient, nil)
	if p, complete, err := d.Text([]byte(`2["e"]`)); err != nil || !complete || p.Type != sio.Event {
		t.Errorf("no parser: %+v, %v", p, err)
	}
}

func TestPlaceholders(t *testing.T) {
	data := []byte(`[{"num":1,"_placeholder":true,"x":{"_placeholder":true,"num":0}},[ {"_placeholder":true,"num":0}],{"_placeholder":false}]`)
	p := sio.Packet{Data: data, Attachments: make([][]byte, 2)}
	places, err := p.Placeholders()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, at := range places {
		got = append(got, string(data[at.Start:at.End]))
	}
	want := []string{`{"num":1,"_placeholder":true,"x":{"_placeholder":true,"num":0}}`, `{"_placeholder":true,"num":0}`}
	if diff := cmp.Diff(want, got); diff != "" || places[0].Num != 1 || places[1].Num != 0 {
		t.Errorf("%s%+v", diff, places)
	}
	if places, err := (sio.Packet{Data: data}).Placeholders(); err != nil || places != nil {
		t.Errorf("without attachments: %+v, %v", places, err)
	}
	if _, err := (sio.Packet{Data: data, Attachments: make([][]byte, 1)}).Placeholders(); err == nil {
		t.Error("number 1 of one attachment")
	}
	p.Marker = "m"
	p.Data = json.RawMessage(`[{"_placeholder":true,"num":9},{"\u006d":true,"num":0}]`)
	if places, err := p.Placeholders(); err != nil || len(places) != 1 || places[0].Num != 0 {
		t.Errorf("with a marker: %+v, %v", places, err)
	}
}
