package eio_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/siokit/siokit/wire/eio"
)

func TestOpen(t *testing.T) {
	h := eio.Handshake{SID: "lv_VI97HAXpY6yYWAAAC", Upgrades: []string{"websocket"}, PingInterval: 25000, PingTimeout: 20000, MaxPayload: 1000000}
	wire := string(eio.AppendOpen([]byte("x"), h))
	want := `x0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`
	if wire != want {
		t.Errorf("got  %s\nwant %s", wire, want)
	}
	back, err := eio.DecodeOpen([]byte(wire[2:]))
	if err != nil || cmp.Diff(h, back) != "" {
		t.Errorf("round trip: %v\n%s", err, cmp.Diff(h, back))
	}
	h = eio.Handshake{SID: "a\"b\x1e", Upgrades: []string{"x", "y"}}
	if got := string(eio.AppendOpen(nil, h)); !strings.HasPrefix(got, `0{"sid":"a\"b\u001e","upgrades":["x","y"],`) {
		t.Error(got)
	}
	if got := string(eio.AppendOpen(nil, eio.Handshake{SID: "s"})); !strings.Contains(got, `"upgrades":[]`) {
		t.Errorf("nil upgrades: %s", got)
	}
}

func TestDecodeOpenRefuses(t *testing.T) {
	const ok = `"sid":"s","upgrades":[],"pingInterval":1,"pingTimeout":1`
	if h, err := eio.DecodeOpen([]byte("{" + ok + "}")); err != nil || h.MaxPayload != 0 {
		t.Fatalf("a missing maxPayload: %v, %v", h, err)
	}
	for name, data := range map[string]string{
		"empty":             "",
		"not JSON":          "<html>",
		"array":             "[]",
		"null":              "null",
		"no sid":            `{"pingInterval":1,"pingTimeout":1}`,
		"sid not a string":  `{"sid":1,"pingInterval":1,"pingTimeout":1}`,
		"huge sid":          `{"sid":"` + strings.Repeat("a", 100_000) + `","pingInterval":1,"pingTimeout":1}`,
		"many upgrades":     `{"sid":"s","upgrades":["` + strings.Repeat(`a","`, 20) + `"],"pingInterval":1,"pingTimeout":1}`,
		"no interval":       `{"sid":"s","pingTimeout":1}`,
		"interval 0":        `{"sid":"s","pingInterval":0,"pingTimeout":1}`,
		"interval -1":       `{"sid":"s","pingInterval":-1,"pingTimeout":1}`,
		"interval 1e300":    `{"sid":"s","pingInterval":1e300,"pingTimeout":1}`,
		"interval max":      `{"sid":"s","pingInterval":9223372036854775807,"pingTimeout":1}`,
		"interval fraction": `{"sid":"s","pingInterval":0.5,"pingTimeout":1}`,
		"timeout 0":         `{"sid":"s","pingInterval":1,"pingTimeout":0}`,
		"timeout max":       `{"sid":"s","pingInterval":1,"pingTimeout":9223372036854775807}`,
		"payload -1":        `{` + ok + `,"maxPayload":-1}`,
	} {
		t.Run(name, func(t *testing.T) {
			h, err := eio.DecodeOpen([]byte(data))
			if err == nil || !strings.HasPrefix(err.Error(), "eio: ") || len(err.Error()) > 400 {
				t.Errorf("DecodeOpen = %+v, %v", h, err)
			}
			if d := cmp.Diff(eio.Handshake{}, h); d != "" {
				t.Errorf("error and value:\n%s", d)
			}
		})
	}
}
