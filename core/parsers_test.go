package core_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/wire/msgpack"
	"github.com/siokit/siokit/wire/sio"
)

// pack makes a MessagePack packet of strings that already are MessagePack.
func pack(kind byte, data string) []byte {
	return []byte("\x83\xa4type" + string(kind) + "\xa3nsp\xa1/" + "\xa4data" + data)
}

const undefined = "\xd4\x00\x00"

// joinPacked connects to "/" and returns the rest of what its reply says.
func (p *peer) joinPacked() {
	p.t.Helper()
	p.send(pack(0, undefined))
	if m, ok := p.next(); !ok || !strings.HasPrefix(string(m.binary), "\x83\xa4type\x00\xa3nsp\xa1/\xa4data\x81\xa3sid\xb4") {
		p.t.Fatalf("CONNECT was answered with %q / %q (open: %t)", m.text, m.binary, ok)
	}
}

func TestMsgpack(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{Parser: msgpack.Parser{}})
		type upload struct {
			Name string `json:"name"`
			Body []byte `json:"body"`
		}
		core.OnCall(a, "up", func(_ *core.Context, in upload) (core.Args2[string, []byte], error) {
			return core.Args2[string, []byte]{A: in.Name, B: in.Body}, nil
		})
		core.On(a, "leave", func(c *core.Context, _ core.None) error { c.Disconnect(); return nil })
		core.OnCall(a, "ask", func(c *core.Context, _ core.None) (uint64, error) {
			return core.Call[uint64](c, "how many", []byte("b"))
		})
		p := a.dial(transport)
		p.joinPacked()

		p.send([]byte("\x84\xa4type\x02\xa4data\x92\xa2up\x82\xa4name\xa1n\xa4body\xc4\x02\x00\xff\xa2id\x05\xa3nsp\xa1/"))
		p.wantBinary("\x84\xa4type\x03\xa3nsp\xa1/\xa2id\x05\xa4data\x92\xa1n\xc4\x02\x00\xff")

		p.send([]byte("\x84\xa4type\x02\xa4data\x91\xa3ask\xa2id\x06\xa3nsp\xa1/"))
		p.wantBinary("\x84\xa4type\x02\xa3nsp\xa1/\xa2id\x00\xa4data\x92\xa8how many\xc4\x01b")
		p.send([]byte("\x84\xa4type\x03\xa4data\x91\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xa2id\x00\xa3nsp\xa1/"))
		p.wantBinary("\x84\xa4type\x03\xa3nsp\xa1/\xa2id\x06\xa4data\x91\xcf\xff\xff\xff\xff\xff\xff\xff\xff")

		if err := a.Emit("all", 1.5); err != nil {
			t.Fatal(err)
		}
		p.wantBinary("\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x92\xa3all\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00")

		p.send([]byte("\x82\xa4type\x00\xa3nsp\xa2/x"))
		p.wantBinary("\x83\xa4type\x04\xa3nsp\xa2/x\xa4data\x81\xa7message\xb1Invalid namespace")
		p.send(pack(2, "\x91\xa5leave"))
		p.wantBinary("\x82\xa4type\x01\xa3nsp\xa1/")
	})
}

// A client that comes back gets what it missed in the form that it speaks.
func TestMsgpackWithRecovery(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{Parser: msgpack.Parser{}, Recovery: &core.Recovery{}})
		gone := make(chan struct{}, 2)
		a.OnDisconnect(func(*core.Context, core.Reason) { gone <- struct{}{} })
		p := a.dial(transport)
		p.send(pack(0, undefined))
		m, _ := p.next()
		const before = "\x83\xa4type\x00\xa3nsp\xa1/\xa4data\x82\xa3sid\xb4"
		reply := string(m.binary)
		if !strings.HasPrefix(reply, before) || reply[len(before)+20:len(before)+24] != "\xa3pid" {
			t.Fatalf("reply %q", reply)
		}
		event := func(n, offset string) string {
			return "\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x93\xa1e" + n + "\xaa" + offset
		}
		if err := a.Emit("e", 1); err != nil {
			t.Fatal(err)
		}
		p.wantBinary(event("\x01", "---------1"))
		p.kill()
		receive(t, gone)
		if err := a.Emit("e", []byte("b")); err != nil {
			t.Fatal(err)
		}
		again := a.dial(transport)
		again.send(pack(0, "\x82"+reply[len(before)+20:]+"\xa6offset\xaa---------1"))
		again.wantBinary(reply)
		again.wantBinary(event("\xc4\x01b", "---------2"))
	})
}

