package core_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/siokit/siokit/core"
)

// slowpoke is a client in "/" that reads only when told to.
type slowpoke struct {
	a      *app
	url    string
	ws     *websocket.Conn // nil on polling
	socket *core.Socket
	queued []string // polled and not yet returned
}

func (a *app) slowpoke(transport string) *slowpoke {
	a.t.Helper()
	p := &slowpoke{a: a, url: a.ts.URL + "/socket.io/?EIO=4&transport=" + transport}
	if transport == "websocket" {
		ws, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(p.url, "http"), nil)
		if err != nil {
			a.t.Fatal(err)
		}
		a.t.Cleanup(func() { _ = ws.Close() })
		p.ws = ws
	}
	open := p.read()
	if p.ws == nil {
		p.url += "&sid=" + sidOf([]byte(open))
	}
	p.write("40")
	s, ok := a.Socket(socketID.FindStringSubmatch(p.read())[1])
	if !ok {
		a.t.Fatal("a connected socket is not found")
	}
	p.socket = s
	return p
}

func (p *slowpoke) write(packet string) {
	p.a.t.Helper()
	var err error
	if p.ws != nil {
		err = p.ws.WriteMessage(websocket.TextMessage, []byte(packet))
	} else {
		var resp *http.Response
		if resp, err = p.a.ts.Client().Post(p.url, "text/plain", strings.NewReader(packet)); err == nil {
			_ = resp.Body.Close()
		}
	}
	if err != nil {
		p.a.t.Error(err)
	}
}

// read returns the next Engine.IO packet; binary ones in base64, as on polling.
func (p *slowpoke) read() string {
	p.a.t.Helper()
	if p.ws != nil {
		_ = p.ws.SetReadDeadline(time.Now().Add(patience))
		kind, data, err := p.ws.ReadMessage()
		if err != nil {
			p.a.t.Error(err)
		}
		if kind == websocket.BinaryMessage {
			return fmt.Sprintf("binary %d", len(data))
		}
		return string(data)
	}
	if len(p.queued) == 0 {
		resp, err := p.a.ts.Client().Get(p.url)
		if err != nil {
			p.a.t.Error(err)
			return ""
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			p.a.t.Error(err)
		}
		p.queued = strings.Split(string(body), "\x1e")
	}
	next := p.queued[0]
	p.queued = p.queued[1:]
	return next
}

// stall makes the client one that cannot be written to. It returns the bytes of the event "big" that
// are on their way.
func (p *slowpoke) stall() (big int) {
	p.a.t.Helper()
	if p.ws == nil {
		return 0 // no poll waits
	}
	const chunk = 16 << 20 // more than the kernel buffers
	if err := p.socket.Emit("big", strings.Repeat("x", chunk)); err != nil {
		p.a.t.Fatal(err)
	}
	return chunk
}

var roomy = core.Config{OutboxBytes: 64 << 20}

