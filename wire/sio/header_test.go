package sio_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/siokit/siokit/wire/sio"
)

func event(ns, data string) sio.Packet {
	return sio.Packet{Type: sio.Event, Namespace: ns, Data: []byte(data)}
}

func withID(p sio.Packet, id int64) sio.Packet {
	p.ID, p.HasID = id, true
	return p
}

// decodeText decodes one complete text packet from a client.
func decodeText(msg string) (sio.Packet, bool, error) {
	var d sio.Decoder
	return d.Text([]byte(msg))
}

func TestTextPackets(t *testing.T) {
	connect := func(ns, data string) sio.Packet {
		p := sio.Packet{Type: sio.Connect, Namespace: ns}
		if data != "" {
			p.Data = []byte(data)
		}
		return p
	}
	for name, tt := range map[string]struct {
		wire string
		want sio.Packet
	}{
		"golden event":           {`2["foo"]`, event("/", `["foo"]`)},
		"golden namespace event": {`2/admin,["bar"]`, event("/admin", `["bar"]`)},
		"golden event with ack":  {`212["foo"]`, withID(event("/", `["foo"]`), 12)},
		"golden ns and ack":      {`2/admin,456["project:delete",123]`, withID(event("/admin", `["project:delete",123]`), 456)},
		"golden ack":             {`3/admin,456[]`, withID(sio.Packet{Type: sio.Ack, Namespace: "/admin", Data: []byte("[]")}, 456)},
		"golden disconnect":      {`1/admin,`, sio.Packet{Type: sio.Disconnect, Namespace: "/admin"}},
		"S-01 bare":              {`0`, connect("/", "")},
		"S-01 empty auth":        {`0{}`, connect("/", "{}")},
		"S-01 auth":              {`0{"token":"a"}`, connect("/", `{"token":"a"}`)},
		"S-03 id on CONNECT":     {`07`, connect("/", "")},
		"S-04 odd keys":          {`0{"__proto__":1,"a":1,"a":2}`, connect("/", `{"__proto__":1,"a":1,"a":2}`)},
		"S-05 comma":             {`0/custom,`, connect("/custom", "")},
		"S-05 no comma":          {`0/custom`, connect("/custom", "")},
		"S-05 ns and auth":       {`0/custom,{"a":1}`, connect("/custom", `{"a":1}`)},
		"S-06 query":             {`0/custom?token=x,`, connect("/custom?token=x", "")},
		"S-10 double slash":      {`0//,`, connect("//", "")},
		"S-10 case":              {`0/CUSTOM,`, connect("/CUSTOM", "")},
		"named root":             {`0/,{}`, connect("/", "{}")},
		"namespace of 512":       {`0/` + strings.Repeat("a", 511) + `,`, connect("/"+strings.Repeat("a", 511), "")},
		"P-06 namespace":         {"0/a\xff\xfeb,", connect("/a\uFFFDb", "")},
		"S-19 no payload":        {`2`, sio.Packet{Type: sio.Event, Namespace: "/"}},
		"S-25 id 0":              {`20["a"]`, withID(event("/", `["a"]`), 0)},
		"S-25 leading zeros":     {`2012["a"]`, withID(event("/", `["a"]`), 12)},
		"S-26 largest id":        {`29007199254740991["a"]`, withID(event("/", `["a"]`), sio.MaxID)},
		"S-28 ack without id":    {`3["x"]`, sio.Packet{Type: sio.Ack, Namespace: "/", Data: []byte(`["x"]`)}},
		"S-28 ack, no payload":   {`35`, withID(sio.Packet{Type: sio.Ack, Namespace: "/"}, 5)},
		"S-34 placeholder":       {`2["a",{"_placeholder":true,"num":"x"}]`, event("/", `["a",{"_placeholder":true,"num":"x"}]`)},
	} {
		t.Run(name, func(t *testing.T) {
			p, complete, err := decodeText(tt.wire)
			if err != nil || !complete {
				t.Fatalf("Text(%q): complete %v, %v", tt.wire, complete, err)
			}
			if d := cmp.Diff(tt.want, p); d != "" {
				t.Errorf("Text(%q):\n%s", tt.wire, d)
			}
		})
	}
}

