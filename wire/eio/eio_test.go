package eio_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/siokit/siokit/wire/eio"
)

func text(t eio.Type, data string) eio.Packet { return eio.Packet{Type: t, Data: []byte(data)} }

func binary(data ...byte) eio.Packet {
	return eio.Packet{Type: eio.Message, Binary: true, Data: append([]byte{}, data...)}
}

// The examples of the protocol document, both ways.
func TestGoldenPackets(t *testing.T) {
	for wire, want := range map[string]eio.Packet{
		`0{"sid":"lv_VI97HAXpY6yYWAAAC"}`: text(eio.Open, `{"sid":"lv_VI97HAXpY6yYWAAAC"}`),
		"1":                               text(eio.Close, ""),
		"2":                               text(eio.Ping, ""),
		"2probe":                          text(eio.Ping, "probe"),
		"3":                               text(eio.Pong, ""),
		"3probe":                          text(eio.Pong, "probe"),
		"4hello":                          text(eio.Message, "hello"),
		"4€":                              text(eio.Message, "€"),
		"4":                               text(eio.Message, ""),
		"5":                               text(eio.Upgrade, ""),
		"6":                               text(eio.Noop, ""),
		"bAQIDBA==":                       binary(1, 2, 3, 4),
		"b":                               binary(),
	} {
		got, err := eio.Decode([]byte(wire))
		if err != nil {
			t.Errorf("Decode(%q): %v", wire, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("Decode(%q):\n%s", wire, d)
		}
		if got := string(eio.Append([]byte("x"), want)); got != "x"+wire {
			t.Errorf("Append(%v) = %q, want %q", want, got, "x"+wire)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		wire string
		want error
	}{
		"W-06 empty":              {"", eio.ErrEmpty},
		"P-02 digit 9":            {"9", eio.ErrType},
		"P-02 letters":            {"abc", eio.ErrType},
		"W-21 type 7":             {"7", eio.ErrType},
		"space":                   {" 4", eio.ErrType},
		"P-05 junk":               {"b!!!!", eio.ErrBase64},
		"P-05 newline":            {"bAA\nAA", eio.ErrBase64},
		"P-05 one digit":          {"bA", eio.ErrBase64},
		"P-05 five digits":        {"bAAAAA", eio.ErrBase64},
		"P-05 padding in mid":     {"bAA==AAAA", eio.ErrBase64},
		"P-05 too much padding":   {"bA===", eio.ErrBase64},
		"P-05 only padding":       {"b====", eio.ErrBase64},
		"P-05 padding, no length": {"bAAA==", eio.ErrBase64},
		"P-05 high byte":          {"bAAA\x80", eio.ErrBase64},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := eio.Decode([]byte(tt.wire))
			if !errors.Is(err, tt.want) {
				t.Errorf("Decode(%q) = %v, %v; want %v", tt.wire, p, err, tt.want)
			}
			if d := cmp.Diff(eio.Packet{}, p); d != "" {
				t.Errorf("error and value:\n%s", d)
			}
		})
	}
}

func TestBase64Forms(t *testing.T) {
	want := []byte{0xfb, 0xef, 0xbe, 0xff, 0xfe}
	for name, wire := range map[string]string{
		"P-05 standard padded":   base64.StdEncoding.EncodeToString(want),
		"P-05 standard unpadded": base64.RawStdEncoding.EncodeToString(want),
		"P-05 url-safe padded":   base64.URLEncoding.EncodeToString(want),
		"P-05 url-safe unpadded": base64.RawURLEncoding.EncodeToString(want),
		"P-05 mixed":             strings.Replace(base64.StdEncoding.EncodeToString(want), "+", "-", 1),
	} {
		t.Run(name, func(t *testing.T) {
			in := []byte("b" + wire)
			p, err := eio.Decode(in)
			if err != nil || !p.Binary || !bytes.Equal(p.Data, want) {
				t.Errorf("Decode(%q) = %v, %v", in, p, err)
			}
			if string(in) != "b"+wire {
				t.Errorf("Decode wrote into its input: %q", in)
			}
		})
	}
}

func collect(payload string) (got []string, err error) {
	for p, e := range eio.Packets([]byte(payload)) {
		if err != nil {
			return got, errors.New("a packet after an error")
		}
		if err = e; e == nil {
			got = append(got, string(eio.Append(nil, p)))
		}
	}
	return got, err
}

func TestPackets(t *testing.T) {
	for name, tt := range map[string]struct {
		body string
		want []string
		err  error
	}{
		"golden":               {"4hello\x1e2\x1e4world", []string{"4hello", "2", "4world"}, nil},
		"golden binary":        {"4€\x1ebAQIDBA==", []string{"4€", "bAQIDBA=="}, nil},
		"one":                  {"4a", []string{"4a"}, nil},
		"P-01 empty":           {"", nil, eio.ErrEmpty},
		"P-03 double":          {"4a\x1e\x1e4b", []string{"4a"}, eio.ErrEmpty},
		"P-03 trailing":        {"4a\x1e", []string{"4a"}, eio.ErrEmpty},
		"P-03 leading":         {"\x1e4a", nil, eio.ErrEmpty},
		"P-04 v3 framing":      {`10:42["echo"]`, []string{`10:42["echo"]`}, nil},
		"P-07 raw 1e in JSON":  {"42[\"a\x1eb\"]", []string{`42["a`}, eio.ErrBase64},
		"stops at first error": {"4a\x1e9\x1e4b", []string{"4a"}, eio.ErrType},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := collect(tt.body)
			if d := cmp.Diff(tt.want, got); d != "" || !errors.Is(err, tt.err) {
				t.Errorf("error %v, want %v; packets:\n%s", err, tt.err, d)
			}
		})
	}
	for range eio.Packets([]byte("2\x1e2\x1e2")) {
		break // must not go on after the caller has left
	}
}

func TestManyPackets(t *testing.T) {
	body := []byte(strings.Repeat("6\x1e", 499_999) + "6")
	count := func() (n int) {
		for p, err := range eio.Packets(body) {
			if err != nil || p.Type != eio.Noop {
				t.Fatalf("%v, %v", p, err)
			}
			n++
		}
		return n
	}
	if n := count(); n != 500_000 {
		t.Errorf("V-01 P-28: %d packets, want 500000", n)
	}
	if n := testing.AllocsPerRun(3, func() { count() }); n > 2 {
		t.Errorf("V-01 P-28: %v allocations for a body of text packets, want at most 2", n)
	}
}

func TestTextAliasesInput(t *testing.T) {
	in := []byte("4hello")
	p, err := eio.Decode(in)
	if err != nil || &p.Data[0] != &in[1] {
		t.Errorf("the data of a text packet was copied (%v)", err)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = eio.Decode(in) }); n != 0 {
		t.Errorf("Decode of text allocates %v times", n)
	}
}

func TestTypeString(t *testing.T) {
	if got := eio.Noop.String() + eio.Open.String() + eio.Type(9).String(); got != "noopopenType(9)" {
		t.Error(got)
	}
}
