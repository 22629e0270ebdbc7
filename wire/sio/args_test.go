package sio_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/siokit/siokit/wire/sio"
)

type blob []byte

type document struct {
	Name  string `json:"name"`
	Body  []byte `json:"body"`
	Blob  blob   `json:"blob,omitempty"`
	Meta  any    `json:"meta"`
	Count int    `json:"count,omitempty"`
}

// decodeAs decodes raw as a T with and without the machinery for attachments.
func decodeAs[T any](t *testing.T, raw string, attachments ...[]byte) (T, error) {
	t.Helper()
	var v T
	err := sio.Args{Raw: raws(raw), Attachments: attachments}.Decode(0, &v)
	return v, err
}

func want[T any](t *testing.T, what string, got T, err error, want T) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%s: %v\n%s", what, err, d)
	}
}

func TestDecodeAsEncodingJSON(t *testing.T) {
	for _, raw := range []string{
		`{"NAME":"a","Body":"AQID","blob":"BA==","meta":{"a":[1,"x",null,true,{"b":1.5}]},"count":3,"other":1}`,
		`{"name":null,"body":null,"meta":null}`, `{"name":"\ud800\u00e9","name":"b"}`, `{}`, `null`, "{\"name\":\"\xff\"}",
	} {
		var std document
		if err := json.Unmarshal([]byte(raw), &std); err != nil {
			t.Fatal(err)
		}
		got, err := decodeAs[document](t, raw)
		want(t, "without attachments "+raw, got, err, std)
		got, err = decodeAs[document](t, raw, []byte("x"))
		want(t, "with attachments "+raw, got, err, std)
	}
	for _, raw := range []string{`{"name":1}`, `[]`, `{"count":1.5}`, `{"count":1e400}`, `{"meta":1e400}`, `{"body":"!"}`, `{"body":{}}`} {
		if v, err := decodeAs[document](t, raw); err == nil || !strings.HasPrefix(err.Error(), "sio: argument 1: ") {
			t.Errorf("%s: %+v, %v", raw, v, err)
		}
	}
	when, err := decodeAs[time.Time](t, `"2026-01-02T03:04:05Z"`)
	want(t, "TextUnmarshaler", when, err, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	array, err := decodeAs[[2]int](t, `[1,2,3]`)
	want(t, "array", array, err, [2]int{1, 2})
	raw, err := decodeAs[json.RawMessage](t, `{"a": 1}`)
	want(t, "raw", raw, err, json.RawMessage(`{"a": 1}`))
	list, err := decodeAs[[]json.RawMessage](t, `[1,{"_placeholder":true,"num":9}]`, []byte("x"))
	want(t, "raw list", list, err, raws("1", `{"_placeholder":true,"num":9}`))
	num, err := decodeAs[json.Number](t, `12345678901234567890`)
	want(t, "number", num, err, "12345678901234567890")
	nums, err := decodeAs[map[json.Number]json.Number](t, `{"a":"1","b":null}`)
	want(t, "number in a string", nums, err, map[json.Number]json.Number{"a": "1", "b": ""})
	if n, err := decodeAs[json.Number](t, `"x"`); err == nil {
		t.Errorf("a string that is no number: %q", n)
	}
}

func TestIntegersKeepTheirDigits(t *testing.T) {
	for raw, exact := range map[string]any{
		`1`: 1.0, `-0`: math.Copysign(0, -1), `9007199254740992`: 9007199254740992.0, `9007199254740993`: json.Number("9007199254740993"),
		`-9007199254740993`: json.Number("-9007199254740993"), `1152921504606846976`: json.Number("1152921504606846976"), `10000000000000000000000`: 1e22, `9007199254740993.0`: 9007199254740992.0,
		strings.Repeat("9", 400): json.Number(strings.Repeat("9", 400)), `123456789012345`: 123456789012345.0,
	} {
		got, err := decodeAs[any](t, raw)
		want(t, raw, got, err, exact)
		deep, err := decodeAs[map[string][]any](t, `{"a":[`+raw+`]}`, []byte("x"))
		want(t, raw+" deep", deep, err, map[string][]any{"a": {exact}})
	}
	if v, err := decodeAs[any](t, "1e400"); err == nil {
		t.Errorf("S-37: %v", v)
	}
}

func TestDecodeAttachments(t *testing.T) {
	const p0, p1 = `{"_placeholder":true,"num":0}`, `{"num":1,"_placeholder":true}`
	zero, one := []byte("zero"), []byte{}
	b, err := decodeAs[[]byte](t, p0, zero, one)
	want(t, "whole", b, err, zero)
	n, err := decodeAs[blob](t, p1, zero, one)
	want(t, "named", n, err, blob{})
	v, err := decodeAs[any](t, `[`+p0+`,{"a":`+p1+`},{"_placeholder":"true","num":5}]`, zero, one)
	want(t, "any", v, err, any([]any{zero, map[string]any{"a": one}, map[string]any{"_placeholder": "true", "num": 5.0}}))
	d, err := decodeAs[document](t, `{"name":"n","body":`+p0+`,"blob":`+p1+`,"meta":`+p0+`}`, zero, one)
	want(t, "struct", d, err, document{Name: "n", Body: zero, Blob: blob{}, Meta: zero})
	m, err := decodeAs[map[string]*blob](t, `{"a":`+p0+`}`, zero, one)
	want(t, "pointer to named", m, err, map[string]*blob{"a": (*blob)(&zero)})
	s, err := decodeAs[any](t, p0)
	want(t, "S-34 without attachments", s, err, any(map[string]any{"_placeholder": true, "num": 0.0}))
	e, err := decodeAs[any](t, `{"\u005fplaceholder":true,"num":1,"num":0}`, zero, one)
	want(t, "escaped, last num wins", e, err, any(zero))

	for _, num := range []string{`"splice"`, `"0"`, `-1`, `2`, `1e9`, `0.5`, `null`, `true`, `[0]`, `9007199254740993`} {
		raw := `{"_placeholder":true,"num":` + num + `}`
		if v, err := decodeAs[any](t, raw, zero, one); err == nil {
			t.Errorf("V-11 any %s: %v", num, v)
		}
		if v, err := decodeAs[[]byte](t, raw, zero, one); err == nil {
			t.Errorf("V-11 []byte %s: %v", num, v)
		}
		if v, err := decodeAs[blob](t, raw, zero, one); err == nil {
			t.Errorf("V-11 blob %s: %v", num, v)
		}
	}
	if v, err := decodeAs[[]byte](t, `{"num":0}`, zero); err == nil {
		t.Errorf("an object as bytes: %q", v)
	}
}

func TestDecodeTargets(t *testing.T) {
	a := sio.Args{Raw: raws(`1`, `"x"`)}
	if a.Len() != 2 {
		t.Error(a.Len())
	}
	var i int
	var nilPointer *int
	for what, err := range map[string]error{
		"nil": a.Decode(0, nil), "nil pointer": a.Decode(0, nilPointer), "not a pointer": a.Decode(0, i),
		"missing": a.Decode(2, &i), "negative": a.Decode(-1, &i), "type": a.Decode(1, &i), "nil raw": a.Decode(0, (*json.RawMessage)(nil)),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), "sio: argument ") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := a.Decode(1, &i); !strings.Contains(err.Error(), "argument 2") {
		t.Error(err)
	}
	var held any = &i
	if err := a.Decode(0, &held); err != nil || i != 1 {
		t.Errorf("an interface that holds a pointer: %v, %d", err, i)
	}
	deep := sio.Args{Raw: raws(nested(9_999))}
	var v any
	if err := deep.Decode(0, &v); err != nil {
		t.Errorf("S-36: %v", err)
	}
}

