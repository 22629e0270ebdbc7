package sio_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/siokit/siokit/wire/sio"
)

type loop struct{ Next *loop }

type shouter string

func (s shouter) MarshalText() ([]byte, error) { return []byte(strings.ToUpper(string(s))), nil }

type failing struct{}

func (failing) MarshalJSON() ([]byte, error) { return nil, fmt.Errorf("no luck") }

type garbage struct{}

func (garbage) MarshalJSON() ([]byte, error) { return []byte(`{"a":`), nil }

type holder struct {
	S fmt.Stringer
}

type named []byte

func (n named) String() string { return "named" }

func TestAppendEvent(t *testing.T) {
	one, two := []byte{1}, []byte{2}
	const p = `{"_placeholder":true,"num":%d}`
	p0, p1 := fmt.Sprintf(p, 0), fmt.Sprintf(p, 1)
	str := "s"
	for name, tt := range map[string]struct {
		ns    string
		id    int64
		event string
		args  []any
		wire  string
		parts [][]byte
	}{
		"golden":             {"/", -1, "foo", nil, `2["foo"]`, nil},
		"golden namespace":   {"/admin", -1, "bar", nil, `2/admin,["bar"]`, nil},
		"golden ack":         {"", 12, "foo", []any{}, `212["foo"]`, nil},
		"golden all":         {"/admin", 456, "project:delete", []any{123}, `2/admin,456["project:delete",123]`, nil},
		"golden binary":      {"/", -1, "baz", []any{[]byte{1}}, `51-["baz",` + p0 + `]`, [][]byte{one}},
		"golden two":         {"/admin", -1, "baz", []any{one, two}, `52-/admin,["baz",` + p0 + `,` + p1 + `]`, [][]byte{one, two}},
		"scalars":            {"", 0, "a", []any{nil, true, "x", 1, int64(-2), uint8(3), 1.5, float32(0.1), 1e21}, `20["a",null,true,"x",1,-2,3,1.5,0.1,1e+21]`, nil},
		"no HTML escaping":   {"", -1, "<b>&", []any{"<i>&", map[string]any{"<": "&"}, struct{ A string }{"<"}}, `2["<b>&","<i>&",{"<":"&"},{"A":"<"}]`, nil},
		"sorted":             {"", -1, "a", []any{map[string]any{"b": 1, "a": []any{nil, "x"}, "c": map[string]any(nil)}}, `2["a",{"a":[null,"x"],"b":1,"c":null}]`, nil},
		"struct":             {"", -1, "a", []any{document{Name: "n", Body: one, Meta: two}}, `52-["a",{"name":"n","body":` + p0 + `,"meta":` + p1 + `}]`, [][]byte{one, two}},
		"named bytes":        {"", -1, "a", []any{blob{1}, &document{Blob: blob{2}}}, `52-["a",` + p0 + `,{"name":"","body":null,"blob":` + p1 + `,"meta":null}]`, [][]byte{one, two}},
		"deep":               {"", -1, "a", []any{map[string]any{"x": []any{&one}}, [][]byte{two, nil}}, `52-["a",{"x":[` + p0 + `]},[` + p1 + `,null]]`, [][]byte{one, two}},
		"behind interface":   {"", -1, "a", []any{holder{named{1}}, map[string]fmt.Stringer{"k": named{2}}}, `52-["a",{"S":` + p0 + `},{"k":` + p1 + `}]`, [][]byte{one, two}},
		"named in any":       {"", -1, "a", []any{map[string]any{"k": blob{1}}}, `51-["a",{"k":` + p0 + `}]`, [][]byte{one}},
		"empty attachment":   {"", -1, "a", []any{[]byte{}}, `51-["a",` + p0 + `]`, [][]byte{{}}},
		"nil bytes":          {"", -1, "a", []any{[]byte(nil), blob(nil), (*document)(nil)}, `2["a",null,null,null]`, nil},
		"raw":                {"", -1, "a", []any{json.RawMessage(` {"b": [1, 2]} `), json.RawMessage(nil)}, `2["a",{"b":[1,2]},null]`, nil},
		"raw inside":         {"", -1, "a", []any{map[string]any{"r": json.RawMessage(`[9007199254740993]`)}}, `2["a",{"r":[9007199254740993]}]`, nil},
		"number":             {"", -1, "a", []any{json.Number("12345678901234567890"), struct{ N json.Number }{"1"}, json.Number("")}, `2["a",12345678901234567890,{"N":1},0]`, nil},
		"marshalers":         {"", -1, "a", []any{net.IPv4(1, 2, 3, 4), shouter("x"), time.Unix(0, 0).UTC(), map[shouter]int{"k": 1}}, `2["a","1.2.3.4","X","1970-01-01T00:00:00Z",{"k":1}]`, nil},
		"pointer":            {"", -1, "a", []any{&str, (*string)(nil)}, `2["a","s",null]`, nil},
		"byte array":         {"", -1, "a", []any{[2]byte{1, 2}}, `2["a",[1,2]]`, nil},
		"ten":                {"", 3, "a", []any{[][]byte{one, one, one, one, one, one, one, one, one, two}}, "", [][]byte{one, one, one, one, one, one, one, one, one, two}},
		"control characters": {"", -1, "a\x1e", []any{"\x1e\u2028"}, `2["a\u001e","\u001e` + "\u2028" + `"]`, nil},
		"P-06 invalid UTF-8": {"", -1, "a\xff", []any{"\xff", json.RawMessage("\"\xff\""), map[string]any{"\xff": json.RawMessage("\"\xff\"")}}, "2[\"a\uFFFD\",\"\uFFFD\",\"\uFFFD\",{\"\uFFFD\":\"\uFFFD\"}]", nil},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "ten" {
				ps := ""
				for i := range 10 {
					ps += fmt.Sprintf(","+p, i)
				}
				tt.wire = `510-3["a",[` + ps[1:] + `]]`
			}
			out, parts, err := sio.AppendEvent([]byte("head"), tt.ns, tt.id, tt.event, tt.args)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff("head"+tt.wire, string(out)); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(tt.parts, parts); d != "" {
				t.Error(d)
			}
			// What we write, we read.
			var dec sio.Decoder
			got, complete, err := dec.Text(out[4:])
			for _, part := range parts {
				if err == nil {
					got, complete, err = dec.Binary(part)
				}
			}
			if err != nil || !complete || got.HasID != (tt.id >= 0) {
				t.Fatalf("reading it back: %+v, %v, %v", got, complete, err)
			}
			if _, args, err := sio.ParseEvent(got.Data, sio.Limits{}); err != nil || len(args) != len(tt.args) {
				t.Errorf("parsing it back: %d arguments, %v", len(args), err)
			}
		})
	}
}

