package msgpack_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/siokit/siokit/wire/msgpack"
)

// Whatever a peer sends, what is taken encodes again, and to the same when it comes back.
func FuzzMsgpack(f *testing.F) {
	for _, wire := range []string{
		"83a47479706500a464617461d40000a36e7370a12f", "83a47479706500a46461746181a5746f6b656ea174a36e7370a52f63686174", "82a47479706501a36e7370a12f",
		"85a47479706502a46461746194a161d4000082a175d40000a164d7000000018bcfe5687bd700ffffffffffffffffa76f7074696f6e7381a8636f6d7072657373c3a2696403a36e7370a12f",
		"84a47479706502a46461746193a162c4020102c702000908a76f7074696f6e7381a8636f6d7072657373c3a36e7370a12f",
		"83a47479706502a4646174619aa16ecb3ff8000000000000ffcf001fffffffffffffd3ffe0000000000001cf0000000000000000cb7ff800000000000000ccffce00010000a36e7370a12f",
		"83a47479706502a36e7370a12fa464617461ddffffffff", "84a2696403a47479706503a46461746192a26f6bc40101a36e7370a12f",
		"83a47479706502a36e7370a12fa46461746193a16182ac5f706c616365686f6c646572c3a36e756d00c40101", "83a47479706502a36e7370a12fa46461746192a165c70cff00000001ffffffffffffffff",
		"83a47479706502a36e7370a12fa46461746192a165820102d0ff03",
	} {
		f.Add(unhex(f, wire))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		before := bytes.Clone(in)
		p, err := decode(in)
		if !bytes.Equal(in, before) {
			t.Fatal("Binary wrote into its input")
		}
		if err != nil {
			return
		}
		if p.Data != nil && !json.Valid(p.Data) {
			t.Fatalf("no JSON: %q", p.Data)
		}
		if len(p.Data) > 8*len(in)+64*len(p.Attachments)+64 {
			t.Fatalf("%d bytes became %d", len(in), len(p.Data))
		}
		if _, err := p.Placeholders(); err != nil {
			t.Fatal(err)
		}
		frame, err := (msgpack.Parser{}).Encode(nil, p)
		if err != nil {
			t.Fatalf("%q: %v", p.Data, err)
		}
		again, err := decode(frame.Data)
		if diff := cmp.Diff(p, again, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Fatalf("%v\n%s", err, diff)
		}
	})
}
