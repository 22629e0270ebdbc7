package sio_test

import (
	"strings"
	"testing"

	"github.com/siokit/siokit/wire/sio"
)

// The captured packets of wire.md, 6.3, without the engine's type digit.
func TestAppendError4(t *testing.T) {
	for want, c := range map[string]struct {
		ns, message string
		data        any
	}{
		`4/deny,"nope"`:    {"/deny", "nope", nil},
		`4/deny,{"why":1}`: {"/deny", "nope", map[string]int{"why": 1}},
		`4/nonexist,{"message":"Invalid namespace"}`: {"/nonexist", "x", map[string]string{"message": "Invalid namespace"}},
		`4"please <log> in"`:                         {"/", "please <log> in", nil},
	} {
		got, err := sio.AppendError4([]byte("x"), c.ns, c.message, c.data)
		if err != nil || string(got) != "x"+want {
			t.Errorf("got %s, %v; want x%s", got, err, want)
		}
	}
	for _, data := range []any{make(chan int), []byte("binary")} {
		got, err := sio.AppendError4([]byte("x"), "/", "m", data)
		if err == nil || string(got) != "x" || !strings.HasPrefix(err.Error(), "sio: ") {
			t.Errorf("%T: %q, %v", data, got, err)
		}
	}
	if got, err := sio.AppendError4(nil, "/a,b", "m", nil); err == nil || len(got) != 0 {
		t.Errorf("a comma: %q, %v", got, err)
	}
}