func TestTextRefuses(t *testing.T) {
	for name, wire := range map[string]string{
		"P-12 W-07 empty":          "",
		"S-02 null":                `0null`,
		"S-02 array":               `0[]`,
		"S-02 string":              `0"x"`,
		"S-02 number":              `01.5`,
		"S-02 true":                `0true`,
		"S-02 open brace":          `0{`,
		"S-02 trailing":            `0{}x`,
		"S-02 control byte":        "0{\"a\":\"\x01\"}",
		"S-09 no slash":            `0custom,`,
		"S-16 payload":             `1{"a":1}`,
		"S-16 space":               `1 `,
		"S-17 bare":                `4`,
		"S-17 V-13 payload":        `4["handle me"]`,
		"S-17 object":              `4{"message":"x"}`,
		"S-18 7":                   `7`,
		"S-18 9":                   `9["a"]`,
		"S-18 letter":              `x["a"]`,
		"S-18 high byte":           "\xff",
		"S-20 object":              `2{"a":1}`,
		"S-20 string":              `2"a"`,
		"S-20 null":                `2null`,
		"S-24 space":               `2 ["a"]`,
		"S-26 2^53":                `29007199254740992["a"]`,
		"S-26 17 digits":           `200000000000000001["a"]`,
		"S-26 20 digits":           `2` + strings.Repeat("9", 20) + `["a"]`,
		"S-26 400 digits":          `2` + strings.Repeat("9", 400) + `["a"]`,
		"S-27 -1":                  `2-1["a"]`,
		"S-27 1.5":                 `21.5["a"]`,
		"S-27 1e3":                 `21e3["a"]`,
		"S-27 abc":                 `2abc["a"]`,
		"S-29":                     `31{"a":1}`,
		"S-30 no dash":             `5["a"]`,
		"S-30 no count":            `5-["a"]`,
		"S-30 negative":            `5-1-["a"]`,
		"S-30 fraction":            `51.5-["a"]`,
		"S-30 V-15 zero":           `50-["a"]`,
		"S-30 V-14 eleven":         `511-["a"]`,
		"S-30 V-14 huge":           `5999999999999-["a"]`,
		"S-30 only count":          `51`,
		"S-30 empty":               `5`,
		"S-31 hex":                 `50x1-["a"]`,
		"S-31 space":               `5 1-["a"]`,
		"S-31 exponent":            `51e1-["a"]`,
		"S-31 leading zero":        `501-["a"]`,
		"S-31 plus":                `5+1-["a"]`,
		"binary ack zero":          `60-1[]`,
		"namespace of 513":         `0/` + strings.Repeat("a", 512) + `,`,
		"namespace of 513, no end": `0/` + strings.Repeat("a", 512),
		"W-14 text in binary":      "\x00\x01",
		"W-17 joined":              "\x1e2[\"a\"]",
	} {
		t.Run(name, func(t *testing.T) {
			p, complete, err := decodeText(wire)
			if err == nil || complete || !strings.HasPrefix(err.Error(), "sio: ") || len(err.Error()) > 2500 {
				t.Fatalf("Text(%.80q) = %v, %v, %v", wire, p, complete, err)
			}
			if d := cmp.Diff(sio.Packet{}, p); d != "" {
				t.Errorf("error and value:\n%s", d)
			}
		})
	}
}

func TestServerPackets(t *testing.T) {
	for wire, ok := range map[string]bool{
		`0{"sid":"oSO0OpakMV_3jnilAAAA"}`: true,
		`0/admin,{"sid":"x"}`:             true,
		`0`:                               false, // a server of version 2
		`0"x"`:                            false,
		`4{"message":"Not authorized"}`:   true,
		`4/x,{"message":"a","data":1}`:    true,
		`4"text"`:                         true,
		`4`:                               true,
		`4"text`:                          false,
		`4[1]`:                            false,
		`4{"message":}`:                   false,
		`1`:                               true,
		`2["a"]`:                          true,
	} {
		d := sio.NewDecoder(sio.FromServer, nil)
		if p, complete, err := d.Text([]byte(wire)); (err == nil) != ok || complete != ok {
			t.Errorf("Text(%q) = %v, %v, %v", wire, p, complete, err)
		}
	}
}

// V-10: fields that go on for a megabyte. Time must grow with the length, not its square.
func TestLinearTime(t *testing.T) {
	for name, make := range map[string]func(n int) []byte{
		"attachments": func(n int) []byte { return append([]byte("5"), bytes.Repeat([]byte("1"), n)...) },
		"namespace":   func(n int) []byte { return append([]byte("0/"), bytes.Repeat([]byte("a"), n)...) },
		"id":          func(n int) []byte { return append([]byte("2"), bytes.Repeat([]byte("9"), n)...) },
		"spaces":      func(n int) []byte { return append([]byte("2["), bytes.Repeat([]byte(" "), n)...) },
		"brackets":    func(n int) []byte { return append([]byte(`2["a",`), bytes.Repeat([]byte("["), n)...) },
		"binary":      func(n int) []byte { return append([]byte(`51-["a",`), bytes.Repeat([]byte("0,"), n/2)...) },
		"number":      func(n int) []byte { return append([]byte(`2["a",`), bytes.Repeat([]byte("7"), n)...) },
	} {
		t.Run("V-10 "+name, func(t *testing.T) {
			msg := make(1_000_000)
			start := time.Now()
			var d sio.Decoder
			p, _, err := d.Text(msg)
			if err == nil {
				_, _, err = sio.ParseEvent(p.Data, sio.Limits{})
			}
			if err == nil {
				t.Error("accepted")
			}
			// Quadratic work on 1 MB takes minutes. The bar of 50 ms is for an idle machine.
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("1 MB took %v", took)
			}
		})
	}
}
