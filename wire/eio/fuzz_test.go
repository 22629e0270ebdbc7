package eio_test

import (
	"bytes"
	"encoding/base64"
	"testing"

	"github.com/siokit/siokit/wire/eio"
)

var seeds = []string{
	"", "0{}", "1", "2", "2probe", "3", "4", "4hello", "5", "6", "7", "abc", "b", "bAQID", "bAQIDBA==", "b-_-_", "b!!!!", "bAA\n==",
	"4a\x1e4b", "\x1e", "4a\x1e", "\x1e4a", "4a\x1e\x1e4b", "bAQ==\x1e4€\x1e6", "10:42[\"echo\"]", "4\xff\xfe\xc0\x80",
}

func FuzzDecode(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		before := bytes.Clone(in)
		p, err := eio.Decode(in)
		if !bytes.Equal(in, before) {
			t.Fatal("Decode wrote into its input")
		}
		if err != nil {
			if p.Data != nil || p.Binary || p.Type != 0 {
				t.Fatalf("error and value: %v, %v", p, err)
			}
			return
		}
		if p.Binary && p.Type != eio.Message {
			t.Fatalf("a binary %v", p.Type)
		}
		wire := eio.Append(nil, p)
		if !p.Binary && !bytes.Equal(wire, in) {
			t.Fatalf("%q came back as %q", in, wire)
		}
		again, err := eio.Decode(wire)
		if err != nil || again.Type != p.Type || again.Binary != p.Binary || !bytes.Equal(again.Data, p.Data) {
			t.Fatalf("%q, in canonical form %q, decodes as %v, %v", in, wire, again, err)
		}
		if p.Binary && len(p.Data) > base64.RawStdEncoding.DecodedLen(len(in)) {
			t.Fatalf("%d bytes became %d", len(in), len(p.Data))
		}
	})
}

func FuzzPayload(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var n, size int
		var failed error
		var wire []byte
		for p, err := range eio.Packets(in) {
			if failed != nil {
				t.Fatal("a packet after an error")
			}
			if failed = err; err != nil {
				continue
			}
			if n++; n > 1 {
				wire = append(wire, eio.Separator)
			}
			wire = eio.Append(wire, p)
			size += len(p.Data)
		}
		if separators := bytes.Count(in, []byte{eio.Separator}); n > separators+1 || failed == nil && n != separators+1 {
			t.Fatalf("%d packets from %d separators (%v)", n, separators, failed)
		}
		if size > len(in) {
			t.Fatalf("%d bytes of data from a body of %d", size, len(in))
		}
		if n == 0 {
			return
		}
		// What was delivered makes a body that delivers the same.
		var again []byte
		for p, err := range eio.Packets(wire) {
			if err != nil {
				t.Fatalf("re-encoded %q: %v", wire, err)
			}
			if again != nil {
				again = append(again, eio.Separator)
			}
			again = eio.Append(again, p)
		}
		if !bytes.Equal(wire, again) {
			t.Fatalf("%q came back as %q", wire, again)
		}
	})
}
