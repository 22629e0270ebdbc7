package msgpack_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/siokit/siokit/wire/msgpack"
	"github.com/siokit/siokit/wire/sio"
)

// What a server sends, a peer with the same parser reads: with all digits, at every length of the format.
func TestRoundTrip(t *testing.T) {
	list := func(n int) []int { return make([]int, n) }
	object := func(n int) map[string]int {
		m := map[string]int{}
		for i := range n {
			m[fmt.Sprintf("%06d", i)] = i
		}
		return m
	}
	values := []any{
		nil, true, false, 0, 1, 127, 128, 255, 256, 65535, 65536, -1, -32, -33, -128, -129, -32768, -32769, math.MinInt32, math.MaxUint32,
		int64(math.MinInt64), int64(math.MaxInt64), uint64(math.MaxUint64), 1<<53 + 1, 0.1, -2.5e-7, 1e21, math.MaxFloat64,
		"", "a", strings.Repeat("b", 31), strings.Repeat("c", 32), strings.Repeat("d", 256), strings.Repeat("e", 65536),
		"\x00\"\\\u2028 żółć 🗝", []int{}, list(15), list(16), list(65535), list(65536), map[string]int{}, object(15), object(16), object(65536),
		json.RawMessage(`[[[{"a":{"b":[]}}]],{"":null}]`),
	}
	e := sio.Encoder{Parser: msgpack.Parser{}}
	for _, v := range values {
		f, err := e.Event([]byte("dst"), "/ns", 1, "e", []any{v})
		if err != nil {
			t.Fatal(err)
		}
		p, err := decode(bytes.TrimPrefix(f.Data, []byte("dst")))
		if err != nil {
			t.Fatalf("%.60v: %v", v, err)
		}
		want, _ := json.Marshal([]any{"e", v})
		if s, ok := v.(string); ok && strings.Contains(s, "\u2028") {
			want = bytes.ReplaceAll(want, []byte("\\u2028"), []byte("\u2028"))
		}
		if !bytes.Equal(p.Data, want) || p.Namespace != "/ns" || p.ID != 1 {
			t.Fatalf("got %.100s\nwant %.100s", p.Data, want)
		}
	}
}

// An application's own object that looks like a placeholder stays what it is, beside real binary values too.
func TestObjectsLikePlaceholdersSurvive(t *testing.T) {
	like := map[string]any{"_placeholder": true, "num": float64(0)}
	deep := map[string]any{"_placeholder": true, "_placeholder2": "x", "num": "many", "in": []any{like}}
	for _, want := range [][]any{
		{like}, {like, []byte("b")}, {[]byte("b"), like}, {[]any{deep, []byte{}, []byte("b")}, deep}, {"_placeholder", []byte("b")},
		{json.RawMessage(`{"\u005fplaceholder":true,"num":0}`), []byte("b")},
	} {
		e := sio.Encoder{Parser: msgpack.Parser{}}
		f, err := e.Event(nil, "/", -1, "e", want)
		if err != nil {
			t.Fatal(err)
		}
		p, err := decode(f.Data)
		if err != nil {
			t.Fatal(err)
		}
		_, raw, err := sio.ParseEvent(p.Data, sio.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		args := p.Args(raw, nil)
		for i := range want {
			if _, ok := want[i].(json.RawMessage); ok {
				want[i] = like
			}
			var got any
			if err := args.Decode(i, &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want[i], got); diff != "" {
				t.Errorf("%s:\n%s", p.Data, diff)
			}
		}
	}
}

func TestWhatCannotBeEncoded(t *testing.T) {
	for name, p := range map[string]sio.Packet{
		"1e999": {Data: bin(`[1e999]`)}, "no JSON": {Data: bin(`[`)}, "two values": {Data: bin(`[] []`)}, "empty": {Data: bin(``)},
		"placeholder out of range": {Data: bin(`[{"_placeholder":true,"num":1}]`), Attachments: [][]byte{{1}}},
	} {
		p.Type, p.Namespace = sio.Event, "/"
		if f, err := (msgpack.Parser{}).Encode([]byte("x"), p); err == nil || string(f.Data) != "x" {
			t.Errorf("%s: %v, %q", name, err, f.Data)
		}
	}
}