// What is no MessagePack packet ends the connection as a parse error, also behind a good one.
func TestMsgpackRefuses(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		for name, bad := range map[string]any{
			"text": "40", "type 5": pack(5, "\x91\xa1e"), "type 6": pack(6, "\x91\xa1e"), "4G": pack(2, "\xdd\xff\xff\xff\xff"),
			"too deep": pack(2, strings.Repeat("\x91", 20_000)+"\xc0"), "extension": pack(2, "\x92\xa1e\xd4\x09\x00"), "reserved": pack(2, "\x91\xaadisconnect"),
			"no name": pack(2, "\x90"), "second CONNECT": pack(0, undefined), "empty": []byte{},
		} {
			a := serve(t, core.Config{Parser: msgpack.Parser{}})
			reasons := make(chan core.Reason, 2)
			a.OnDisconnect(func(_ *core.Context, r core.Reason) { reasons <- r })
			p := a.dial(transport)
			p.joinPacked()
			p.send(bad)
			p.wantClosed()
			if r := receive(t, reasons); r != core.ParseError {
				t.Errorf("%s: %s", name, r)
			}
		}
	})
}

// watched is a parser that counts, and panics on demand.
type watched struct {
	sio.Parser
	encoded atomic.Int64
	breaks  atomic.Value // string: where it panics
}

func (c *watched) Encode(dst []byte, p sio.Packet) (sio.Frame, error) {
	c.encoded.Add(1)
	if c.breaks.Load() == "encoding "+p.Type.String() {
		panic("the parser is broken")
	}
	return c.Parser.Encode(dst, p)
}

func (c *watched) NewDecoder(from sio.Side, l *sio.Limits) sio.PacketDecoder {
	if c.breaks.Load() == "handshake" {
		panic("the parser is broken")
	}
	return watchedDecoder{c.Parser.NewDecoder(from, l), c}
}

type watchedDecoder struct {
	sio.PacketDecoder
	*watched
}

func (d watchedDecoder) Binary(msg []byte) (sio.Packet, bool, error) {
	if d.breaks.Load() == "decoding" {
		panic("the parser is broken")
	}
	return d.PacketDecoder.Binary(msg)
}

func TestBroadcastEncodesOnceForAParser(t *testing.T) {
	parser := &watched{Parser: msgpack.Parser{}}
	a := serve(t, core.Config{Parser: parser})
	var peers []*peer
	for i := range 8 {
		p := a.dial([]string{"websocket", "polling"}[i%2])
		p.joinPacked()
		peers = append(peers, p)
	}
	before := parser.encoded.Load()
	if err := a.Emit("e"); err != nil {
		t.Fatal(err)
	}
	for _, p := range peers {
		p.wantBinary("\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x91\xa1e")
	}
	if n := parser.encoded.Load() - before; n != 1 {
		t.Errorf("a broadcast to 8 was encoded %d times", n)
	}
}

func TestParserPanicsCostOneConnection(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		for _, place := range []string{"decoding", "encoding CONNECT", "encoding ACK", "encoding DISCONNECT", "encoding CONNECT_ERROR"} {
			parser := &watched{Parser: msgpack.Parser{}}
			parser.breaks.Store("")
			a := serve(t, core.Config{Parser: parser})
			core.On(a, "leave", func(c *core.Context, _ core.None) error { c.Disconnect(); return nil })
			gone := make(chan struct{}, 2)
			a.OnDisconnect(func(*core.Context, core.Reason) { gone <- struct{}{} })
			p := a.dial(transport)
			if place != "encoding CONNECT" {
				p.joinPacked()
			}
			parser.breaks.Store(place)
			switch place {
			case "encoding CONNECT":
				p.send(pack(0, undefined))
				p.wantClosed()
			case "decoding":
				p.send(pack(2, "\x91\xa5alive"))
				p.wantClosed()
			case "encoding ACK":
				p.send([]byte("\x84\xa4type\x02\xa4data\x91\xa5alive\xa2id\x06\xa3nsp\xa1/"))
			case "encoding DISCONNECT":
				p.send(pack(2, "\x91\xa5leave"))
				receive(t, gone)
			case "encoding CONNECT_ERROR":
				p.send([]byte("\x82\xa4type\x00\xa3nsp\xa2/x"))
				p.wantClosed()
			}
			eventually(t, place+" is counted", func() bool { return a.Panics() > 0 })
			parser.breaks.Store("")
			a.dial(transport).joinPacked() // the server lives
		}
	})
	parser := &watched{Parser: msgpack.Parser{}}
	parser.breaks.Store("handshake")
	a := serve(t, core.Config{Parser: parser})
	if _, status, err := a.tryDial("polling"); status != 500 {
		t.Errorf("handshake: %d %v", status, err)
	}
}

// unixTimes is a codec for an application whose clients want times as numbers.
type unixTimes struct{}

type moment struct{ time.Time }

