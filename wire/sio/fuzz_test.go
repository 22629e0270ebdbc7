package sio_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/siokit/siokit/wire/sio"
)

var headerSeeds = []string{
	``, `0`, `0{}`, `0{"token":"a"}`, `0null`, `0[]`, `0{`, `01`, `0/custom,`, `0/custom`, `0/custom?token=x,`, `0custom,`, `0//,`,
	`1`, `1/a,`, `1{"a":1}`, `2`, `2["a"]`, `2/a,12["b",1]`, `2 ["a"]`, `20["a"]`, `2012["a"]`, `29007199254740992["a"]`, `2-1["a"]`, `21.5["a"]`,
	`3`, `31[]`, `31{"a":1}`, `4`, `4{"message":"x"}`, `4"x"`, `51-["b"]`, `510-["b"]`, `511-["b"]`, `50-["b"]`, `5-["b"]`, `50x1-["b"]`, `501-["b"]`,
	`51-/a,1["b",{"_placeholder":true,"num":0}]`, `61-/a,1[{"_placeholder":true,"num":0}]`, `7`, `9["a"]`, "2[\"\x00\"]", "0/\xff,",
}

func FuzzHeader(f *testing.F) {
	for _, s := range headerSeeds {
		f.Add([]byte(s), false)
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, in []byte, server bool) {
		from := sio.FromClient
		if server {
			from = sio.FromServer
		}
		d := sio.NewDecoder(from, nil)
		before := bytes.Clone(in)
		p, complete, err := d.Text(in)
		if !bytes.Equal(in, before) {
			t.Fatal("Text wrote into its input")
		}
		if err != nil {
			if diff := cmp.Diff(sio.Packet{}, p); diff != "" || complete || d.Pending() {
				t.Fatalf("error and value: %+v, %v, pending %v", p, complete, d.Pending())
			}
			return
		}
		switch {
		case complete == d.Pending(), complete == (p.Type >= sio.BinaryEvent):
			t.Fatalf("complete %v, pending %v, %+v", complete, d.Pending(), p)
		case p.Namespace == "" || p.Namespace[0] != '/' || strings.Contains(p.Namespace, ","):
			t.Fatalf("namespace %q", p.Namespace)
		case p.ID < 0 || p.ID > sio.MaxID || !p.HasID && p.ID != 0:
			t.Fatalf("id %d, %v", p.ID, p.HasID)
		case p.Type == sio.Disconnect && p.Data != nil, p.Type == sio.ConnectError && !server:
			t.Fatalf("%+v", p)
		case p.Type == sio.Connect && p.Data != nil && (!json.Valid(p.Data) || p.Data[0] != '{'):
			t.Fatalf("CONNECT with %q", p.Data)
		case (p.Type == sio.Event || p.Type == sio.Ack) && p.Data != nil && p.Data[0] != '[':
			t.Fatalf("%v with %q", p.Type, p.Data)
		case !complete && p.Data != nil && !json.Valid(p.Data):
			t.Fatalf("binary packet with %q", p.Data)
		}
		// Decoded again from its canonical form, it must be the same packet.
		if !complete || len(p.Namespace) > 500 {
			return
		}
		wire := []byte{'0' + byte(p.Type)}
		if p.Namespace != "/" {
			wire = append(append(wire, p.Namespace...), ',')
		}
		if p.HasID {
			wire = json.RawMessage(append(wire, must(json.Marshal(p.ID))...))
		}
		again, _, err := d.Text(append(wire, p.Data...))
		if diff := cmp.Diff(p, again, cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Fatalf("%q: %v\n%s", wire, err, diff)
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// FuzzDecoderOps runs a sequence of messages: each begins with t or b and ends with a
// line feed; r is Reset.
func FuzzDecoderOps(f *testing.F) {
	f.Add("t2[\"a\"]\nb123\n")
	f.Add("t52-[\"a\",{\"_placeholder\":true,\"num\":1}]\nb1\nb2\nt1\n")
	f.Add("t52-[\"a\"]\nb1\nt2[\"a\"]\nb1\n")
	f.Add("t510-[\"a\"]\n" + strings.Repeat("b0123456789\n", 10))
	f.Add("t61-1[]\nr\nb1\nt0\n")
	f.Fuzz(func(t *testing.T, ops string) {
		d := sio.NewDecoder(sio.FromClient, &sio.Limits{Attachments: 4, AttachmentBytes: 64})
		due, held := false, 0
		for op := range strings.SplitSeq(ops, "\n") {
			if op == "" {
				continue
			}
			var p sio.Packet
			var complete bool
			var err error
			switch op[0] {
			case 't':
				if p, complete, err = d.Text([]byte(op[1:])); due && err == nil {
					t.Fatalf("text accepted while attachments were due: %q", op)
				}
				held = 0
			case 'b':
				if p, complete, err = d.Binary([]byte(op[1:])); !due && err == nil {
					t.Fatal("binary accepted while none was due")
				}
				held += len(op) - 1
			case 'r':
				d.Reset()
				due, held = false, 0
				continue
			default:
				continue
			}
			if err != nil && (complete || d.Pending()) {
				t.Fatalf("error %v, but complete %v, pending %v", err, complete, d.Pending())
			}
			if due = d.Pending(); due && held > 64 {
				t.Fatalf("%d bytes of attachments are held", held)
			}
			if complete && (len(p.Attachments) > 4 || p.Type > sio.ConnectError) {
				t.Fatalf("complete: %+v", p)
			}
		}
	})
}

func FuzzPlaceholder(f *testing.F) {
	for _, s := range []string{
		`{"_placeholder":true,"num":0}`, `{"_placeholder":true,"num":1}`, `{"_placeholder":true,"num":0.5}`, `{"_placeholder":true}`, `{"_placeholder":"true","num":9}`,
		`[1,{"a":{"_placeholder":true,"num":0}},"x",null]`, `{"num":0,"_placeholder":false,"_placeholder":true}`, `{"\u005fplaceholder":true,"n\u0075m":0}`,
		`{"_placeholder":true,"num":{"num":0}}`, `{"_placeholder":{"_placeholder":true},"num":0}`, `9007199254740993`, `"\ud800"`, `[[[[{}]]]]`,
	} {
		f.Add(s, []byte("attachment"))
	}
	f.Fuzz(func(t *testing.T, value string, attachment []byte) {
		var d sio.Decoder
		_, _, err := d.Text([]byte(`51-["e",` + value + `]`))
		if err != nil {
			return
		}
		p, complete, err := d.Binary(attachment)
		if err != nil || !complete {
			t.Fatal(complete, err)
		}
		_, raw, err := sio.ParseEvent(p.Data, sio.Limits{})
		if err != nil {
			if strings.Contains(err.Error(), "arguments: raise") {
				return
			}
			t.Fatalf("the header was accepted, the event not: %v", err)
		}
		values := make([]any, len(raw))
		for i := range raw {
			if err := (sio.Args{Raw: raw, Attachments: p.Attachments}).Decode(i, &values[i]); err != nil {
				if strings.Contains(err.Error(), "out of the range of float64") {
					return
				}
				t.Fatalf("placeholders were checked, but: %v", err)
			}
			var typed struct {
				A, B []byte
				Named
				Any map[string]any
			}
			_ = (sio.Args{Raw: raw, Attachments: p.Attachments}).Decode(i, &typed) // must not panic
		}
		// Taken apart again, it must come back as it was.
		wire, parts, err := sio.AppendEvent(nil, "/", -1, "e", values)
		if err != nil {
			if strings.Contains(err.Error(), "binary attachments") {
				return
			}
			t.Fatal(err)
		}
		var p2 sio.Packet
		p2, complete, err = d.Text(wire)
		for _, part := range parts {
			p2, complete, err = d.Binary(part)
		}
		if err != nil || !complete {
			if p2.Type == 0 && len(parts) == 0 && strings.Contains(value, "placeholder") {
				return
			}
			t.Fatalf("%q: %v", wire, err)
		}
		_, raw2, err := sio.ParseEvent(p2.Data, sio.Limits{})
		if err != nil || len(raw2) != len(raw) {
			t.Fatalf("%q: %v", wire, err)
		}
		for i := range raw2 {
			var v any
			if err := (sio.Args{Raw: raw2, Attachments: p2.Attachments}).Decode(i, &v); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(values[i], v); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}

// Named is a field of the fuzzed struct.
type Named struct {
	Blob blob
	More []Named
}

func FuzzEventArgs(f *testing.F) {
	for _, s := range []string{
		`["a"]`, `["a",1]`, `["a",{"name":"x","body":"AQID","meta":[1,{}]},"é\u00e9\ud83d\ude00"]`, `[123,"x"]`, `[-0]`, `[]`, `[null]`, `["connect"]`, `["conn\u0065ct"]`,
		`["a",1e400,-1.5E+3,01]`, `["a",[[[[]]]],{"b":{"c":{}}}]`, "[\"\xff\",\"\xed\xa0\x80\"]", "[\"a\x00\"]", `["a",tru]`, `["a" , 1 ] `, `["a",]`, `["a"]]`, `{"a":1}`, `["a",{"a":1,}]`, `["\ud800"]`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		before := bytes.Clone(in)
		name, args, err := sio.ParseEvent(in, sio.Limits{})
		if !bytes.Equal(in, before) {
			t.Fatal("ParseEvent wrote into its input")
		}
		var list []json.RawMessage
		valid := json.Unmarshal(in, &list) == nil && list != nil && in[0] == '['
		if err != nil {
			if name != "" || args != nil {
				t.Fatalf("error and value: %q, %q, %v", name, args, err)
			}
			if args, err := sio.ParseArgs(in, sio.Limits{}); len(in) > 0 && (err == nil) != valid && len(list) <= 1024 {
				t.Fatalf("ParseArgs = %q, %v; encoding/json says %v", args, err, valid)
			}
			return
		}
		// encoding/json is the judge of what is valid and where arguments end.
		if !valid || len(list) != len(args)+1 {
			t.Fatalf("%d arguments, encoding/json: %v, %d elements", len(args), valid, len(list))
		}
		if sio.Reserved(name) {
			t.Fatalf("reserved name %q", name)
		}
		var std string
		if json.Unmarshal(list[0], &std) == nil && strings.ToValidUTF8(std, "") == std && !strings.Contains(std, "\uFFFD") && std != name {
			t.Fatalf("name %q, encoding/json says %q", name, std)
		}
		for i, arg := range args {
			if !bytes.Equal(arg, list[i+1]) {
				t.Fatalf("argument %d is %q, encoding/json says %q", i, arg, list[i+1])
			}
			decodeAll(t, arg)
		}
	})
}

// decodeAll compares decoding into the types that handlers use with encoding/json.
func decodeAll(t *testing.T, arg json.RawMessage) {
	a := sio.Args{Raw: []json.RawMessage{arg}}
	agree := func(ours, std any) {
		t.Helper()
		errOurs, errStd := a.Decode(0, ours), json.Unmarshal(arg, std)
		if (errOurs == nil) != (errStd == nil) {
			t.Fatalf("%T from %q: ours %v, encoding/json %v", ours, arg, errOurs, errStd)
		}
		if diff := cmp.Diff(std, ours); errStd == nil && diff != "" {
			t.Fatalf("%T from %q:\n%s", ours, arg, diff)
		}
	}
	agree(new(string), new(string))
	agree(new(*int), new(*int))
	agree(new(float64), new(float64))
	agree(new([]byte), new([]byte))
	agree(new(blob), new(blob))
	agree(new(map[string]string), new(map[string]string))
	agree(new([]bool), new([]bool))
	agree(new(say), new(say))
	agree(new(json.RawMessage), new(json.RawMessage))
	var v any
	var d document
	_, _ = a.Decode(0, &v), a.Decode(0, &d) // numbers differ on purpose; must not panic
}