// F-01b: a volatile event is dropped when it cannot leave at once, and does not grow the outbox.
func TestVolatile(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, roomy)
		p := a.slowpoke(transport)
		big := p.stall()
		blob := []byte("attachment")
		for name, emit := range map[string]func() error{
			"socket":    func() error { return p.socket.Volatile().Emit("v", 0, blob) },
			"send":      func() error { return p.socket.Compress(true).Volatile().Send(0) },
			"room":      func() error { return a.To(p.socket.ID()).Volatile().Emit("v", 0, blob) },
			"server":    func() error { return a.Volatile().Emit("v", 0, blob) },
			"kept":      func() error { return a.Volatile().Compress(false).Local().To(p.socket.ID()).Emit("v", 0) },
			"namespace": func() error { return a.Of("/").Volatile().Emit("v", 0) },
		} {
			before := a.VolatileDrops()
			for range 100 {
				if err := emit(); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			if n := a.VolatileDrops() - before; n != 100 {
				t.Errorf("%s: %d of 100 dropped", name, n)
			}
		}
		if _, err := core.CallSocket[int](t.Context(), p.socket.Volatile(), "v"); err != core.ErrNotWritable {
			t.Errorf("CallSocket: %v", err)
		}
		if err := core.EmitFunc(p.socket.Volatile(), "v", nil, func(int, error) { t.Error("called") }); err != core.ErrNotWritable {
			t.Errorf("EmitFunc: %v", err)
		}
		entries := 0
		for r, err := range core.Gather[int](t.Context(), a.Volatile(), "v") {
			if entries++; r.ID != p.socket.ID() || err != core.ErrNotWritable {
				t.Errorf("Gather: %v, %v", r, err)
			}
		}
		if n := p.socket.PendingAcks(); n != 0 || entries != 1 {
			t.Errorf("%d acks pending, %d entries", n, entries)
		}
		if err := p.socket.Emit("behind"); err != nil {
			t.Error(err)
		}
		if big > 0 {
			if got := p.read(); len(got) < big {
				t.Fatalf("received %.100q", got)
			}
		}
		if got := p.read(); got != `42["behind"]` {
			t.Fatalf("received %.100q", got)
		}
		// Now it reads, and gets the next one that it is ready for, whole.
		got := make(chan []string, 1)
		go func() { got <- []string{p.read(), p.read()} }()
		eventually(t, "a volatile event arrives", func() bool {
			_ = a.To(p.socket.ID()).Volatile().Emit("v", 1, blob)
			return len(got) > 0
		})
		attachment := map[string]string{"websocket": "binary 10", "polling": "bYXR0YWNobWVudA=="}[transport]
		p.write("1") // else Shutdown waits for it to fetch the end
		if got := receive(t, got); got[0] != `451-["v",1,{"_placeholder":true,"num":0}]` || got[1] != attachment {
			t.Errorf("received %q", got)
		}
	})
}

// Before CONNECT volatile events are dropped and the others kept; afterwards a socket says so.
func TestEmittersOutsideOfTheConnection(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{})
		a.OnConnect(func(c *core.Context) error {
			for _, err := range []error{
				c.Volatile().Emit("volatile"), a.To(c.ID()).Volatile().Emit("volatile"),
				c.Timeout(time.Second).Emit("kept", 1), c.Compress(false).Send("kept", 2), a.Send("kept", 3), c.Send("kept", 4),
			} {
				if err != nil {
					t.Error(err)
				}
			}
			return nil
		})
		ended := make(chan core.Emitter, 1)
		a.OnDisconnect(func(c *core.Context, _ core.Reason) {
			for _, err := range []error{c.Volatile().Emit("x"), c.Compress(false).Send("x"), c.Send("x"), core.EmitFunc(c, "x", nil, func(int, error) { t.Error("called") })} {
				if err != core.ErrDisconnected {
					t.Errorf("in OnDisconnect: %v", err)
				}
			}
			ended <- c.Volatile()
		})
		p := a.dial(transport)
		p.join("/", "")
		p.want(`2["kept",1]`, `2["message","kept",2]`, `2["message","kept",3]`, `2["message","kept",4]`)
		p.wantAlive()
		if n := a.VolatileDrops(); n != 2 {
			t.Errorf("%d drops", n)
		}
		p.send("1")
		if err := receive(t, ended).Emit("x"); err != core.ErrDisconnected {
			t.Errorf("after the end: %v", err)
		}
		if err := a.Volatile().Emit("connect"); err == nil {
			t.Error("a reserved name was accepted")
		}
	})
}

// One connect function may not fill the memory; the error says what to do, and is no text for clients.
func TestTooMuchBeforeConnected(t *testing.T) {
	a := serve(t, core.Config{})
	failed := make(chan error, 1)
	a.OnError(func(_ *core.Context, err error) { failed <- err })
	a.OnConnect(func(c *core.Context) error {
		for {
			if err := c.Emit("x"); err != nil {
				return err
			}
		}
	})
	p := a.dial("websocket")
	p.send("0")
	p.want(`4{"message":"internal error"}`)
	if err := receive(t, failed); !strings.Contains(err.Error(), "emit the rest from an event handler") {
		t.Error(err)
	}
}

