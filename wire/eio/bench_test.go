package eio_test

import (
	"strings"
	"testing"

	"github.com/siokit/siokit/wire/eio"
)

func BenchmarkDecodeText(b *testing.B) {
	in := []byte("4" + strings.Repeat("x", 100))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := eio.Decode(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeBase64(b *testing.B) {
	in := eio.Append(nil, eio.Packet{Type: eio.Message, Binary: true, Data: make([]byte, 10_000)})
	b.SetBytes(10_000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := eio.Decode(in); err != nil {
			b.Fatal(err)
		}
	}
}

// The bar (P-28) is 300 ms for this body; reading it must be a small part of that.
func BenchmarkPacketsNoop500k(b *testing.B) {
	body := []byte(strings.Repeat("6\x1e", 499_999) + "6")
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range eio.Packets(body) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}