func TestDecodeExact(t *testing.T) {
	type auth struct {
		Admin bool   `json:"admin"`
		Token string `json:"token"`
		Big   any    `json:"big"`
	}
	for raw, exact := range map[string]auth{
		`{"admin":false,"ADMIN":true}`:             {},
		`{"Admin":true,"Token":"x"}`:               {},
		`{"token":"a","token":"b"}`:                {Token: "b"}, // S-04
		`{"__proto__":{"admin":true}}`:             {},
		`{"admin":true,"big":9007199254740993}`:    {Admin: true, Big: json.Number("9007199254740993")},
		``:                                         {},
		`{"token":"a","big":{"a":1,"A":2,"a":3}}`:  {Token: "a", Big: map[string]any{"a": 3.0, "A": 2.0}},
		`{"big":{"_placeholder":true,"num":"0"}} `: {Big: map[string]any{"_placeholder": true, "num": "0"}},
	} {
		var got auth
		err := sio.DecodeExact([]byte(raw), &got)
		want(t, raw, got, err, exact)
	}
	var a auth
	if err := sio.DecodeExact([]byte(`{"token":1}`), &a); err == nil || !strings.HasPrefix(err.Error(), "sio: ") {
		t.Error(err)
	}
	if err := sio.DecodeExact([]byte(`{} {}`), &a); err == nil {
		t.Error("two values accepted")
	}
}
