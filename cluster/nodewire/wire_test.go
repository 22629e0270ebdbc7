package nodewire_test

import (
	"context"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/cluster/internal/brokertest"
	"github.com/siokit/siokit/cluster/nodewire"
)

// wiretap is a stranger in Redis, who sees what goes through the channels. Those of requests and responses
// only by pattern: it is not counted.
type wiretap struct {
	t   *testing.T
	rdb *redis.Client
	sub *redis.PubSub
}

func tap(t *testing.T, addr string) *wiretap {
	t.Helper()
	w := &wiretap{t: t, rdb: client(t, addr)}
	w.sub = w.rdb.PSubscribe(t.Context(), "*")
	t.Cleanup(func() { _ = w.sub.Close() })
	_, err := w.sub.Receive(t.Context())
	check(t, err)
	return w
}

func (w *wiretap) publish(channel, msg string) {
	w.t.Helper()
	check(w.t, w.rdb.Publish(w.t.Context(), channel, msg).Err())
	w.next() // its own
}

func (w *wiretap) publishHex(channel, msg string) {
	w.t.Helper()
	b, err := hex.DecodeString(msg)
	check(w.t, err)
	w.publish(channel, string(b))
}

func (w *wiretap) next() (channel, msg string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	m, err := w.sub.ReceiveMessage(ctx)
	check(w.t, err)
	return m.Channel, m.Payload
}

// wantNext checks the next message, with the member's id replaced by that of the vectors. MessagePack is hex.
func (w *wiretap) wantNext(uid, channel, msg string) {
	w.t.Helper()
	gotChannel, got := w.next()
	if got = strings.ReplaceAll(got, uid, "DpqWqR"); got[0] != '{' {
		got = hex.EncodeToString([]byte(got))
	}
	if gotChannel = strings.ReplaceAll(gotChannel, uid, "DpqWqR"); gotChannel != channel || got != msg {
		w.t.Errorf("got  %s %s\nwant %s %s", gotChannel, got, channel, msg)
	}
}

