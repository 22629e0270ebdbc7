package sio_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/siokit/siokit/wire/sio"
)

// shouting is a codec that can be told from the built-in one: strings come out in capitals and go in
// in small letters.
type shouting struct{}

func (shouting) Marshal(v any) ([]byte, error) {
	if _, ok := v.(error); ok {
		return nil, errors.New("shouting: errors have no form")
	}
	out, err := json.Marshal(v)
	return append([]byte(" "), strings.ToUpper(string(out))+"\n"...), err
}

func (shouting) Unmarshal(data []byte, v any) error {
	text := strings.ToLower(string(data))
	clear(data) // it is the codec's while the call lasts
	return json.Unmarshal([]byte(text), v)
}

type inner struct{ Data []byte }

type outer struct {
	A string
	B any        `json:",omitempty"`
	C *inner     `json:",omitempty"`
	D []inner    `json:",omitempty"`
	E time.Time  `json:"-"`
	F []byte     `json:"-"`
	g []byte     // not exported: it is never sent
	H json.Token `json:",omitempty"`
}

// secret holds bytes that its method does not send as such.
type secret struct{ B []byte }

func (secret) MarshalJSON() ([]byte, error) { return []byte(`"secret"`), nil }

type byPointer struct{ B []byte }

func (*byPointer) MarshalJSON() ([]byte, error) { return []byte(`"pointer"`), nil }

func TestCodecEncodesWhatHoldsNoBinary(t *testing.T) {
	e := sio.Encoder{JSON: shouting{}}
	circle := map[string]any{}
	circle["self"] = circle
	for name, row := range map[string]struct {
		in   any
		want string
	}{
		"string":               {"a", `2["e","A"]`},
		"nil":                  {nil, `2["e",NULL]`},
		"map":                  {map[string]any{"k": []any{"v"}}, `2["e",{"K":["V"]}]`},
		"raw":                  {json.RawMessage(`"raw"`), `2["e","raw"]`},
		"struct":               {outer{A: "a", F: []byte("f"), g: []byte("g")}, `2["e",{"A":"A"}]`},
		"nil slice in any":     {[]any{[]byte(nil), "x"}, `2["e",[NULL,"X"]]`},
		"own form":             {secret{[]byte("b")}, `2["e","SECRET"]`},
		"pointer's form":       {&byPointer{[]byte("b")}, `2["e","POINTER"]`},
		"bytes":                {[]byte("b"), `51-["e",{"_placeholder":true,"num":0}]`},
		"bytes in a map":       {map[string]any{"k": []any{"v", []byte("b")}}, `51-["e",{"k":["v",{"_placeholder":true,"num":0}]}]`},
		"bytes behind any":     {outer{A: "a", B: inner{[]byte("b")}}, `51-["e",{"A":"a","B":{"Data":{"_placeholder":true,"num":0}}}]`},
		"bytes behind pointer": {outer{A: "a", C: &inner{[]byte("b")}}, `51-["e",{"A":"a","C":{"Data":{"_placeholder":true,"num":0}}}]`},
		"bytes in a list":      {outer{A: "a", D: []inner{{}, {[]byte("b")}}}, `51-["e",{"A":"a","D":[{"Data":null},{"Data":{"_placeholder":true,"num":0}}]}]`},
	} {
		f, err := e.Event(nil, "/", -1, "e", []any{row.in})
		// The codec shouts literals too, which is no JSON: the check must see that.
		if strings.Contains(row.want, "NULL") {
			if err == nil || !strings.HasPrefix(err.Error(), `sio: argument 1 of event "e": the JSON codec's result: invalid JSON`) {
				t.Errorf("%s: %s, %v", name, f.Data, err)
			}
			continue
		}
		if got := string(f.Data); err != nil || got != row.want {
			t.Errorf("%s: %s, %v; want %s", name, got, err, row.want)
		}
	}
	if _, err := e.Ack(nil, "/", 1, []any{"x", errors.New("y")}); err == nil || err.Error() != "sio: argument 2 of an ack: shouting: errors have no form" {
		t.Error(err)
	}
	if _, err := e.Ack(nil, "/", 1, []any{circle}); err == nil {
		t.Error("a circle was encoded")
	}
	// Neither payloads of the connection nor a parser change who encodes.
	if f, err := e.Connect(nil, "/", map[string]string{"a": "b"}); err != nil || string(f.Data) != `0{"a":"b"}` {
		t.Errorf("%s, %v", f.Data, err)
	}
	e.Parser = lines{}
	if f, err := e.Ack(nil, "/", 1, []any{"a", []byte("b")}); err != nil || string(f.Data) != `ACK /  ["A",{"_placeholder":true,"num":0}]` {
		t.Errorf("%s, %v", f.Data, err)
	}
}

