package cluster_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/siokit/siokit/cluster"
)

// The table of what python-socketio's receiver makes of data, from the specification of its wire.
func TestReceivesWhatPythonSends(t *testing.T) {
	const none = "nothing"
	for _, row := range []struct{ fields, want string }{
		{`"namespace":"/","data":["x"],"room":null`, `* ["x"]`},
		{`"namespace":"/","data":"x","room":null`, `* ["x"]`},
		{`"namespace":"/","data":{"a":1},"room":null`, `* [{"a":1}]`},
		{`"namespace":"/","data":null,"room":null`, `* []`},
		{`"namespace":"/","data":[null],"room":null`, `* []`},
		{`"namespace":"/","data":[],"room":null`, `* []`},
		{`"namespace":"/","data":[null,null]`, `* [null,null]`},
		{`"namespace":"/","data":[[1, 2]]`, `* [[1, 2]]`},
		{`"namespace":"/","data":[[]]`, `* [[]]`},
		{`"namespace":"/","data":[12345678901234567890, "\u00e9"]`, `* [12345678901234567890, "\u00e9"]`},
		{`"namespace":"/","room":null`, none},
		{`"data":["x"]`, none},
		{`"namespace":"","data":["x"]`, none},
		{`"namespace":"/","data":["x"],"room":[]`, `rooms=[] ["x"]`},
		{`"namespace":"/","data":["x"],"room":["r","s"]`, `rooms=[r s] ["x"]`},
		{`"namespace":"/","data":["x"],"room":7`, `rooms=[7] ["x"]`},
		{`"namespace":"/","data":["x"],"room":"7"`, `rooms=[7] ["x"]`},
		{`"namespace":"/","data":["x"],"room":{"a":1}`, none},
		{`"namespace":"/","data":["x"],"room":[null]`, none},
		{`"namespace":"/","data":["x"],"skip_sid":"S"`, `* except=[S] ["x"]`},
		{`"namespace":"/","data":["x"],"skip_sid":["S","T"]`, `* except=[S T] ["x"]`},
		{`"namespace":"/","data":["x"],"callback":["r","/"]`, `* ["x"]`},
		{`"namespace":"/","data":[NaN]`, none},
		{`"namespace":"/","data":[{"a":Infinity}]`, none},
		{`"namespace":"/","data":["x"],"more":{"unknown":true}`, `* ["x"]`},
		{`"namespace":"/","binary":true,"data":[[{"_placeholder": true, "num": 0}], "AQI="]`, `* [{"_placeholder": true, "num": 0}] + 0102`},
		{`"namespace":"/","binary":true,"data":[{"_placeholder": true, "num": 0}, "AQI="]`, `* [{"_placeholder": true, "num": 0}] + 0102`},
		{`"namespace":"/","binary":true,"data":[[{"_placeholder":true,"num":1}],"AQI="]`, none},
		{`"namespace":"/","binary":true,"data":[[{"_placeholder":true,"num":-1}],"AQI="]`, none},
		{`"namespace":"/","binary":true,"data":[[{"_placeholder":true,"num":0}],"!"]`, none},
		{`"namespace":"/","binary":true,"data":"x"`, none},
		{`"namespace":"/","binary":true,"data":["x"]`, none},
		{`"namespace":"/","data":[` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `]`, none},
	} {
		p := newPair(t, cluster.Options{})
		p.inject(`{"method":"emit","event":"e","host_id":"H",` + row.fields + `}`)
		p.inject(`{"method":"emit","event":"end","host_id":"H","namespace":"/","data":[],"room":null}`)
		got := p.local.next(t)
		if got == "emit / end * []" {
			got = none
		} else {
			got = strings.TrimPrefix(got, "emit / e ")
		}
		if got != row.want {
			t.Errorf("%.100s:\n got %q\nwant %q", row.fields, got, row.want)
		}
	}
}