// The vectors of redis-emitter 5.1.0 and redis-adapter 8.3.0 arrive.
func TestWhatOthersWrite(t *testing.T) {
	addr := brokertest.Redis(t).Addr
	a, r := member(t, addr, nodewire.Options{})
	r.sockets = []cluster.Socket{{ID: "SID", Rooms: []string{"room1", "r"}}}
	w := tap(t, addr)
	for _, v := range []struct{ channel, msg, want string }{
		{"socket.io#/#", "93a7656d697474657283a47479706502a46461746193a26869a5746865726501a36e7370a12f83a5726f6f6d7390a5666c61677380a665786365707490", `emit hi / * ["there",1]`},
		{"socket.io#/#room1#", "93a7656d697474657283a47479706502a46461746192a2686981a16101a36e7370a12f83a5726f6f6d7391a5726f6f6d31a5666c61677380a665786365707491a178", `emit hi / rooms=[room1] except=[x] [{"a":1}]`},
		{"socket.io#/#", "93a7656d697474657283a47479706502a46461746192a362696ec403010203a36e7370a12f83a5726f6f6d7392a27231a27232a5666c61677382a8766f6c6174696c65c3a8636f6d7072657373c2a665786365707490", `emit bin / rooms=[r1 r2] [{"_placeholder":true,"num":0}] + 010203 volatile plain`},
		{"socket.io#/chat#r#", "93a7656d697474657283a47479706502a46461746191a26576a36e7370a52f6368617483a5726f6f6d7391a172a5666c61677380a665786365707490", `emit ev /chat rooms=[r] []`},
		{"socket.io#/#room1#", "93a644707157715283a47479706502a46461746198a568656c6c6fa177c0c0cb3ff8000000000000ffc4027a7ad6ff00000000a36e7370a12f83a5726f6f6d7391a5726f6f6d31a665786365707490a5666c61677380", `emit hello / rooms=[room1] ["w",null,null,1.5,-1,{"_placeholder":true,"num":0},"1970-01-01T00:00:00.000Z"] + 7a7a`},
		// BINARY_EVENT of old emitters; no opts but rooms; numbers as rooms; no namespace; flags as PHP writes none.
		{"socket.io#/#", "93a7656d697474657282a47479706505a46461746192a362696ec4010181a5726f6f6d739205a172", `emit bin / rooms=[5 r] [{"_placeholder":true,"num":0}] + 01`},
		{"socket.io#/#", "93c082a47479706502a46461746191a16581a5666c61677390", `emit e / * []`},
	} {
		w.publishHex(v.channel, v.msg)
		r.want(t, v.want)
	}
	for _, v := range []struct{ msg, want string }{
		{`{"type":2,"opts":{"rooms":["room1"],"except":[]},"rooms":["room2"]}`, `join / rooms=[room1] [room2]`},
		{`{"type":3,"opts":{"rooms":[],"except":[]},"rooms":["a","b"]}`, `leave / * [a b]`},
		{`{"type":4,"opts":{"rooms":["SID"],"except":[]},"close":true}`, `disconnect / rooms=[SID] true`},
		{`{"uid":"emitter","type":6,"data":["ping", 1]}`, `server event emitter / ping [1]`},
		{`{"uid":"DpqWqR","type":2,"opts":{"rooms":["r"],"except":[]},"rooms":["x","y"]}`, `join / rooms=[r] [x y]`},
		{`{"uid":"DpqWqR","type":4,"opts":{"rooms":[],"except":["q", 7]},"close":false}`, `disconnect / * except=[q 7] false`},
		{"\x84\xa4type\x02\xa3uid\xa1x\xa4opts\x81\xa5rooms\x91\xa1r\xa5rooms\x91\xa1z", `join / rooms=[r] [z]`},
	} {
		w.publish("socket.io-request#/#", v.msg)
		r.want(t, v.want)
	}
	// The legacy forms are answered by who has the socket.
	for _, v := range []struct{ msg, want string }{
		{`{"type":2,"requestId":"L1","sid":"elsewhere","room":"x"}`, ""},
		{`{"type":2,"requestId":"L2","sid":"SID","room":"x"}`, `join / rooms=[SID] [x]`},
		{`{"type":3,"requestId":"L3","sid":"SID","room":7}`, `leave / rooms=[SID] [7]`},
		{`{"type":4,"requestId":"L4","sid":"SID","close":true}`, `disconnect / rooms=[SID] true`},
	} {
		w.publish("socket.io-request#/#", v.msg)
		if v.want != "" {
			r.want(t, v.want)
			w.wantNext(a.ID(), "socket.io-response#/#", `{"requestId":"L`+v.msg[24:25]+`"}`)
		}
	}
	if s := a.Stats(); s.Invalid != 0 || s.Received != 18 {
		t.Errorf("%+v", s)
	}
}

