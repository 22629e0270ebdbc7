package eio_test

import (
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/siokit/siokit/wire/eio"
)

func TestRevision3Packets(t *testing.T) {
	for wire, want := range map[string]eio.Packet{
		"4hello": text(eio.Message, "hello"),
		"2probe": text(eio.Ping, "probe"),
		"3":      text(eio.Pong, ""),
		"b4BQ==": binary(5),
		"b4":     binary(),
	} {
		got, err := eio.Decode3([]byte(wire))
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("Decode3(%q): %v\n%s", wire, err, d)
		}
		if got := string(eio.Append3([]byte("x"), want)); got != "x"+wire {
			t.Errorf("Append3(%v) = %q, want %q", want, got, "x"+wire)
		}
	}
	for wire, want := range map[string]error{
		"": eio.ErrEmpty, "9": eio.ErrType, "b": eio.ErrType, "bAQID": eio.ErrType, "b2": eio.ErrBinaryType, "b4!": eio.ErrBase64,
	} {
		if p, err := eio.Decode3([]byte(wire)); !errors.Is(err, want) || p.Data != nil {
			t.Errorf("Decode3(%q) = %v, %v; want %v", wire, p, err, want)
		}
	}
	for wire, want := range map[string]error{"": eio.ErrEmpty, "4x": eio.ErrType, "\x02": eio.ErrBinaryType, "\x07": eio.ErrType} {
		if p, err := eio.DecodeBinary3([]byte(wire)); !errors.Is(err, want) || p.Data != nil {
			t.Errorf("DecodeBinary3(%q) = %v, %v; want %v", wire, p, err, want)
		}
	}
	p, err := eio.DecodeBinary3([]byte{4, 1, 2, 3})
	if d := cmp.Diff(binary(1, 2, 3), p); d != "" || err != nil {
		t.Errorf("a binary frame: %v\n%s", err, d)
	}
	if got := eio.AppendBinary3(nil, p.Data); string(got) != "\x04\x01\x02\x03" {
		t.Errorf("AppendBinary3: %x", got)
	}
}

// The captured bytes of wire.md, appendix A.
func TestRevision3GoldenPayloads(t *testing.T) {
	event := `51-["bin",{"_placeholder":true,"num":0},"é😀"]`
	batch := []eio.Packet{text(eio.Message, event), binary(1, 2, 3)}
	for _, c := range []struct {
		name, wire string
		binary     bool
		want       []eio.Packet
	}{
		{name: "handshake", wire: `16:0{"sid":"abc...}9:40/admin,`, want: []eio.Packet{text(eio.Open, `{"sid":"abc...}`), text(eio.Message, "0/admin,")}},
		{name: "two", wire: "2:401:3", want: []eio.Packet{text(eio.Message, "0"), text(eio.Pong, "")}},
		{name: "UTF-16 lengths", wire: `15:42["uni","é😀"]`, want: []eio.Packet{text(eio.Message, `2["uni","é😀"]`)}},
		{name: "base64", wire: "6:b4BQ==2:40", want: []eio.Packet{binary(5), text(eio.Message, "0")}},
		{name: "binary", binary: true, wire: "000500ff" + hex.EncodeToString([]byte("4"+event)) + "0104ff04010203", want: batch},
	} {
		t.Run(c.name, func(t *testing.T) {
			body, packets, appendTo := []byte(c.wire), eio.Packets3, eio.AppendPayload3
			if c.binary {
				body, _ = hex.DecodeString(c.wire)
				packets, appendTo = eio.BinaryPackets3, eio.AppendBinaryPayload3
			}
			var got []eio.Packet
			for p, err := range packets(body) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, p)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
			var again []byte
			for _, p := range c.want {
				again = appendTo(again, p)
			}
			if string(again) != string(body) {
				t.Errorf("encoded %q, want %q", again, body)
			}
		})
	}
	const captured = "000500ff3435312d5b2262696e222c7b225f706c616365686f6c646572223a747275652c226e756d223a307d2c22c3a9f09f9880225d0104ff04010203"
	var wire []byte
	for _, p := range batch {
		wire = eio.AppendBinaryPayload3(wire, p)
	}
	if got := hex.EncodeToString(wire); got != captured {
		t.Errorf("got  %s\nwant %s", got, captured)
	}
}

