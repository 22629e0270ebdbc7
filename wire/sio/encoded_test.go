package sio_test

import (
	"slices"
	"testing"

	"github.com/siokit/siokit/wire/sio"
)

// An event that is encoded once is the same packet as one that is encoded for its namespace and id, also
// when its arguments have been to another process.
func TestEncodedEvent(t *testing.T) {
	var e sio.Encoder
	for _, ns := range []string{"/", "/a", "/1-2[3]"} {
		for _, args := range [][]any{nil, {1, "-,/["}, {[]byte{1}, []byte{2}}, {nil}} {
			for _, id := range []int64{-1, 0, 7, sio.MaxID} {
				const name = `e-,/["]`
				want, err := e.Event([]byte("head"), ns, id, name, args)
				if err != nil {
					t.Fatal(err)
				}
				ev, err := e.Encode(name, args)
				if err != nil {
					t.Fatal(err)
				}
				raw, ok := ev.Args()
				if n, err := sio.CheckArgs(raw, len(ev.Attachments), sio.Limits{}); !ok || err != nil || n != len(args) {
					t.Fatalf("%s: %d arguments, %v", raw, n, err)
				}
				far, err := sio.EncodedBefore(name, raw, ev.Attachments)
				if err != nil {
					t.Fatal(err)
				}
				for _, ev := range []sio.EncodedEvent{ev, far} {
					got, err := e.Frame([]byte("head"), ns, id, ev)
					if err != nil || string(got.Data) != string(want.Data) || !slices.EqualFunc(got.Attachments, want.Attachments, slices.Equal) {
						t.Errorf("%s, want %s (%v)", got.Data, want.Data, err)
					}
				}
			}
		}
	}
	if _, err := sio.EncodedBefore("disconnect", []byte("[]"), nil); err == nil {
		t.Error("a reserved name")
	}
}

func TestEncodedEventKeepsTheLimit(t *testing.T) {
	e := sio.Encoder{Attachments: 1}
	if _, err := e.Encode("e", []any{[]byte{1}, []byte{2}}); err == nil {
		t.Error("two attachments were encoded")
	}
	ev, err := sio.EncodedBefore("e", []byte(`[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`), [][]byte{{1}, {2}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Frame(nil, "/", -1, ev); err == nil {
		t.Error("two attachments from elsewhere were passed on")
	}
}