// What the adapter writes is, byte for byte, what redis-adapter 8.3.0 writes.
func TestWhatIsWritten(t *testing.T) {
	addr := brokertest.Redis(t).Addr
	a, r := member(t, addr, nodewire.Options{})
	w := tap(t, addr)
	room := cluster.Audience{Namespace: "/", Rooms: []string{"room1", "room1"}}
	a.Emit(&cluster.Emit{Audience: room, Event: "hello", Data: []byte(`["w",null,null,1.5,-1,{"_placeholder":true,"num":0}]`), Attachments: [][]byte{[]byte("zz")}})
	w.wantNext(a.ID(), "socket.io#/#room1#", "93a644707157715283a47479706502a46461746197a568656c6c6fa177c0c0cb3ff8000000000000ffc4027a7aa36e7370a12f83a5726f6f6d7391a5726f6f6d31a665786365707490a5666c61677380")
	a.Emit(&cluster.Emit{Audience: cluster.Audience{Namespace: "/chat", Rooms: []string{"a", "b"}, Except: []string{"x"}}, Event: "e", Data: []byte(`[]`), Volatile: true, Plain: true})
	w.wantNext(a.ID(), "socket.io#/chat#", "93a644707157715283a47479706502a46461746191a165a36e7370a52f6368617483a5726f6f6d7392a161a162a665786365707491a178a5666c61677382a8766f6c6174696c65c3a8636f6d7072657373c2")
	a.Join(cluster.Audience{Namespace: "/", Rooms: []string{"r"}}, []string{"x", "y"})
	w.wantNext(a.ID(), "socket.io-request#/#", `{"uid":"DpqWqR","type":2,"opts":{"rooms":["r"],"except":[]},"rooms":["x","y"]}`)
	a.Leave(all("/"), []string{"<&>"})
	w.wantNext(a.ID(), "socket.io-request#/#", `{"uid":"DpqWqR","type":3,"opts":{"rooms":[],"except":[]},"rooms":["<&>"]}`)
	a.Disconnect(all("/"), false)
	w.wantNext(a.ID(), "socket.io-request#/#", `{"uid":"DpqWqR","type":4,"opts":{"rooms":[],"except":[]},"close":false}`)
	check(t, a.ServerEmit(t.Context(), &cluster.Emit{Audience: all("/"), Event: "sse", Data: []byte(`[5,{"_placeholder":true,"num":0}]`), Attachments: [][]byte{{1, 255}}}, nil))
	w.wantNext(a.ID(), "socket.io-request#/#", `{"uid":"DpqWqR","type":6,"data":["sse",5,{"type":"Buffer","data":[1,255]}]}`)
	a.Revoke([]byte("token 7"))
	w.wantNext(a.ID(), "socket.io-siokit#", `{"uid":"DpqWqR","revoke":"dG9rZW4gNw=="}`)

	// An empty list is nobody, although it would be everybody on the wire.
	nobody := cluster.Audience{Namespace: "/"}
	a.Emit(&cluster.Emit{Audience: nobody, Event: "e", Data: []byte(`[]`)})
	a.Join(nobody, []string{"x"})
	a.Disconnect(nobody, true)
	sockets, err := a.Fetch(t.Context(), nobody)
	check(t, err)
	check(t, a.Gather(t.Context(), &cluster.Emit{Audience: nobody, Event: "e", Data: []byte(`[]`)}, nil))
	a.Emit(&cluster.Emit{Audience: all("/"), Event: "end", Data: []byte(`[]`)})
	if channel, msg := w.next(); channel != "socket.io#/#" || !strings.Contains(msg, "end") || len(sockets) > 0 {
		t.Errorf("%s %q %v", channel, msg, sockets)
	}
	// All of it came back, and was ignored.
	w.publishHex("socket.io#/#", "93a17882a47479706502a46461746191a36e6f7781a5726f6f6d7390")
	r.want(t, "emit now / * []")
}

