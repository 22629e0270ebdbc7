package sio_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/siokit/siokit/wire/sio"
)

func raws(args ...string) (out []json.RawMessage) {
	for _, a := range args {
		out = append(out, json.RawMessage(a))
	}
	return out
}

func nested(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

func TestParseEvent(t *testing.T) {
	for name, tt := range map[string]struct {
		data string
		name string
		args []json.RawMessage
	}{
		"golden":            {`["foo"]`, "foo", nil},
		"golden args":       {`["project:delete",123]`, "project:delete", raws("123")},
		"all kinds":         {`["a",null,true,false,-1.5e+3,"x\"]",{"a":[1,{}]},[]]`, "a", raws("null", "true", "false", "-1.5e+3", `"x\"]"`, `{"a":[1,{}]}`, "[]")},
		"space":             {"[ \"a\" ,\t1 , { \"b\" : 2 } ]\r\n", "a", raws("1", `{ "b" : 2 }`)},
		"S-21 number":       {`[123,"x"]`, "123", raws(`"x"`)},
		"S-21 negative":     {`[-7]`, "-7", nil},
		"S-21 -0":           {`[-0]`, "0", nil},
		"S-21 empty name":   {`[""]`, "", nil},
		"S-22 ordinary":     {`["error"]`, "error", nil},
		"S-22 connection":   {`["connection"]`, "connection", nil},
		"S-22 message":      {`["message"]`, "message", nil},
		"escaped name":      {`["a\u0062\n\ud83d\ude00"]`, "ab\n😀", nil},
		"S-38 surrogate":    {`["\ud800"]`, "\uFFFD", nil},
		"P-06 name":         {"[\"a\xff\"]", "a\uFFFD", nil},
		"P-06 argument":     {"[\"a\",\"\xff\xfe\xc0\x80\"]", "a", raws("\"\xff\xfe\xc0\x80\"")},
		"S-37 huge number":  {`["a",1e400]`, "a", raws("1e400")},
		"S-36 depth":        {`["a",` + nested(9_999) + `]`, "a", raws(nested(9_999))},
		"1,024 arguments":   {`["a"` + strings.Repeat(",1", 1024) + `]`, "a", raws(strings.Split(strings.Repeat("1", 1024), "")...)},
		"depth 64 boundary": {`["a",` + nested(300) + `,` + nested(64) + `]`, "a", raws(nested(300), nested(64))},
	} {
		t.Run(name, func(t *testing.T) {
			got, args, err := sio.ParseEvent([]byte(tt.data), sio.Limits{})
			if err != nil || got != tt.name {
				t.Fatalf("ParseEvent = %q, %v; want %q", got, err, tt.name)
			}
			if d := cmp.Diff(tt.args, args); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestParseEventRefuses(t *testing.T) {
	for name, data := range map[string]string{
		"S-19 none":            ``,
		"S-20 object":          `{"a":1}`,
		"S-20 empty":           `[]`,
		"S-20 trailing":        `["a"]x`,
		"S-20 two":             `["a"]["b"]`,
		"V-12 null":            `[null]`,
		"V-12 true":            `[true]`,
		"V-12 array":           `[[]]`,
		"V-12 object":          `[{"toString":"foo"}]`,
		"S-35 placeholder":     `[{"_placeholder":true,"num":0}]`,
		"S-20 fraction":        `[1.5]`,
		"S-20 large integer":   `[9007199254740992]`,
		"S-20 minus":           `[-]`,
		"S-22 connect":         `["connect"]`,
		"S-22 escaped":         `["conn\u0065ct",1]`,
		"S-22 connect_error":   `["connect_error"]`,
		"S-22 disconnect":      `["disconnect"]`,
		"S-22 disconnecting":   `["disconnecting"]`,
		"S-22 newListener":     `["newListener"]`,
		"S-22 removeListener":  `["removeListener"]`,
		"S-36 depth":           `["a",` + nested(10_000) + `]`,
		"S-36 200,000":         `["a",` + nested(200_000) + `]`,
		"S-36 160,000 objects": `["a",` + strings.Repeat(`{"":`, 160_000) + `0` + strings.Repeat(`}`, 160_000) + `]`,
		"1,025 arguments":      `["a"` + strings.Repeat(",1", 1025) + `]`,
		"P-07 NUL":             "[\"a\",\"\x00\"]",
		"P-07 NUL in name":     "[\"a\x00\"]",
		"P-07 1e":              "[\"a\",\"\x1e\"]",
		"P-07 truncated":       `["a`,
		"P-07 truncated utf8":  "[\"a\",\"\xe2\x82",
		"no comma":             `["a" 1]`,
		"comma only":           `["a",]`,
		"double comma":         `["a",,1]`,
		"object, no value":     `["a",{"b"}]`,
		"object, comma":        `["a",{"b":1,}]`,
		"object, bare key":     `["a",{b:1}]`,
		"wrong bracket":        `["a",[1}]`,
		"wrong bracket 2":      `["a",{"b":1]]`,
		"leading zero":         `["a",01]`,
		"plus":                 `["a",+1]`,
		"bare point":           `["a",1.]`,
		"bare exponent":        `["a",1e]`,
		"NaN":                  `["a",NaN]`,
		"literal":              `["a",tru]`,
		"bad escape":           `["a","\x"]`,
		"short escape":         `["a","\u12"]`,
		"open escape":          `["a","\`,
	} {
		t.Run(name, func(t *testing.T) {
			got, args, err := sio.ParseEvent([]byte(data), sio.Limits{})
			if err == nil || got != "" || args != nil || !strings.HasPrefix(err.Error(), "sio: ") {
				t.Errorf("ParseEvent = %q, %v, %v", got, args, err)
			}
		})
	}
}

func TestParseArgs(t *testing.T) {
	for data, want := range map[string][]json.RawMessage{
		``: nil, `[]`: nil, `[ ]`: nil, `["x",{"a":1}]`: raws(`"x"`, `{"a":1}`), ` [1]`: nil, `["connect"]`: raws(`"connect"`),
	} {
		args, err := sio.ParseArgs([]byte(data), sio.Limits{})
		if d := cmp.Diff(want, args); d != "" || (err != nil) != strings.HasPrefix(data, " ") {
			t.Errorf("ParseArgs(%q): %v\n%s", data, err, d)
		}
	}
	for _, data := range []string{`{"a":1}`, `null`, `[`, `[,]`, `[1]2`, `[` + nested(10_000) + `]`, `[1,2,3]`} {
		if args, err := sio.ParseArgs([]byte(data), sio.Limits{Args: 2}); err == nil || args != nil {
			t.Errorf("S-29 ParseArgs(%.20q) = %.20v, %v", data, args, err)
		}
	}
}

func TestDecodeAllocations(t *testing.T) {
	msg := []byte(`2/chat,17["say",{"room":"lobby","text":"hello there, how are you?","n":42},"x",7]`)
	var d sio.Decoder
	n := testing.AllocsPerRun(100, func() {
		p, _, err := d.Text(msg)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := sio.ParseEvent(p.Data, sio.Limits{}); err != nil {
			t.Fatal(err)
		}
	})
	// The namespace, the name and the slice of arguments.
	if n > 3 {
		t.Errorf("G-07: a text event costs %v allocations to decode, want at most 3", n)
	}
}