func TestAppendErrors(t *testing.T) {
	cycle := &loop{}
	cycle.Next = cycle
	ring := map[string]any{}
	ring["self"] = ring
	for name, bad := range map[string]any{
		"NaN":              math.NaN(),
		"infinity":         math.Inf(1),
		"NaN in struct":    struct{ F float64 }{math.NaN()},
		"NaN in map":       map[string]any{"a": []any{math.NaN()}},
		"channel":          make(chan int),
		"func in map":      map[string]any{"f": func() {}},
		"func in struct":   struct{ F any }{func() {}},
		"complex":          1i,
		"pointer cycle":    cycle,
		"map cycle":        ring,
		"MarshalJSON":      failing{},
		"bad MarshalJSON":  garbage{},
		"nested failing":   []any{failing{}},
		"bad RawMessage":   json.RawMessage(`{"a":`),
		"empty RawMessage": json.RawMessage{},
		"two RawMessage":   json.RawMessage(`1 2`),
		"raw in struct":    struct{ R json.RawMessage }{json.RawMessage(`}`)},
		"bad Number":       json.Number("1x"),
		"eleven":           make11(),
	} {
		t.Run(name, func(t *testing.T) {
			dst := []byte("head")
			out, parts, err := sio.AppendEvent(dst, "/", -1, "x", []any{"fine", bad})
			if err == nil || !strings.HasPrefix(err.Error(), `sio: argument 2 of event "x": `) {
				t.Errorf("error %v", err)
			}
			if strings.Contains(fmt.Sprint(err), "MarshalToFunc") || len(fmt.Sprint(err)) > 400 {
				t.Errorf("the error shows our insides: %.600v", err)
			}
			if string(out) != "head" || parts != nil {
				t.Errorf("a partial packet: %q, %d attachments", out, len(parts))
			}
			// The next packet must not notice.
			if out, _, err := sio.AppendEvent(nil, "/", -1, "x", []any{map[string]any{"a": 1}}); err != nil || string(out) != `2["x",{"a":1}]` {
				t.Errorf("afterwards: %q, %v", out, err)
			}
		})
	}
	for _, name := range []string{"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"} {
		if out, _, err := sio.AppendEvent([]byte("h"), "", -1, name, nil); err == nil || string(out) != "h" {
			t.Errorf("S-23 %s: %q, %v", name, out, err)
		}
	}
	for _, ns := range []string{"chat", "/a,b", "1"} {
		if out, _, err := sio.AppendEvent([]byte("h"), ns, -1, "x", nil); err == nil || string(out) != "h" {
			t.Errorf("namespace %q: %q, %v", ns, out, err)
		}
	}
	if _, _, err := sio.AppendEvent(nil, "", sio.MaxID+1, "x", nil); err == nil {
		t.Error("an id above 2^53-1")
	}
	if _, _, err := sio.AppendAck(nil, "", -1, nil); err == nil {
		t.Error("an ack without an id")
	}
	if out, _, err := sio.AppendAck([]byte("h"), "", 1, []any{math.NaN()}); err == nil || string(out) != "h" || !strings.HasPrefix(err.Error(), "sio: argument 1 of an ack") {
		t.Errorf("%q, %v", out, err)
	}
}