func (unixTimes) Marshal(v any) ([]byte, error) {
	switch v := v.(type) {
	case moment:
		return fmt.Append(nil, v.Unix()), nil
	case func():
		return nil, errors.New("unixTimes: no form")
	}
	return json.Marshal(v)
}

func (unixTimes) Unmarshal(data []byte, v any) error {
	if m, ok := v.(*moment); ok {
		var sec int64
		if err := json.Unmarshal(data, &sec); err != nil {
			return errors.New("unixTimes: a time is a number")
		}
		m.Time = time.Unix(sec, 0)
		return nil
	}
	return json.Unmarshal(data, v)
}

func TestJSONCodec(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{JSON: unixTimes{}})
		failures := make(chan error, 1)
		a.OnError(func(_ *core.Context, err error) { failures <- err })
		core.OnCall(a, "later", func(_ *core.Context, in moment) (moment, error) { return moment{in.Add(time.Hour)}, nil })
		core.OnCall(a, "both", func(_ *core.Context, in core.Args2[moment, []byte]) (core.Args2[moment, []byte], error) {
			return in, nil
		})
		core.OnCall(a, "ask", func(c *core.Context, _ core.None) (moment, error) { return core.Call[moment](c, "when") })
		core.OnCall(a, "formless", func(*core.Context, core.None) (func(), error) { return func() {}, nil })
		p := a.dial(transport)
		p.join("/", "")
		p.send(`21["later",7200]`)
		p.want(`31[10800]`)
		p.send(`51-2["both",5,{"_placeholder":true,"num":0}]`, []byte("b"))
		p.want(`61-2[5,{"_placeholder":true,"num":0}]`)
		p.wantBinary("b")
		p.send(`23["ask"]`)
		p.want(`20["when"]`)
		p.send(`30[9]`)
		p.want(`33[9]`)

		p.send(`24["later","noon"]`)
		p.want(`34[{"error":{"code":"bad_arguments","message":"an argument does not have the form that this event takes"}}]`)
		var bad *core.ArgumentError
		if err := receive(t, failures); !errors.As(err, &bad) || !strings.Contains(err.Error(), "unixTimes: a time is a number") {
			t.Errorf("decoding: %v", err)
		}
		p.send(`25["formless"]`)
		p.want(`35[{"error":{"message":"internal error"}}]`)
		if err := receive(t, failures); err.Error() != "sio: argument 1 of an ack: unixTimes: no form" {
			t.Errorf("encoding: %v", err)
		}
		p.wantAlive()
	})
}

func TestMaxAttachments(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{MaxAttachments: 12})
		core.OnCall(a, "echo", func(_ *core.Context, in [][]byte) ([][]byte, error) { return in, nil })
		p := a.dial(transport)
		p.join("/", "")
		packet := func(head string, n int) []any {
			var places []string
			packets := []any{""}
			for i := range n {
				places = append(places, fmt.Sprintf(`{"_placeholder":true,"num":%d}`, i))
				packets = append(packets, []byte{byte(i)})
			}
			packets[0] = fmt.Sprintf(head, n, strings.Join(places, ","))
			return packets
		}
		p.send(packet(`5%d-1["echo",[%s]]`, 12)...)
		answer := packet(`6%d-1[[%s]]`, 12)
		p.want(answer[0].(string))
		for _, b := range answer[1:] {
			p.wantBinary(string(b.([]byte)))
		}
		if err := a.Emit("e", make([][]byte, 13)); err != nil {
			t.Errorf("nil is no attachment: %v", err)
		}
		p.want(`2["e",[` + strings.TrimSuffix(strings.Repeat("null,", 13), ",") + `]]`)
		thirteen := make([][]byte, 13)
		for i := range thirteen {
			thirteen[i] = []byte{}
		}
		if err := a.Emit("e", thirteen); err == nil || !strings.Contains(err.Error(), "more than 12 binary attachments") {
			t.Errorf("13 attachments: %v", err)
		}
		p.wantAlive()
		p.send(packet(`5%d-["echo",[%s]]`, 13)...)
		p.wantClosed()
	})
	for _, n := range []int{-1, 1001} {
		if _, err := core.New(core.Config{MaxAttachments: n}); err == nil || !strings.HasPrefix(err.Error(), "core: MaxAttachments must be at ") {
			t.Errorf("%d: %v", n, err)
		}
	}
}

// One attachment may be as large as a message may be, however large that is.
func TestMaxPayloadBoundsAttachments(t *testing.T) {
	const size = 11_000_000
	a := serve(t, core.Config{MaxPayload: 12_000_000})
	core.OnCall(a, "size", func(_ *core.Context, in []byte) (int, error) { return len(in), nil })
	p := a.dial("websocket")
	p.join("/", "")
	p.send(`51-1["size",{"_placeholder":true,"num":0}]`, make([]byte, size))
	p.want(fmt.Sprintf(`31[%d]`, size))
}
