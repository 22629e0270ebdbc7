package msgpack_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/siokit/siokit/wire/msgpack"
	"github.com/siokit/siokit/wire/sio"
)

func TestValues(t *testing.T) {
	for wire, want := range map[string]msgpack.Value{
		"c0": {JSON: []byte(`null`)}, "05": {JSON: []byte(`5`)}, "d40000": {},
		"92a16181a162c4020102": {JSON: []byte(`["a",{"b":{"_placeholder":true,"num":0}}]`), Attachments: [][]byte{{1, 2}}},
		"92c4010181ac5f706c616365686f6c646572c3": {
			JSON: []byte(`[{"_placeholder2":true,"num":0},{"_placeholder":true}]`), Attachments: [][]byte{{1}}, Marker: "_placeholder2",
		},
	} {
		got, rest, err := msgpack.Parser{}.ReadValue(append(unhex(t, wire), "rest"...), nil)
		if diff := cmp.Diff(want, got); diff != "" || err != nil || string(rest) != "rest" {
			t.Errorf("%s: %q, %v\n%s", wire, rest, err, diff)
		}
		if want.JSON == nil {
			continue
		}
		out, err := msgpack.AppendValue([]byte{0xff}, want)
		if err != nil || hex.EncodeToString(out) != "ff"+wire {
			t.Errorf("%s was written as %x: %v", want.JSON, out, err)
		}
	}
}

func TestValuesThatAreNone(t *testing.T) {
	for _, wire := range []string{"", "c1", "92c0", "ddffffffff", "c70502"} {
		in := unhex(t, wire)
		if _, rest, err := (msgpack.Parser{}).ReadValue(in, nil); err == nil || !strings.HasPrefix(err.Error(), "msgpack: ") || len(rest) != len(in) {
			t.Errorf("%s: %v", wire, err)
		}
	}
	if _, _, err := (msgpack.Parser{Binaries: 1}).ReadValue(unhex(t, "92c400c400"), nil); err == nil {
		t.Error("too many binary values")
	}
	if _, _, err := (msgpack.Parser{}).ReadValue(unhex(t, "9191c0"), &sio.Limits{Depth: 1}); err == nil {
		t.Error("too deep")
	}
	if out, err := msgpack.AppendValue([]byte("x"), msgpack.Value{JSON: []byte(`{`)}); err == nil || string(out) != "x" {
		t.Errorf("%q, %v", out, err)
	}
}