func TestRevision3PayloadErrors(t *testing.T) {
	for name, c := range map[string]struct {
		wire   string
		binary bool
		want   []string
		err    error
	}{
		"empty":                  {wire: "", err: eio.ErrEmpty},
		"an empty element":       {wire: "0:"},
		"between others":         {wire: "1:20:1:6", want: []string{"2", "6"}},
		"revision 4":             {wire: "4hello", err: eio.ErrLength},
		"no number":              {wire: ":4a", err: eio.ErrLength},
		"a sign":                 {wire: "+2:4a", err: eio.ErrLength},
		"not decimal":            {wire: "0x2:4a", err: eio.ErrLength},
		"too long":               {wire: "3:4a", err: eio.ErrLength},
		"half a character":       {wire: "2:4😀", err: eio.ErrLength},
		"bytes counted":          {wire: "3:4é", err: eio.ErrLength},
		"a million digits":       {wire: strings.Repeat("1", 1_000_000) + ":4", err: eio.ErrLength},
		"after a good one":       {wire: "2:4a9", want: []string{"4a"}, err: eio.ErrLength},
		"a bad packet":           {wire: "2:4a1:92:4b", want: []string{"4a"}, err: eio.ErrType},
		"binary: empty":          {binary: true, wire: "", err: eio.ErrEmpty},
		"binary: kind":           {binary: true, wire: "\x02\x02\xff4a", err: eio.ErrLength},
		"binary: no length":      {binary: true, wire: "\x00\xff4a", err: eio.ErrLength},
		"binary: no end":         {binary: true, wire: "\x00\x02", err: eio.ErrLength},
		"binary: digit":          {binary: true, wire: "\x00\x0a\xff4a", err: eio.ErrLength},
		"binary: too long":       {binary: true, wire: "\x00\x03\xff4a", err: eio.ErrLength},
		"binary: huge":           {binary: true, wire: "\x00" + strings.Repeat("\x09", 400) + "\xff4a", err: eio.ErrLength},
		"binary: over 32 bits":   {binary: true, wire: "\x01\x02\x01\x04\x07\x04\x08\x03\x06\x04\x08\xff4a", err: eio.ErrLength},
		"binary: empty element":  {binary: true, wire: "\x00\x00\xff", err: eio.ErrEmpty},
		"binary: after one":      {binary: true, wire: "\x00\x02\xff4a\x01\x01\xff\x02", want: []string{"4a"}, err: eio.ErrBinaryType},
		"binary: text in base64": {binary: true, wire: "\x00\x06\xffb4BQ==", want: []string{"b4BQ=="}},
	} {
		t.Run(name, func(t *testing.T) {
			packets := eio.Packets3
			if c.binary {
				packets = eio.BinaryPackets3
			}
			var got []string
			var failed error
			for p, err := range packets([]byte(c.wire)) {
				if failed != nil {
					t.Fatal("a packet after an error")
				}
				if failed = err; err == nil {
					got = append(got, string(eio.Append3(nil, p)))
				}
			}
			if !slices.Equal(got, c.want) || !errors.Is(failed, c.err) {
				t.Errorf("got %q, %v; want %q, %v", got, failed, c.want, c.err)
			}
		})
	}
	for range eio.Packets3([]byte("1:21:2")) {
		break // must not go on after the caller has left
	}
	for range eio.BinaryPackets3([]byte("\x00\x01\xff2\x00\x01\xff2")) {
		break
	}
}

func TestJSONP(t *testing.T) {
	for payload, want := range map[string]string{
		"2:40":                     `___eio[7]("2:40");`,
		"5:42[\"<é😀&>\"]":          `___eio[7]("5:42[\"<é😀&>\"]");`,
		"a\u2028b\u2029c\n\x01\\d": `___eio[7]("a\u2028b\u2029c\n\u0001\\d");`,
	} {
		if got := string(eio.AppendJSONP([]byte("x"), "7", []byte(payload))); got != "x"+want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for index, want := range map[string]bool{"0": true, "12": true, "": false, "alert(1)//": false, "1]": false, "-1": false, "12345678901": false} {
		if eio.JSONPIndex(index) != want {
			t.Errorf("JSONPIndex(%q) is %v", index, !want)
		}
	}
	for form, want := range map[string]string{
		"d=2%3A40":                     "2:40",
		"d=a+b%20c%3B;%26":             "a b c;;&",
		"x=1&d=4&y":                    "4",
		"d=":                           "",
		`d=a%5Cnb`:                     "a\nb",      // \n is a line end
		`d=a%5C%5Cnb`:                  `a\nb`,      // \\n is \n
		`d=a%5C%5C%5Cnb`:               `a\\nb`,     // what the client makes of \\n
		`d=%5C%5Ct%5C"%5C%5C`:          `\\t\"\\`,   // other escapes are left alone
		"d=%F0%9F%98%80n%5Cn%5C%5Cn\\": "😀n\n\\n\\", // and back to back
	} {
		got, err := eio.DecodeJSONP([]byte(form))
		if err != nil || string(got) != want {
			t.Errorf("DecodeJSONP(%q) = %q, %v; want %q", form, got, err, want)
		}
	}
	for _, form := range []string{"", "2:40", "e=1", "d=1&d=2", "d=%zz", "d=%"} {
		if got, err := eio.DecodeJSONP([]byte(form)); !errors.Is(err, eio.ErrForm) {
			t.Errorf("DecodeJSONP(%q) = %q, %v", form, got, err)
		}
	}
}
