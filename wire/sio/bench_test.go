package sio_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/siokit/siokit/wire/sio"
)

type say struct {
	Room string `json:"room"`
	From string `json:"from"`
	Text string `json:"text"`
	N    int    `json:"n"`
	Ok   bool   `json:"ok"`
}

var (
	sayValue = say{"lobby", "alice", "hello there, how are you today? fine, thanks", 42, true}
	sayMap   = map[string]any{"room": "lobby", "from": "alice", "text": "hello there, how are you today? fine, thanks", "n": 42, "ok": true}
	sayText  = "hello there, how are you today? fine, thanks, and you, and the others, and the dog, and so on, and on"
	sayWire  = []byte(`217["say",{"room":"lobby","from":"alice","text":"hello there, how are you today? fine, thanks","n":42,"ok":true}]`)
)

func BenchmarkDecodeEvent(b *testing.B) {
	var d sio.Decoder
	b.ReportAllocs()
	for b.Loop() {
		p, _, err := d.Text(sayWire)
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err = sio.ParseEvent(p.Data, sio.Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

// What ParseEvent would cost with jsontext instead of the scanner, without its checks
// of the name and of depth.
func BenchmarkParseEventJSONText(b *testing.B) {
	data := sayWire[3:]
	dec := jsontext.NewDecoder(bytes.NewReader(nil))
	opts := []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}
	b.ReportAllocs()
	for b.Loop() {
		var args []json.RawMessage
		dec.Reset(bytes.NewBuffer(data), opts...)
		_, err := dec.ReadToken()
		var name string
		if tok, err := dec.ReadToken(); err == nil {
			name = tok.String()
		}
		for err == nil && dec.PeekKind() != ']' {
			var v jsontext.Value
			v, err = dec.ReadValue()
			args = append(args, json.RawMessage(v))
		}
		if err != nil || name != "say" || len(args) != 1 {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseEventScanner(b *testing.B) {
	data := sayWire[3:]
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := sio.ParseEvent(data, sio.Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeArgs(b *testing.B) {
	_, args, err := sio.ParseEvent(sayWire[3:], sio.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("struct", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var v say
			if err := (sio.Args{Raw: args}).Decode(0, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("struct/encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var v say
			if err := json.Unmarshal(args[0], &v); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("any", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var v any
			if err := (sio.Args{Raw: args}).Decode(0, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("any/encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var v any
			if err := json.Unmarshal(args[0], &v); err != nil {
				b.Fatal(err)
			}
		}
	})
	binary := sio.Args{Raw: []json.RawMessage{[]byte(`{"name":"n","body":{"_placeholder":true,"num":0}}`)}, Attachments: [][]byte{{1}}}
	b.Run("binary", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var v document
			if err := binary.Decode(0, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// Each against encoding/json.Marshal of the argument alone; the aim is at most 1.3 times that.
func BenchmarkEncode(b *testing.B) {
	for name, v := range map[string]any{"struct": sayValue, "pointer": &sayValue, "string": sayText, "map": sayMap, "document": document{Name: "n", Body: []byte("x")}} {
		b.Run(name+"/event", func(b *testing.B) {
			buf := make([]byte, 0, 512)
			args := []any{v}
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := sio.AppendEvent(buf, "/", 17, "say", args); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/encoding-json", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := json.Marshal(v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