func make11() [][]byte {
	return bytes.SplitAfter([]byte("abcdefghijk"), nil)
}

func TestAppendOthers(t *testing.T) {
	check := func(wire string, got []byte, err error) {
		t.Helper()
		if string(got) != "h"+wire || err != nil {
			t.Errorf("got %q, %v; want %q", got, err, "h"+wire)
		}
	}
	h := []byte("h")
	ack, parts, err := sio.AppendAck(h, "/admin", 456, nil)
	if parts != nil {
		t.Errorf("attachments from nothing: %v", parts)
	}
	check(`3/admin,456[]`, ack, err)
	ack, parts, err = sio.AppendAck(h, "/admin", 456, []any{[]byte{9}, "x"})
	check(`61-/admin,456[{"_placeholder":true,"num":0},"x"]`, ack, err)
	if d := cmp.Diff([][]byte{{9}}, parts); d != "" {
		t.Error(d)
	}
	out, err := sio.AppendConnect(h, "/", nil)
	check(`0`, out, err)
	out, err = sio.AppendConnect(h, "/admin", map[string]string{"sid": "x"})
	check(`0/admin,{"sid":"x"}`, out, err)
	out, err = sio.AppendConnectError(h, "/", "Not <authorized>", nil)
	check(`4{"message":"Not <authorized>"}`, out, err)
	out, err = sio.AppendConnectError(h, "/deny", "nope", map[string]int{"code": 401})
	check(`4/deny,{"message":"nope","data":{"code":401}}`, out, err)
	check(`1`, sio.AppendDisconnect(h, "/"), nil)
	check(`1/admin,`, sio.AppendDisconnect(h, "/admin"), nil)
	for _, bad := range []any{1, "x", []int{}, []byte{1}, map[string]any{"a": []byte{1}}, func() {}, (*document)(nil)} {
		if out, err := sio.AppendConnect(h, "/", bad); err == nil || string(out) != "h" {
			t.Errorf("CONNECT with %T: %q, %v", bad, out, err)
		}
	}
	for _, bad := range []any{[]byte{1}, func() {}} {
		if out, err := sio.AppendConnectError(h, "/", "m", bad); err == nil || string(out) != "h" {
			t.Errorf("CONNECT_ERROR with %T: %q, %v", bad, out, err)
		}
	}
}

// Everything that has no bytes in it is encoded as encoding/json does, apart from HTML.
func TestEncodesAsEncodingJSON(t *testing.T) {
	type inner struct {
		A int `json:",string"`
		b int
	}
	type all struct {
		inner
		I8   int8              `json:"i8,omitempty"`
		U    uint64            `json:"u"`
		F32  float32           `json:"f32"`
		P    *int              `json:"p"`
		M    map[int]string    `json:"m"`
		N    map[string]any    `json:"n,omitempty"`
		S    []string          `json:"s"`
		Any  any               `json:"any"`
		T    time.Time         `json:"t"`
		D    time.Duration     `json:"d"`
		Skip string            `json:"-"`
		Omit map[string]string `json:",omitempty"`
		Z    time.Time         `json:"z,omitzero"`
		E    struct{}          `json:"e"`
	}
	n := 7
	for _, v := range []any{
		all{}, &all{inner: inner{A: 1, b: 2}, I8: -1, U: math.MaxUint64, F32: 3.4e38, P: &n, M: map[int]string{2: "b", 10: "a"}, Any: []any{1.0, 1e21, 1e-7, 5e-324, math.MaxFloat64, int32(4), "é😀\t\"\\"}},
		[]any{1.0, math.Copysign(0, -1), 100000000000000000000.0, 123456789.5, float32(16777216), nil, []int(nil), map[string]int{}},
		map[string]any{"": 1, "é": 2, "z": 3, "\ufffd": 4, "😀": 5, "｡": 6}, struct{ x int }{1}, [3]bool{true},
	} {
		want, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out, _, err := sio.AppendEvent(nil, "", -1, "", []any{v})
		if d := cmp.Diff(`2["",`+string(want)+`]`, string(out)); d != "" || err != nil {
			t.Errorf("%T: %v\n%s", v, err, d)
		}
	}
}

