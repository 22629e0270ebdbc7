package core_test

import (
	"errors"
	"maps"
	"net/netip"
	"strings"
	"testing"

	"github.com/siokit/siokit/core"
)

func TestPatterns(t *testing.T) {
	type params map[string]string
	for _, row := range []struct {
		pattern, name string
		want          params // nil: no match
	}{
		{"/org/{id}", "/org/7", params{"id": "7"}},
		{"org/{id}", "/org/7", params{"id": "7"}},
		{"/org/{id}", "/org/ünï🦉", params{"id": "ünï🦉"}},
		{"/org/{id}", "/org/a b", params{"id": "a b"}},
		{"/org/{id}/chat", "/org/7/chat", params{"id": "7"}},
		{"/{a}/{b}", "/x/y", params{"a": "x", "b": "y"}},
		{"/files/{path...}", "/files/a/b/c", params{"path": "a/b/c"}},
		{"/files/{path...}", "/files/a", params{"path": "a"}},
		{"/*", "/any/thing", params{"*": "any/thing"}},
		{"/x/*", "/x/y", params{"*": "y"}},
		{"/org/{id}", "/org", nil},
		{"/org/{id}", "/org/", nil},
		{"/org/{id}", "/org/7/", nil},
		{"/org/{id}", "/org/7/chat", nil},
		{"/org/{id}", "/Org/7", nil},
		{"/org/{id}", "//org/7", nil},
		{"/org/{id}", "/org/7?x=1", nil},
		{"/org/{id}", "/org/7#x", nil},
		{"/org/{id}", "/org/%37", nil},
		{"/org/{id}", "/org/..", nil},
		{"/org/{id}", "/org/.", nil},
		{"/org/{id}", "/org/7\x00", nil},
		{"/org/{id}", "/org/7\n", nil},
		{"/org/{id}", "/org/7\u200b", nil}, // zero width
		{"/org/{id}", "/org/\ufffd", nil},
		{"/org/{id}", "/org/\xff", nil},
		{"/org/{id}", "/org/{id}", nil}, // the parent's own name
		{"/org/{id}/chat", "/org/7/admin", nil},
		{"/files/{path...}", "/files", nil},
		{"/files/{path...}", "/files/", nil},
		{"/files/{path...}", "/files/a//b", nil},
		{"/files/{path...}", "/files/../secret", nil},
		{"/*", "/", nil},
	} {
		got, ok, err := core.MatchPattern(row.pattern, row.name)
		if err != nil || ok != (row.want != nil) || !maps.Equal(got, map[string]string(row.want)) {
			t.Errorf("%q on %q: %v %t %v, want %v", row.pattern, row.name, got, ok, err, row.want)
		}
	}
	for text, want := range map[string]string{
		"/org/7":       "no parameter",
		"/":            "neither",
		"/{}":          "neither",
		"/{a":          "neither",
		"/a}":          "neither",
		"/x{a}":        "neither",
		"/{a}/{a}":     "two parameters",
		"/{a...}/b":    "last segment",
		"/*/b":         "last segment",
		"/{a}//b":      "neither",
		"/{a},b":       "neither",
		"/{a..}":       "neither",
		"/{a}/b{c}d/e": "neither",
	} {
		if _, _, err := core.MatchPattern(text, "/x"); err == nil || !strings.HasPrefix(err.Error(), "core: namespace pattern ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error with %q", text, err, want)
		}
	}
}

// values is what holds parameters, here without a namespace.
type values map[string]string

func (v values) Param(name string) string { return v[name] }

func TestParam(t *testing.T) {
	of := func(raw string) values { return values{"id": raw} }
	type id int8
	n, err := core.Param[id](of("-7"), "id")
	wantParam(t, n, err, id(-7), true)
	for _, raw := range []string{"", "07", "+7", " 7", "7 ", "0x7", "7.0", "1_0", "128", "-129", "seven", "-0"} {
		n, err := core.Param[id](of(raw), "id")
		wantParam(t, n, err, id(0), false)
	}
	u, err := core.Param[uint](of("7"), "id")
	wantParam(t, u, err, uint(7), true)
	u, err = core.Param[uint](of("-7"), "id")
	wantParam(t, u, err, uint(0), false)
	s, err := core.Param[string](of("x"), "id")
	wantParam(t, s, err, "x", true)
	s, err = core.Param[string](of("x"), "other")
	wantParam(t, s, err, "", false)
	b, err := core.Param[bool](of("true"), "id")
	wantParam(t, b, err, true, true)
	b, err = core.Param[bool](of("T"), "id")
	wantParam(t, b, err, false, false)
	f, err := core.Param[float64](of("1.5"), "id")
	wantParam(t, f, err, 1.5, true)
	f, err = core.Param[float64](of("1.50"), "id")
	wantParam(t, f, err, 0, false)
	a, err := core.Param[netip.Addr](of("::1"), "id")
	wantParam(t, a, err, netip.MustParseAddr("::1"), true)
	a, err = core.Param[netip.Addr](of("0:0::1"), "id") // the same address, but another name
	wantParam(t, a, err, netip.Addr{}, false)
	_, err = core.Param[chan int](of("x"), "id")
	wantParam(t, struct{}{}, err, struct{}{}, false)
}

func wantParam[T comparable](t *testing.T, got T, err error, want T, ok bool) {
	t.Helper()
	if got != want || (err == nil) != ok {
		t.Errorf("Param: %v %v, want %v (ok: %t)", got, err, want, ok)
	}
	var refusal *core.ConnectError
	if err != nil && (!errors.As(err, &refusal) || refusal.Message != "Invalid namespace") {
		t.Errorf("the error does not refuse with Invalid namespace: %v", err)
	}
}