// F-11, V-44: whatever is no message is counted, and the next one is read.
func TestIgnoresWhatIsNoMessage(t *testing.T) {
	p := newPair(t, cluster.Options{})
	pickle, _ := base64.StdEncoding.DecodeString("gASVCgAAAAAAAAB9lIwBYZRLAXMu")
	bad := []string{
		"", "[]", "null", "42", "{", "{}", `{"method":5}`, `{"method":""}`, `{"method":"emit"}`, string(pickle), "\xff\xfe",
		`{"method":"go.hello","host_id":"x"}`, `{"method":"go.fetch","host_id":"x","go":{"seq":1}}`,
		`{"method":"enter_room","sid":"S","host_id":"x","namespace":"/"}`,
		`{"method":"something new","host_id":"x"}`,
		strings.Repeat("[", 100_000), `{"method":"emit","x":"` + strings.Repeat("a", 17<<20) + `"}`,
	}
	for _, msg := range bad {
		p.inject(msg)
	}
	p.inject(`{"method":"emit","event":"end","host_id":"H","namespace":"/","data":[],"room":null}`)
	if got := p.local.next(t); got != "emit / end * []" {
		t.Fatal(got)
	}
	if got := p.node.Stats().Invalid; got != int64(len(bad)) {
		t.Errorf("%d messages were counted as invalid, want %d", got, len(bad))
	}
}

// What we send is what python-socketio 5.15.1 sends, apart from one key that it ignores.
func TestSendsWhatPythonReads(t *testing.T) {
	p := newPair(t, cluster.Options{})
	emit := func(a cluster.Audience, data string, attachments ...[]byte) {
		p.node.Emit(&cluster.Emit{Audience: a, Event: "hello", Data: []byte(data), Attachments: attachments})
	}
	sid := strings.Repeat("S", 20)
	emit(cluster.Audience{Namespace: "/", Rooms: []string{"r1"}}, `["x"]`)
	emit(cluster.Audience{Namespace: "/", All: true}, `[{"_placeholder":true,"num":0}]`, []byte{1, 2})
	emit(cluster.Audience{Namespace: "/chat", Rooms: []string{"a", "b"}, Except: []string{sid}}, `["x",2]`)
	emit(cluster.Audience{Namespace: "/", Rooms: nil}, `[]`) // nobody: not sent
	emit(cluster.Audience{Namespace: "/", All: true, Except: []string{"room"}}, `[]`)
	p.node.Join(cluster.Audience{Namespace: "/", Rooms: []string{sid}}, []string{"r9"})
	p.node.Leave(cluster.Audience{Namespace: "/", Rooms: []string{sid}}, []string{"r9"})
	p.node.Leave(cluster.Audience{Namespace: "/", Rooms: []string{"r1"}}, []string{"r1"})
	p.node.Disconnect(cluster.Audience{Namespace: "/", Rooms: []string{sid}}, false)
	for _, want := range []string{
		`{"method":"emit","host_id":"H","namespace":"/","event":"hello","data":["x"],"binary":false,"room":"r1","skip_sid":null}`,
		`{"method":"emit","host_id":"H","namespace":"/","event":"hello","data":[[{"_placeholder":true,"num":0}],"AQI="],"binary":true,"room":null,"skip_sid":null}`,
		`{"method":"emit","host_id":"H","namespace":"/chat","event":"hello","data":["x",2],"binary":false,"room":["a","b"],"skip_sid":["` + sid + `"]}`,
		`{"method":"go.emit","host_id":"H","namespace":"/","event":"hello","data":[],"binary":false,"room":null,"skip_sid":null}`,
		`{"method":"enter_room","host_id":"H","namespace":"/","binary":false,"room":"r9","sid":"` + sid + `"}`,
		`{"method":"leave_room","host_id":"H","namespace":"/","binary":false,"room":"r9","sid":"` + sid + `"}`,
		`{"method":"close_room","host_id":"H","namespace":"/","binary":false,"room":"r1"}`,
		`{"method":"disconnect","host_id":"H","namespace":"/","binary":false,"sid":"` + sid + `"}`,
	} {
		if got := p.sent(t); got != want {
			t.Errorf(" got %s\nwant %s", got, want)
		}
	}
}