func TestOnEmit(t *testing.T) {
	a := serve(t, core.Config{})
	var seen []string // owned by this goroutine, as all emits are its own
	var to core.Broadcast
	a.OnEmit(func(string, []any, core.Broadcast) { panic("on purpose") })
	a.OnEmit(func(event string, args []any, b core.Broadcast) {
		seen = append(seen, fmt.Sprint(event, args, " ", b))
		to = b
	})
	p := a.dial("websocket")
	sid := p.join("/", "")
	s, _ := a.Socket(sid)
	p.wantAlive() // an ack, which nobody is told of
	_ = s.Emit("one", 1)
	_ = s.Volatile().Send(2)
	_ = a.Emit("all")
	_ = a.To("r", "q").Except("no").Emit("rooms", "x", 5)
	_ = s.To("r").Emit("others")
	for range core.Gather[int](t.Context(), a.To("r"), "gathered", 3) {
		t.Error("an entry of nobody")
	}
	_ = core.EmitFunc(s, "asked", nil, func(int, error) {})
	_ = a.To("").Emit("nobody")
	_ = a.Emit("bad", make(chan int))
	_ = a.Of("/other").Emit("elsewhere")
	want := []string{
		`one[1] rooms ["` + sid + `"] of "/"`,
		`message[2] rooms ["` + sid + `"] of "/"`,
		`all[] everybody in "/"`,
		`rooms[x 5] rooms ["r" "q"] of "/" except ["no"]`,
		`others[] rooms ["r"] of "/" except ["` + sid + `"]`,
		`gathered[3] rooms ["r"] of "/"`,
		`asked[] rooms ["` + sid + `"] of "/"`,
	}
	if got := strings.Join(seen, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	if rooms, all := to.Rooms(); all || len(rooms) != 1 || to.Count() != 1 {
		t.Errorf("%v, %v", rooms, all)
	}
	if n := a.Panics(); n != int64(len(want)) {
		t.Errorf("%d panics", n)
	}
	if got := a.To().String(); got != `nobody in "/"` {
		t.Error(got)
	}
}

// D-04: whatever is emitted from many goroutines, attachments follow their header at once.
func TestEmitsAreWhole(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{OutboxPackets: 1 << 20, OutboxBytes: 1 << 28, PingInterval: 100 * time.Millisecond})
		p := a.dial(transport)
		s, _ := a.Socket(p.join("/", ""))
		const senders, each = 16, 100
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var emitting sync.WaitGroup
		for g := range senders {
			emitting.Go(func() {
				for i := range each {
					args := []any{g}
					for n := range (g + i) % 11 {
						args = append(args, fmt.Appendf(nil, "%d/%d", g, n))
					}
					switch i % 5 {
					case 0:
						_ = s.Emit("e", args...)
					case 1:
						_ = a.Compress(false).Emit("e", args...)
					case 2:
						_ = s.Volatile().Emit("e", args...)
					case 3:
						_ = core.EmitFunc(s, "e", args, func(core.None, error) {})
					default:
						for range core.Gather[core.None](ctx, a.To(s.ID()), "e", args...) {
						}
					}
				}
			})
		}
		done := make(chan struct{})
		go func() { emitting.Wait(); _ = s.Emit("end"); close(done) }()
		count := 0
		for {
			m, ok := p.next()
			if !ok || m.binary != nil {
				t.Fatalf("an attachment without its header, or the end: %q", m.binary)
			}
			if m.text == `2["end"]` {
				break
			}
			count++
			attachments, g, id := 0, 0, -1
			head, data, _ := strings.Cut(m.text, "[")
			if head[0] == '5' {
				_, _ = fmt.Sscanf(head, "5%d-%d", &attachments, &id)
			} else {
				_, _ = fmt.Sscanf(head, "2%d", &id)
			}
			if _, err := fmt.Sscanf(data, `"e",%d`, &g); err != nil {
				t.Fatal(m.text, err)
			}
			for n := range attachments {
				p.wantBinary(fmt.Sprintf("%d/%d", g, n))
			}
			if id >= 0 {
				p.send(fmt.Sprintf("3%d[]", id))
			}
		}
		receive(t, done)
		if least := senders * each * 4 / 5; count < least || int64(count)+a.VolatileDrops() != senders*each {
			t.Errorf("%d events and %d drops, of %d", count, a.VolatileDrops(), senders*each)
		}
	})
}
