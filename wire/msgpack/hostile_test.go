package msgpack_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/siokit/siokit/wire/msgpack"
	"github.com/siokit/siokit/wire/sio"
)

// wrap makes an event of MessagePack data.
func wrap(data string) []byte {
	return []byte("\x83\xa4type\x02\xa3nsp\xa1/\xa4data" + data)
}

func TestValuesFromPeers(t *testing.T) {
	for wire, want := range map[string]string{
		"c0": "null", "c2": "false", "c3": "true", "d9026869": `"hi"`, "da00026869": `"hi"`, "db000000026869": `"hi"`, "a2ff41": "\"\ufffdA\"",
		"ca3dcccccd": "0.10000000149011612", "cb7ff0000000000000": "null", "cb444b1ae4d6e2ef50": "1e+21", "cb3e7ad7f29abcaf48": "1e-7", "cb412e848000000000": "1000000", "cb8000000000000000": "-0", "d080": "-128", "d18000": "-32768",
		"d3ffffffffffffffff": "-1", "cfffffffffffffffff": "18446744073709551615", "d38000000000000000": "-9223372036854775808",
		"dc000101": "[1]", "dd0000000101": "[1]", "de0001a16101": `{"a":1}`, "df00000001a16101": `{"a":1}`, "820102ff03": `{"1":2,"-1":3}`,
		"82a161d40000a16201": `{"b":1}`, "82a16101a162d40000": `{"a":1}`, "81a161d40000": "{}", "92d4000001": "[null,1]",
		"d6ff00000000": `"1970-01-01T00:00:00.000Z"`, "d6ffffffffff": `"2106-02-07T06:28:15.000Z"`, "d7ff0000000400000001": `"1970-01-01T00:00:01.000000001Z"`,
		"c70cff00000000ffffffffffffffff": `"1969-12-31T23:59:59.000Z"`, "c70cff00000001ffffffffffffffff": `"1969-12-31T23:59:59.000000001Z"`,
		"d700001eb208c2dc0000": `"+275760-09-13T00:00:00.000Z"`, "d700ffe14df73d240000": `"-271821-04-20T00:00:00.000Z"`, "d7000000000000000000": `"1970-01-01T00:00:00.000Z"`,
		"d7000000e677d21fdbff": `"9999-12-31T23:59:59.999Z"`,
	} {
		t.Run(wire, func(t *testing.T) {
			p, err := decode(wrap("\x92\xa1e" + string(unhex(t, wire))))
			if got := string(p.Data); err != nil || got != `["e",`+want+`]` {
				t.Errorf("got %s, %v; want %s", got, err, want)
			}
		})
	}
}