type broken string

func (b broken) Marshal(any) ([]byte, error)       { return []byte(b), nil }
func (b broken) Unmarshal([]byte, any) error       { return errors.New("broken: " + string(b)) }
func first(f sio.Frame, err error) (string, error) { return string(f.Data), err }

func TestCodecResultIsChecked(t *testing.T) {
	for _, result := range []string{``, ` `, `{`, `1 2`, `[1],2`, `nul`, "\"\x01\"", strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001)} {
		e := sio.Encoder{JSON: broken(result)}
		if got, err := first(e.Ack(nil, "/", 1, []any{"x"})); err == nil {
			t.Errorf("%.20q was sent as %.40q", result, got)
		}
	}
	e := sio.Encoder{JSON: broken("\"\xff\"")}
	if got, err := first(e.Ack(nil, "/", 1, []any{"x"})); err != nil || got != "31[\"\ufffd\"]" {
		t.Errorf("invalid UTF-8 became %q, %v", got, err)
	}
}

func TestCodecDecodesWhatHoldsNoPlaceholder(t *testing.T) {
	raw := []json.RawMessage{json.RawMessage(`{"A":"LOUD"}`), json.RawMessage(`{"A":"LOUD","B":{"_placeholder":true,"num":0}}`), json.RawMessage(`"_PLACEHOLDER"`)}
	args := sio.Packet{Attachments: [][]byte{{1}}}.Args(raw, shouting{})
	for range 2 { // an argument may be decoded any number of times
		var got [3]any
		for i := range got {
			if err := args.Decode(i, &got[i]); err != nil {
				t.Fatal(err)
			}
		}
		want := [3]any{map[string]any{"a": "loud"}, map[string]any{"A": "LOUD", "B": []byte{1}}, "_placeholder"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	plain := sio.Packet{}.Args(raw, shouting{})
	var like struct{ B map[string]any }
	if err := plain.Decode(1, &like); err != nil || like.B["_placeholder"] != true {
		t.Errorf("without attachments: %+v, %v", like, err)
	}
	var kept json.RawMessage
	if err := plain.Decode(0, &kept); err != nil || string(kept) != string(raw[0]) {
		t.Errorf("raw: %s, %v", kept, err)
	}
	failing := sio.Packet{}.Args(raw, broken("why"))
	var v any
	if err := failing.Decode(0, &v); err == nil || err.Error() != "sio: argument 1: broken: why" {
		t.Error(err)
	}
	if err := failing.Decode(0, v); err == nil || !strings.Contains(err.Error(), "must be a pointer") {
		t.Error(err)
	}
	if err := failing.Decode(9, &v); err == nil || !strings.Contains(err.Error(), "is missing") {
		t.Error(err)
	}
}

func TestAttachmentLimit(t *testing.T) {
	many := make([][]byte, 25)
	for i := range many {
		many[i] = []byte{byte(i)}
	}
	e := sio.Encoder{Attachments: 25}
	f, err := e.Event(nil, "/", -1, "e", []any{many})
	if err != nil || len(f.Attachments) != 25 {
		t.Fatal(err)
	}
	d := sio.NewDecoder(sio.FromClient, &sio.Limits{Attachments: 25})
	p, complete, err := d.Text(f.Data)
	for i := 0; err == nil && !complete; i++ {
		p, complete, err = d.Binary(f.Attachments[i])
	}
	if err != nil {
		t.Fatal(err)
	}
	_, raw, err := sio.ParseEvent(p.Data, sio.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var got [][]byte
	if err := p.Args(raw, nil).Decode(0, &got); err != nil || cmp.Diff(many, got) != "" {
		t.Errorf("%v %s", err, cmp.Diff(many, got))
	}
	if _, err := e.Event(nil, "/", -1, "e", []any{many, []byte("one more")}); err == nil || !strings.Contains(err.Error(), "more than 25") {
		t.Error(err)
	}
	if _, _, err := d.Text([]byte(`526-["e"]`)); err == nil {
		t.Error("26 attachments were announced")
	}
}
