package sio_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/siokit/siokit/wire/sio"
)

// reversed is a parser that does not write texts as they are.
type reversed struct{ lines }

func (r reversed) Encode(dst []byte, p sio.Packet) (sio.Frame, error) {
	f, err := r.lines.Encode(nil, p)
	slices.Reverse(f.Data)
	f.Data = append(dst, f.Data...)
	return f, err
}

func TestFrameWithOffset(t *testing.T) {
	const dashes = "----------"
	args := []any{dashes, []byte("b"), map[string]any{"_placeholder": true, "num": 0}}
	for name, e := range map[string]sio.Encoder{"text": {}, "parser": {Parser: lines{}}, "codec": {JSON: shouting{}}} {
		args := args
		if e.JSON != nil {
			args = args[:2] // it shouts true too
		}
		ev, err := e.Encode("e", args)
		if err != nil {
			t.Fatal(err)
		}
		f, at, err := e.FrameWithOffset([]byte("head|"), "/", ev, dashes)
		if err != nil {
			t.Fatal(err)
		}
		copy(f.Data[at:], "abc0000001")
		got := string(f.Data)
		if !strings.HasSuffix(got, `,"abc0000001"]`) || strings.Count(got, dashes) != 1 || !strings.HasPrefix(got, "head|") || len(f.Attachments) != 1 {
			t.Errorf("%s: %s", name, got)
		}
		if _, err := e.Encode("e", []any{make(chan int)}); err == nil || !strings.HasPrefix(err.Error(), `sio: argument 1 of event "e": `) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := e.Encode("connect", nil); err == nil {
			t.Errorf("%s: a reserved name", name)
		}
	}
	e := sio.Encoder{Parser: reversed{}}
	ev, err := e.Encode("e", nil)
	if err != nil {
		t.Fatal(err)
	}
	if f, _, err := e.FrameWithOffset(nil, "/", ev, "0123456789"); err == nil || !strings.Contains(err.Error(), "recovery") {
		t.Errorf("%s, %v", f.Data, err)
	}
}