func TestHostileInput(t *testing.T) {
	nested := func(n int, open, end string) string { return strings.Repeat(open, n) + end }
	for name, msg := range map[string][]byte{
		"nothing": {}, "text": []byte("40"), "nil": {0xc0}, "0xc1": {0xc1}, "empty map": {0x80}, "list": {0x90}, "map32 of 4G": unhex(t, "dfffffffff"),
		"array32 of 4G": wrap("\xdd\xff\xff\xff\xff"), "map32 of 4G inside": wrap("\xdf\xff\xff\xff\xff"), "bin32 of 4G": wrap("\x92\xa1e\xc6\xff\xff\xff\xff"),
		"str32 of 4G": wrap("\xdb\xff\xff\xff\xff"), "ext32 of 4G": wrap("\x91\xc9\xff\xff\xff\xff\x00"), "key of 4G": unhex(t, "81dbffffffff"),
		"array16 without elements": wrap("\xdc\xff\xff"), "map without value": wrap("\x91\x81\xa1a"), "cut float": wrap("\x91\xcb\x00"), "cut ext": wrap("\x91\xd7\x00"),
		"lists too deep": wrap(nested(20_000, "\x91", "\xc0")), "maps too deep": wrap(nested(20_000, "\x81\xa1a", "\xc0")), "lists without end": wrap(nested(20_000, "\x91", "")),
		"type 5": unhex(t, "83a47479706505a36e7370a12fa46461746191a161"), "type 6": unhex(t, "83a47479706506a36e7370a12fa46461746191a161"),
		"type -1": unhex(t, "83a474797065ffa36e7370a12fa46461746191a161"), "type 2.0": unhex(t, "83a474797065cb4000000000000000a36e7370a12fa46461746191a161"),
		"type as text": unhex(t, "83a474797065a132a36e7370a12fa46461746191a161"), "no type": unhex(t, "82a36e7370a12fa46461746191a161"), "no nsp": unhex(t, "82a47479706502a46461746191a161"),
		"nsp nil": unhex(t, "83a47479706502a36e7370c0a46461746191a161"), "nsp without slash": unhex(t, "83a47479706502a36e7370a161a46461746191a161"),
		"EVENT without data": unhex(t, "82a47479706502a36e7370a12f"), "EVENT with nil": wrap("\xc0"), "EVENT with undefined": wrap("\xd4\x00\x00"), "EVENT with a map": wrap("\x80"), "EVENT with text": wrap("\xa1a"),
		"ACK without data": unhex(t, "83a47479706503a36e7370a12fa2696401"), "DISCONNECT with data": unhex(t, "83a47479706501a36e7370a12fa46461746180"),
		"CONNECT with a list": unhex(t, "83a47479706500a36e7370a12fa46461746190"), "CONNECT with binary": unhex(t, "83a47479706500a36e7370a12fa46461746181a161c40101"),
		"CONNECT_ERROR": unhex(t, "83a47479706504a36e7370a12fa46461746180"), "id -1": unhex(t, "84a47479706502a36e7370a12fa46461746191a161a26964ff"),
		"id above 2^53": unhex(t, "84a47479706502a36e7370a12fa46461746191a161a26964cf0020000000000000"), "id as text": unhex(t, "84a47479706502a36e7370a12fa46461746191a161a26964a131"),
		"something after": append(wrap("\x91\xa1a"), 0), "unknown extension": wrap("\x92\xa1e\xd4\x07\x00"), "msgp's own time": wrap("\x92\xa1e\xc7\x0c\x05" + strings.Repeat("\x00", 12)),
		"timestamp of 5 bytes": wrap("\x92\xa1e\xc7\x05\xff12345"), "nanoseconds": wrap("\x92\xa1e\xd7\xff\xff\xff\xff\xff\x00\x00\x00\x00"), "year 10^9": wrap("\x92\xa1e\xc7\x0c\xff\x00\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff"),
		"Date out of range": wrap("\x92\xa1e\xd7\x00\x7f\xff\xff\xff\xff\xff\xff\xff"), "list as key": wrap("\x92\xa1e\x81\x90\xc0"), "nil as key": wrap("\x92\xa1e\x81\xc0\xc0"),
		"binaries": wrap("\x92\xa1e\xdd\x00\x01\x00\x00" + strings.Repeat("\xc4\x00", 65536)), "long namespace": []byte("\x83\xa4type\x02\xa3nsp\xda\x03\xe8/" + strings.Repeat("a", 999) + "\xa4data\x91\xa1a"),
		"options too deep": []byte("\x84\xa4type\x02\xa3nsp\xa1/\xa4data\x91\xa1a\xa7options" + nested(20_000, "\x91", "\xc0")),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			p, err := decode(msg)
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Fatalf("no error: %+v", p)
			}
			if used, most := after.TotalAlloc-before.TotalAlloc, uint64(64<<10+20*len(msg)); used > most {
				t.Errorf("%d bytes allocated for a message of %d", used, len(msg))
			}
		})
	}
	d := sio.NewParserDecoder(msgpack.Parser{}, sio.FromClient, nil)
	if _, _, err := d.Text([]byte("40")); err == nil || !strings.Contains(err.Error(), "socket.io-msgpack-parser") {
		t.Errorf("text: %v", err)
	}
}

func TestLimits(t *testing.T) {
	try := func(p msgpack.Parser, l *sio.Limits, msg []byte) error {
		d := sio.NewParserDecoder(p, sio.FromClient, l)
		_, _, err := d.Binary(msg)
		return err
	}
	three := wrap("\x94\xa1e\xc4\x00\xc4\x00\xc4\x00")
	if err := try(msgpack.Parser{Binaries: 3}, &sio.Limits{Attachments: 1}, three); err != nil {
		t.Errorf("three binary values are no attachments: %v", err)
	}
	if err := try(msgpack.Parser{Binaries: 2}, nil, three); err == nil {
		t.Error("three binary values passed a limit of two")
	}
	if err := try(msgpack.Parser{}, &sio.Limits{Depth: 3}, wrap("\x92\xa1e\x91\x90")); err != nil {
		t.Error(err)
	}
	if err := try(msgpack.Parser{}, &sio.Limits{Depth: 2}, wrap("\x92\xa1e\x91\x90")); err == nil {
		t.Error("three levels passed a limit of two")
	}
	many := make([]any, 50)
	for i := range many {
		many[i] = []byte{byte(i)}
	}
	e := sio.Encoder{Parser: msgpack.Parser{}}
	if _, err := e.Event(nil, "/", -1, "e", many); err != nil {
		t.Errorf("50 binary values: %v", err)
	}
}
