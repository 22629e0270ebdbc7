package msgpack_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/siokit/siokit/wire/msgpack"
	"github.com/siokit/siokit/wire/sio"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decode(msg []byte) (sio.Packet, error) {
	d := sio.NewParserDecoder(msgpack.Parser{}, sio.FromClient, nil)
	p, _, err := d.Binary(msg)
	return p, err
}

func bin(s string) []byte { return []byte(s) }

// Captured from socket.io-msgpack-parser 3.0.2 and redis-emitter 5.1.0.
func TestGoldenFromJavaScript(t *testing.T) {
	for _, row := range []struct {
		name, wire string
		want       sio.Packet
	}{
		{"CONNECT without auth", "83a47479706500a464617461d40000a36e7370a12f", sio.Packet{Type: sio.Connect, Namespace: "/"}},
		{"CONNECT", "83a47479706500a46461746181a5746f6b656ea174a36e7370a52f63686174", sio.Packet{Type: sio.Connect, Namespace: "/chat", Data: bin(`{"token":"t"}`)}},
		{"CONNECT, nil for undefined", "83a47479706500a464617461c0a36e7370a12f", sio.Packet{Type: sio.Connect, Namespace: "/"}},
		{"DISCONNECT", "82a47479706501a36e7370a12f", sio.Packet{Type: sio.Disconnect, Namespace: "/"}},
		{"DISCONNECT of python-socketio", "83a47479706501a464617461c0a36e7370a12f", sio.Packet{Type: sio.Disconnect, Namespace: "/"}},
		{"EVENT", "83a47479706502a36e7370a12fa46461746192a568656c6c6fa3796f75", sio.Packet{Type: sio.Event, Namespace: "/", Data: bin(`["hello","you"]`)}},
		{"ACK", "84a47479706503a36e7370a12fa2696407a46461746191a26f6b", sio.Packet{Type: sio.Ack, Namespace: "/", ID: 7, HasID: true, Data: bin(`["ok"]`)}},
		{"ACK with binary, id first", "84a2696403a47479706503a46461746192a26f6bc40101a36e7370a12f",
			sio.Packet{Type: sio.Ack, Namespace: "/", ID: 3, HasID: true, Data: bin(`["ok",{"_placeholder":true,"num":0}]`), Attachments: [][]byte{{1}}}},
		{"undefined and dates, with options", "85a47479706502a46461746194a161d4000082a175d40000a164d7000000018bcfe5687bd700ffffffffffffffffa76f7074696f6e7381a8636f6d7072657373c3a2696403a36e7370a12f",
			sio.Packet{Type: sio.Event, Namespace: "/", ID: 3, HasID: true, Data: bin(`["a",null,{"d":"2023-11-14T22:13:20.123Z"},"1969-12-31T23:59:59.999Z"]`)}},
		{"Buffer and ArrayBuffer", "84a47479706502a46461746193a162c4020102c702000908a76f7074696f6e7381a8636f6d7072657373c3a36e7370a12f",
			sio.Packet{Type: sio.Event, Namespace: "/", Data: bin(`["b",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`), Attachments: [][]byte{{1, 2}, {9, 8}}}},
		{"ArrayBuffers of one and eight bytes", "83a47479706502a46461746193a161c7010007c708000102030405060708a36e7370a12f",
			sio.Packet{Type: sio.Event, Namespace: "/", Data: bin(`["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`), Attachments: [][]byte{{7}, {1, 2, 3, 4, 5, 6, 7, 8}}}},
		{"undefined id", "84a47479706502a46461746191a161a26964d40000a36e7370a12f", sio.Packet{Type: sio.Event, Namespace: "/", Data: bin(`["a"]`)}},
		{"numbers", "83a47479706502a4646174619aa16ecb3ff8000000000000ffcf001fffffffffffffd3ffe0000000000001cf0000000000000000cb7ff800000000000000ccffce00010000a36e7370a12f",
			sio.Packet{Type: sio.Event, Namespace: "/", Data: bin(`["n",1.5,-1,9007199254740991,-9007199254740991,0,null,0,255,65536]`)}},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := decode(unhex(t, row.wire))
			if diff := cmp.Diff(row.want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
				t.Fatalf("%v\n%s", err, diff)
			}
		})
	}
}

func TestEncode(t *testing.T) {
	e := sio.Encoder{Parser: msgpack.Parser{}}
	const nsp = "a36e7370a12f"
	for _, row := range []struct {
		name, want string
		encode     func() (sio.Frame, error)
	}{
		{"EVENT", "83a47479706502" + nsp + "a46461746192a568656c6c6fa3796f75", func() (sio.Frame, error) { return e.Event(nil, "/", -1, "hello", []any{"you"}) }},
		{"ACK", "84a47479706503" + nsp + "a2696407a46461746191a26f6b", func() (sio.Frame, error) { return e.Ack(nil, "", 7, []any{"ok"}) }},
		{"ACK with binary", "84a47479706503" + nsp + "a2696403a46461746192a26f6bc40101", func() (sio.Frame, error) { return e.Ack(nil, "/", 3, []any{"ok", []byte{1}}) }},
		{"empty ACK", "84a47479706503" + nsp + "a2696400a46461746190", func() (sio.Frame, error) { return e.Ack(nil, "/", 0, nil) }},
		{"CONNECT", "83a47479706500" + nsp + "a46461746181a3736964a178", func() (sio.Frame, error) { return e.Connect(nil, "/", map[string]string{"sid": "x"}) }},
		{"CONNECT without data", "82a47479706500" + nsp, func() (sio.Frame, error) { return e.Connect(nil, "/", nil) }},
		{"DISCONNECT", "82a47479706501" + nsp, func() (sio.Frame, error) { return e.Disconnect(nil, "/") }},
		{"CONNECT_ERROR", "83a47479706504" + nsp + "a46461746182a76d657373616765a26e6fa46461746101",
			func() (sio.Frame, error) { return e.ConnectError(nil, "/", "no", 1) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			f, err := row.encode()
			if got := hex.EncodeToString(f.Data); err != nil || !f.Binary || len(f.Attachments) > 0 || got != row.want {
				t.Fatalf("%v, binary %v\n got %s\nwant %s", err, f.Binary, got, row.want)
			}
		})
	}
}