func TestEncodeInParallel(t *testing.T) {
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				body := []byte{byte(g), byte(i)}
				out, parts, err := sio.AppendEvent(nil, "", int64(i), "e", []any{map[string]any{"g": g, "b": body}})
				want := fmt.Sprintf(`51-%d["e",{"b":{"_placeholder":true,"num":0},"g":%d}]`, i, g)
				if err != nil || string(out) != want || len(parts) != 1 || !bytes.Equal(parts[0], body) {
					t.Errorf("%s, %v, %v", out, parts, err)
				}
			}
		})
	}
	wg.Wait()
}

type ugly struct{}

func (ugly) MarshalJSON() ([]byte, error) { return []byte("\"\xff\""), nil }

func TestEncodeMendsUTF8(t *testing.T) {
	deep := &loop{}
	for range 20_000 {
		deep = &loop{deep}
	}
	if out, _, err := sio.AppendEvent(nil, "", -1, "x", []any{deep}); err == nil || out != nil {
		t.Errorf("20,000 levels: %d bytes, %v", len(out), err)
	}
	for _, v := range []any{ugly{}, struct{ U ugly }{}, struct{ U any }{ugly{}}, json.RawMessage("\"\xff\""), struct{ R json.RawMessage }{json.RawMessage("\"\xff\"")}} {
		out, _, err := sio.AppendEvent(nil, "", -1, "x", []any{v})
		if err != nil || !utf8.Valid(out) || !strings.Contains(string(out), "\uFFFD") {
			t.Errorf("P-06 %T: %q, %v", v, out, err)
		}
	}
}

// The engine hands over long values in pieces.
func TestEncodeLarge(t *testing.T) {
	type row struct {
		ID   int    `json:"id"`
		Text string `json:"text"`
	}
	rows := make([]row, 5_000)
	for i := range rows {
		rows[i] = row{i, strings.Repeat("é\"", i%50)}
	}
	tree := map[string]any{"text": strings.Repeat("x", 100_000), "rows": []any{rows, 1.5, rows}}
	for _, v := range []any{rows, tree} {
		std, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 { // through used writers
			out, _, err := sio.AppendEvent(nil, "", -1, "big", []any{v, "end"})
			if err != nil || string(out) != `2["big",`+string(std)+`,"end"]` {
				t.Fatalf("%T: %d bytes for %d, %v", v, len(out), len(std), err)
			}
		}
	}
}

// A handler may emit from within MarshalJSON, and MarshalJSON may panic.
type reentrant struct{ panics bool }

func (r reentrant) MarshalJSON() ([]byte, error) {
	if r.panics {
		panic("in MarshalJSON")
	}
	out, _, err := sio.AppendEvent(nil, "", -1, "inner", []any{map[string]any{"b": []byte{7}}})
	if err != nil {
		return nil, err
	}
	return json.Marshal(string(out))
}

func TestEncodeReentrant(t *testing.T) {
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed; core wants to see it")
			}
		}()
		_, _, _ = sio.AppendEvent(nil, "", -1, "x", []any{map[string]any{"a": []any{[]byte{1}, reentrant{panics: true}}}})
	}()
	out, parts, err := sio.AppendEvent(nil, "", -1, "x", []any{map[string]any{"a": []byte{1}, "b": reentrant{}, "c": []byte{2}}})
	want := `52-["x",{"a":{"_placeholder":true,"num":0},"b":"51-[\"inner\",{\"b\":{\"_placeholder\":true,\"num\":0}}]","c":{"_placeholder":true,"num":1}}]`
	if string(out) != want || len(parts) != 2 || err != nil {
		t.Errorf("%s, %v, %v", out, parts, err)
	}
}

func TestEncodeAllocations(t *testing.T) {
	buf := make([]byte, 0, 512)
	args := []any{&sayValue, sayMap, "text", 1}
	n := testing.AllocsPerRun(200, func() {
		if _, _, err := sio.AppendEvent(buf, "/chat", 17, "say", args); err != nil {
			t.Fatal(err)
		}
	})
	if n > 1 && !raceEnabled {
		t.Errorf("an event of a struct, a map and scalars costs %v allocations to encode, want at most 1", n)
	}
}