// Questions of a Node server are answered as it expects.
func TestAnswers(t *testing.T) {
	addr := brokertest.Redis(t).Addr
	_, r := member(t, addr, nodewire.Options{})
	issued := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r.sockets = []cluster.Socket{
		{ID: "S1", Rooms: []string{"r"}, Data: []byte(`{"n":1}`), Handshake: cluster.Handshake{Address: "10.0.0.1", Issued: issued.UnixMilli(), Secure: true, URL: "/socket.io/"}},
		{ID: "S2"},
	}
	r.answers = []cluster.Reply{
		{SID: "S1", Data: []byte(`[{"_placeholder":true,"num":0},"lost"]`), Attachments: [][]byte{{7}}},
		{SID: "S3", Err: cluster.TimedOut}, {SID: "S2", Data: []byte(`[]`)}, {SID: "too many", Data: []byte(`[1]`)},
	}
	w := tap(t, addr)
	ask := func(msg string, want ...string) {
		t.Helper()
		w.publish("socket.io-request#/#", msg)
		for _, want := range want {
			w.wantNext("DpqWqR", "socket.io-response#/#", want)
		}
	}
	ask(`{"uid":"u","requestId":"q0","type":0,"rooms":["r"]}`, `{"requestId":"q0","sockets":["S1"]}`)
	ask(`{"uid":"u","requestId":"q1","type":1}`, `{"requestId":"q1","rooms":["S1","S2","r"]}`)
	ask(`{"uid":"u","requestId":"q5","type":5,"opts":{"rooms":[],"except":[]}}`, `{"requestId":"q5","sockets":[`+
		`{"id":"S1","handshake":{"headers":{},"time":"Fri Jan 02 2026 03:04:05 GMT+0000 (Coordinated Universal Time)","address":"10.0.0.1","xdomain":false,"secure":true,"issued":1767323045000,"url":"/socket.io/","query":{},"auth":{}},"rooms":["S1","r"],"data":{"n":1}},`+
		`{"id":"S2","handshake":{"headers":{},"time":"Thu Jan 01 1970 00:00:00 GMT+0000 (Coordinated Universal Time)","address":"","xdomain":false,"secure":false,"issued":0,"url":"","query":{},"auth":{}},"rooms":["S2"],"data":{}}]}`)
	ask(`{"uid":"u","requestId":"q6","type":6,"data":["sse",{"ok":5},6]}`, `{"type":6,"requestId":"q6","data":{"ok":5}}`)
	ask(`{"uid":"u","requestId":"q7","type":6,"data":["sse"]}`, `{"type":6,"requestId":"q7"}`)
	// A handler that is not there does not answer.
	ask(`{"uid":"u","requestId":"q8","type":6,"data":["unknown"]}`)
	r.want(t, `server event u / sse [{"ok":5},6]`, `server event u / sse []`, `server event u / unknown []`)

	question, _ := hex.DecodeString("85a3756964a6447071577152a9726571756573744964a65a376e546a4ba47479706507a67061636b657483a47479706502a46461746192a561636b6d6501a36e7370a12fa46f70747383a5726f6f6d7390a665786365707490a5666c61677381a774696d656f7574cd0190")
	ask(string(question), `{"type":8,"requestId":"Z7nTjK","clientCount":2}`,
		"83a47479706509a9726571756573744964a65a376e546a4ba67061636b6574c40107", "82a47479706509a9726571756573744964a65a376e546a4b")
	r.want(t, "gather ackme / * [1]")
}

// The answers go to one member if that is wanted.
func TestSpecificResponses(t *testing.T) {
	addr := brokertest.Redis(t).Addr
	member(t, addr, nodewire.Options{SpecificResponses: true, Prefix: "p*"})
	w := tap(t, addr)
	w.publish("p*-request#/#", `{"uid":"abcdef","requestId":"q","type":0,"rooms":[]}`)
	w.wantNext("none", "p*-response#/#abcdef#", `{"requestId":"q","sockets":[]}`)
	w.publish("p*-request#/#", `{"uid":"abcdef","requestId":"s","type":6,"data":["e",1]}`)
	w.wantNext("none", "p*-response#/#", `{"type":6,"requestId":"s","data":1}`)
}

