package eio_test

import (
	"bytes"
	"iter"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/siokit/siokit/wire/eio"
)

// FuzzPayload3 reads both payloads of revision 3. What was delivered makes a payload that delivers the
// same, and never more bytes than came.
func FuzzPayload3(f *testing.F) {
	for _, s := range []string{
		"", "0:", "2:401:3", `15:42["uni","é😀"]`, "6:b4BQ==", "2:4😀", "1:20:1:6", "3:4a", "99999999999:4", ":", "4hello", "2:b2", "b4:x",
		"\x00\x02\xff4a", "\x00\x05\x00\xff4", "\x01\x04\xff\x04\x01\x02\x03", "\x00\x06\xffb4BQ==", "\x02\x01\xff4", "\x01\x01\xff\x02", "\x00\xff", "\x00\x03\xff4\xff\xfe",
	} {
		f.Add([]byte(s), false)
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, in []byte, binary bool) {
		if !binary && !utf8.Valid(in) {
			return // the transport sees to that
		}
		packets, appendTo := eio.Packets3, eio.AppendPayload3
		if binary {
			packets, appendTo = eio.BinaryPackets3, eio.AppendBinaryPayload3
		}
		before := bytes.Clone(in)
		wire, size, _ := rebuild(t, packets(in), appendTo)
		if !bytes.Equal(in, before) {
			t.Fatal("decoding wrote into its input")
		}
		if size > len(in) {
			t.Fatalf("%d bytes of data from a body of %d", size, len(in))
		}
		if len(wire) == 0 {
			return
		}
		again, _, err := rebuild(t, packets(wire), appendTo)
		if err != nil || !bytes.Equal(wire, again) {
			t.Fatalf("%q came back as %q (%v)", wire, again, err)
		}
	})
}

func rebuild(t *testing.T, packets iter.Seq2[eio.Packet, error], appendTo func([]byte, eio.Packet) []byte) (wire []byte, size int, failed error) {
	for p, err := range packets {
		if failed != nil {
			t.Fatal("a packet after an error")
		}
		if failed = err; err != nil {
			continue
		}
		if p.Binary && p.Type != eio.Message {
			t.Fatalf("a binary %v", p.Type)
		}
		wire = appendTo(wire, p)
		size += len(p.Data)
	}
	return wire, size, failed
}

// FuzzJSONP sends a payload through a form as the browser client does, and reads any form.
func FuzzJSONP(f *testing.F) {
	for _, s := range []string{"", "2:40", "d=2%3A40", `a\nb`, `a\\nb`, "a\nb", `\\\n`, "d=%", "d=1&d=2", "é😀\u2028"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		_, _ = eio.DecodeJSONP([]byte(in))
		if !utf8.ValidString(in) {
			return
		}
		// engine.io-client 3, polling-jsonp.js: data.replace(/\\n/g, '\\\n'), then replace(/\n/g, '\\n').
		sent := strings.ReplaceAll(strings.ReplaceAll(in, `\n`, "\\\n"), "\n", `\n`)
		got, err := eio.DecodeJSONP([]byte("d=" + url.QueryEscape(sent)))
		// A backslash right before a line end is what the client itself cannot tell from an escaped \n;
		// JSON holds no raw line end.
		if err != nil || string(got) != in && !strings.Contains(in, "\\\n") {
			t.Fatalf("%q became %q (%v)", in, got, err)
		}
	})
}