// A Python process that calls one of our clients gets the answer.
func TestAnswersPythonsCallback(t *testing.T) {
	p := newPair(t, cluster.Options{})
	p.local.answers = []cluster.Reply{{SID: "S", Data: []byte(`["ok",{"n":1}]`)}, {SID: "T", Err: cluster.TimedOut}}
	p.inject(`{"method":"emit","event":"e","data":["x"],"binary":false,"namespace":"/","room":"S","skip_sid":null,"callback":["S","/",1],"host_id":"python"}`)
	want := `{"method":"callback","host_id":"python","namespace":"/","binary":false,"sid":"S","id":1,"args":["ok",{"n":1}]}`
	if got := p.sent(t); got != want {
		t.Errorf(" got %s\nwant %s", got, want)
	}
}

func TestSignedMessages(t *testing.T) {
	key := []byte("0123456789abcdef")
	p := newPair(t, cluster.Options{Key: key})
	if _, err := cluster.NewNode(p.hub.Bus(), cluster.Options{Key: []byte("short")}); err == nil {
		t.Error("a short key was taken")
	}
	p.inject(`{"method":"emit","event":"forged","host_id":"H","namespace":"/","data":[],"room":null}`)
	other, _ := newNode(t, &p.hub, cluster.Options{Key: []byte("another key of 32 bytes, or more")})
	other.Emit(&cluster.Emit{Audience: cluster.Audience{Namespace: "/", All: true}, Event: "foreign", Data: []byte("[]")})
	friend, _ := newNode(t, &p.hub, cluster.Options{Key: key})
	friend.Emit(&cluster.Emit{Audience: cluster.Audience{Namespace: "/", All: true}, Event: "e", Data: []byte(`["x"]`)})
	if got := p.local.next(t); got != `emit / e * ["x"]` {
		t.Fatal(got)
	}
	// A recorded message is worth nothing: its number has been seen.
	p.replay(t, "e")
	friend.Emit(&cluster.Emit{Audience: cluster.Audience{Namespace: "/", All: true}, Event: "end", Data: []byte("[]")})
	if got := p.local.next(t); got != `emit / end * []` {
		t.Fatal(got)
	}
}

// S-38: users of Python processes have names with half an emoji too. Each half becomes U+FFFD, in its place.
func TestHalvesOfSurrogatePairs(t *testing.T) {
	p := newPair(t, cluster.Options{})
	emit := func(data, binary, room string) {
		p.inject(`{"method":"emit","event":"e","data":` + data + `,"binary":` + binary + `,"namespace":"/","room":` + room + `,"skip_sid":null,"callback":null,"host_id":"python"}`)
	}
	emit(`["half \ud83d","\uD83D\uDE00\\ud83d",1.10]`, "false", `["r","\ude00"]`)
	emit(`["\ud83d\ud83d\ude00\ude00\u00e9"]`, "false", `"\ude00"`)
	emit(`"\uDBFF"`, "false", "null")
	emit(`[["\udfff",{"_placeholder":true,"num":0}],"AQI="]`, "true", "null")
	for _, want := range []string{
		"emit / e rooms=[r \uFFFD] " + `["half \ufffd","\uD83D\uDE00\\ud83d",1.10]`,
		"emit / e rooms=[\uFFFD] " + `["\ufffd\ud83d\ude00\ufffd\u00e9"]`,
		`emit / e * ["\ufffd"]`,
		`emit / e * ["\ufffd",{"_placeholder":true,"num":0}] + 0102`,
	} {
		if got := p.local.next(t); got != want {
			t.Errorf(" got %s\nwant %s", got, want)
		}
	}
}
