package sio_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/siokit/siokit/wire/sio"
)

func TestBinaryPackets(t *testing.T) {
	for name, tt := range map[string]struct {
		header string
		parts  []string
		want   sio.Packet
	}{
		"golden event": {`51-["baz",{"_placeholder":true,"num":0}]`, []string{"\x01\x02\x03\x04"},
			sio.Packet{Type: sio.Event, Namespace: "/", Data: []byte(`["baz",{"_placeholder":true,"num":0}]`)}},
		"golden ns and two": {`52-/admin,["baz",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`, []string{"\x01", "\x02"},
			sio.Packet{Type: sio.Event, Namespace: "/admin", Data: []byte(`["baz",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`)}},
		"golden ack": {`61-/admin,456[{"_placeholder":true,"num":0}]`, []string{"\x01\x02\x03"},
			withID(sio.Packet{Type: sio.Ack, Namespace: "/admin", Data: []byte(`[{"_placeholder":true,"num":0}]`)}, 456)},
		"V-14 ten":               {`510-["b"]`, strings.Split("0123456789", ""), event("/", `["b"]`)},
		"S-33 no placeholder":    {`51-["b"]`, []string{"x"}, event("/", `["b"]`)},
		"S-33 twice":             {`51-["b",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]`, []string{""}, event("/", `["b",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]`)},
		"S-33 string":            {`51-["b",{"_placeholder":"true","num":7}]`, []string{"x"}, event("/", `["b",{"_placeholder":"true","num":7}]`)},
		"last member wins":       {`51-["b",{"num":9,"_placeholder":true,"x":{"num":5},"num":0}]`, []string{"x"}, event("/", `["b",{"num":9,"_placeholder":true,"x":{"num":5},"num":0}]`)},
		"no payload":             {`51-`, []string{"x"}, sio.Packet{Type: sio.Event, Namespace: "/"}},
		"1e0 is an integer":      {`52-["b",{"_placeholder":true,"num":1e0}]`, []string{"x", "y"}, event("/", `["b",{"_placeholder":true,"num":1e0}]`)},
		"placeholder not a bool": {`51-["b",{"_placeholder":[true],"num":7}]`, []string{"x"}, event("/", `["b",{"_placeholder":[true],"num":7}]`)},
	} {
		t.Run(name, func(t *testing.T) {
			var d sio.Decoder
			header := []byte(tt.header)
			p, complete, err := d.Text(header)
			if err != nil || complete || !d.Pending() {
				t.Fatalf("header: complete %v, pending %v, %v", complete, d.Pending(), err)
			}
			if want := tt.want.Type + sio.BinaryEvent - sio.Event; p.Type != want || p.Namespace != tt.want.Namespace || p.ID != tt.want.ID {
				t.Errorf("header is %+v", p)
			}
			for i := range header {
				header[i] = '!' // the reader's buffer is used again
			}
			for i, part := range tt.parts {
				buf := []byte(part)
				p, complete, err = d.Binary(buf)
				if err != nil || complete != (i == len(tt.parts)-1) {
					t.Fatalf("attachment %d: complete %v, %v", i, complete, err)
				}
				clear(buf)
				tt.want.Attachments = append(tt.want.Attachments, append([]byte{}, part...))
			}
			if d.Pending() {
				t.Error("still pending")
			}
			if diff := cmp.Diff(tt.want, p); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPlaceholderNumbers(t *testing.T) {
	for _, num := range []string{`"splice"`, `"0"`, `-1`, `1`, `1e9`, `0.5`, `null`, `true`, `[0]`, `{}`, `1e999`, `"NaN"`, ``} {
		member := `,"num":` + num
		if num == "" {
			member = ""
		}
		for where, form := range map[string]string{
			"argument": `51-["hello",{"_placeholder":true%s}]`,
			"nested":   `51-["hello",{"a":[1,{"_placeholder":true%s}]}]`,
			"S-35":     `51-[{"_placeholder":true%s}]`,
			"ack":      `61-1[{"_placeholder":true%s}]`,
			"escaped":  `51-["hello",{"\u005fplaceholder":true%s}]`,
			"last":     `51-["hello",{"_placeholder":false,"num":0%s,"_placeholder":true}]`,
		} {
			if num == "" && where == "last" {
				continue // num is 0 there
			}
			t.Run("V-11 "+num+" "+where, func(t *testing.T) {
				var d sio.Decoder
				if p, _, err := d.Text(fmt.Appendf(nil, form, member)); err == nil || d.Pending() {
					t.Errorf("accepted: %+v", p)
				}
			})
		}
	}
}

func TestBinaryPayloadIsChecked(t *testing.T) {
	for _, data := range []string{`[`, `["a"`, `["a"]]`, `["a",]`, "[\"\x01\"]", `{}`, `"a"`, ` []`, "[" + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_001)} {
		var d sio.Decoder
		if p, _, err := d.Text([]byte("51-" + data)); err == nil || d.Pending() {
			t.Errorf("accepted %.40q: %+v", data, p)
		}
	}
}

func TestOutOfStep(t *testing.T) {
	const header = `52-["a"]`
	begin := func(t *testing.T) *sio.Decoder {
		var d sio.Decoder
		if _, _, err := d.Text([]byte(header)); err != nil {
			t.Fatal(err)
		}
		if _, complete, err := d.Binary([]byte("x")); complete || err != nil {
			t.Fatal(complete, err)
		}
		return &d
	}
	t.Run("W-14 binary when none is due", func(t *testing.T) {
		var d sio.Decoder
		if _, _, err := d.Binary([]byte(`42["a"]`)); !errors.Is(err, sio.ErrUnexpectedBinary) {
			t.Error(err)
		}
	})
	for _, text := range []string{`2["a"]`, header, `1`, ``} {
		t.Run("W-15 S-32 text "+text, func(t *testing.T) {
			d := begin(t)
			if _, _, err := d.Text([]byte(text)); !errors.Is(err, sio.ErrUnexpectedText) || d.Pending() {
				t.Error(err, d.Pending())
			}
		})
	}
	t.Run("S-32 one too many", func(t *testing.T) {
		d := begin(t)
		if _, complete, err := d.Binary(nil); !complete || err != nil {
			t.Fatal(complete, err)
		}
		if _, _, err := d.Binary(nil); !errors.Is(err, sio.ErrUnexpectedBinary) {
			t.Error(err)
		}
	})
	t.Run("V-42 reset", func(t *testing.T) {
		d := begin(t)
		d.Reset()
		if d.Pending() {
			t.Error("pending after Reset")
		}
		if p, complete, err := d.Text([]byte(`2["a"]`)); !complete || err != nil {
			t.Error(p, complete, err)
		}
	})
}

func TestLimits(t *testing.T) {
	d := sio.NewDecoder(sio.FromClient, &sio.Limits{Attachments: 2, Namespace: 4, AttachmentBytes: 5, Depth: 3})
	for wire, ok := range map[string]bool{
		`52-["a"]`: true, `53-["a"]`: false,
		`0/abc,`: true, `0/abcd,`: false,
		`0{"a":{"b":{}}}`: true, `0{"a":{"b":{"c":[]}}}`: false,
		`52-[[[]]]`: true, `52-[[[[]]]]`: false,
	} {
		if _, _, err := d.Text([]byte(wire)); (err == nil) != ok {
			t.Errorf("%s: %v", wire, err)
		}
		d.Reset()
	}
	_, _, err := d.Text([]byte(`52-["a"]`))
	if _, complete, err2 := d.Binary([]byte("123")); complete || err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	if _, _, err := d.Binary([]byte("456")); err == nil || d.Pending() {
		t.Errorf("6 bytes of 5: %v, pending %v", err, d.Pending())
	}
}

func TestDecoderIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(sio.Decoder{}); size > 24 {
		t.Errorf("a Decoder has %d bytes, one lives in every idle connection", size)
	}
}