// Whatever comes, nothing panics, and it is counted.
func TestGarbage(t *testing.T) {
	addr := brokertest.Redis(t).Addr
	a, r := member(t, addr, nodewire.Options{})
	w := tap(t, addr)
	n := int64(0)
	for channel, messages := range map[string][]string{
		"socket.io#/#": {"", "garbage", `{"method":"emit"}`, "\x93", "\x93\xa1x", "\x93\xa1x\xc0\xc0", "\x93\xa1x\x80\x80", "\x93\xa1x\xdf\xff\xff\xff\xff", "\x93\xa1x\x81\xa4data\xdd\xff\xff\xff\xff\x80",
			"\x93\xa1x\x82\xa4type\x03\xa4data\x91\xa1e\x80", "\x93\xa1x\x82\xa4type\x02\xa4data\x91\xa7connect\x80", "\x93\xa1x\x82\xa4type\x02\xa4data\x91\xc0\x80", "\x93\xa1x\x82\xa4type\x02\xa4data\x91\xa1e\x80trailing",
			"\x93\xa1x\x83\xa4type\x02\xa4data\x91\xa1e\xa3nsp\xa2/x\x80", "\x93\xa1x\x82\xa4type\x02\xa4data\x91\xa1e\x81\xa5rooms\x91\x80",
			"\x93\xa1x\x82\xa4type\x02\xa4data\x93\xa1e\xc4\x01a\x81\xac_placeholder\xc3\x80", "\x93\xa1x\x82\xa4type\x02\xa4data\x9c\xa1e" + strings.Repeat("\xc4\x00", 11) + "\x80",
			"\x93\xa1x\x82\xa4type\x02\xa4data" + strings.Repeat("\x91", 20_000)},
		"socket.io-request#/#": {"", "{", "[]", "null", `{"type":99}`, `{}`, `{"type":"2"}`, `{"type":2}`, `{"type":7,"requestId":"x"}`, `{"type":6,"data":[]}`, `{"type":6,"data":["disconnect"]}`, `{"type":6}`,
			`{"type":2,"opts":{"rooms":[[]]},"rooms":["x"]}`, `{"type":2,"opts":{"rooms":5},"rooms":["x"]}`, "\x81\xa4type\x07", "\xc0", "\xc1"},
		"socket.io-response#/#": {"", "{", "{}", "\xc0", `{"requestId":5}`, "\x93"},
		"socket.io-siokit#":     {"", "{", `{"uid":"x","revoke":"!"}`},
	} {
		for _, msg := range messages {
			w.publish(channel, msg)
			n++
		}
	}
	r.panics = true
	w.publish("socket.io#/#", "\x93\xa1x\x82\xa4type\x02\xa4data\x91\xa1e\x80")
	w.publish("socket.io-request#/#", `{"type":3,"opts":{},"rooms":[]}`)
	r.want(t, "leave / * []")
	if s := a.Stats(); s.Invalid != n+1 {
		t.Errorf("%d of %d are counted", s.Invalid, n+1)
	}
}

func TestRefusals(t *testing.T) {
	ring := redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"a": "127.0.0.1:1"}})
	defer ring.Close()
	rdb := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1})
	defer rdb.Close()
	for want, a := range map[string]*nodewire.Adapter{
		"nodewire: a redis.Ring":                             nodewire.New(ring, nodewire.Options{}),
		"nodewire: Options.RequestTimeout":                   nodewire.New(rdb, nodewire.Options{RequestTimeout: -1}),
		"nodewire: subscribing: nodewire: the broker cannot": nodewire.New(rdb, nodewire.Options{}),
	} {
		if err := a.Start(t.Context(), &recorder{}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
		check(t, a.Close(t.Context()))
		if err := a.Start(t.Context(), &recorder{}); err == nil {
			t.Error("Start after Close")
		}
	}
}

func TestOnlyEmits(t *testing.T) {
	addr := brokertest.Redis(t).Addr
	_, r := member(t, addr, nodewire.Options{OnlyEmits: true})
	w := tap(t, addr)
	w.publish("socket.io-request#/#", `{"type":4,"opts":{"rooms":[],"except":[]},"close":true}`)
	w.publishHex("socket.io#/#", "93a17882a47479706502a46461746191a36e6f7781a5726f6f6d7390")
	r.want(t, "emit now / * []")
}

// What a Node server sends after an event with acks does not overtake it.
func TestEventsWithAcksKeepTheirOrder(t *testing.T) {
	addr := brokertest.Redis(t).Addr
	_, r := member(t, addr, nodewire.Options{})
	r.sockets = []cluster.Socket{{ID: "S1"}}
	question, _ := hex.DecodeString("85a3756964a6447071577152a9726571756573744964a65a376e546a4ba47479706507a67061636b657483a47479706502a46461746192a561636b6d6501a36e7370a12fa46f70747383a5726f6f6d7390a665786365707490a5666c61677381a774696d656f7574cd0190")
	event, _ := hex.DecodeString("93a17882a47479706502a46461746191a36e6f7781a5726f6f6d7390")
	rdb := client(t, addr)
	for range 100 {
		_, err := rdb.Pipelined(t.Context(), func(p redis.Pipeliner) error {
			p.Publish(t.Context(), "socket.io-request#/#", question)
			p.Publish(t.Context(), "socket.io#/#", event)
			return nil
		})
		check(t, err)
		r.want(t, "gather ackme / * [1]", "emit now / * []")
	}
}
