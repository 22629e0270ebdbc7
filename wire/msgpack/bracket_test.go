package msgpack_test

import (
	"testing"

	"github.com/siokit/siokit/wire/msgpack"
)

// Broken JSON is an error, and nothing is appended.
func TestAppendValueOfBrokenJSON(t *testing.T) {
	for _, broken := range []string{"", "]", "}", "[}", "{]", "[", `{"a"}`, `{"a":]`, "[]]", "nul"} {
		for _, attachments := range [][][]byte{nil, {{1}}} {
			if out, err := msgpack.AppendValue([]byte("x"), msgpack.Value{JSON: []byte(broken), Attachments: attachments}); err == nil || string(out) != "x" {
				t.Errorf("%q: %q %v", broken, out, err)
			}
		}
	}
}
