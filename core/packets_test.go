package core_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/siokit/siokit/core"
)

// row is a line of the catalogue of hostile Socket.IO packets: what a client sends, and what
// becomes of it.
type row struct {
	id     string
	fresh  bool // sent before any CONNECT; otherwise the client is in "/"
	send   []any
	want   []string // answers
	events []string // handlers that ran, in order
	closed bool
}

func send(packets ...any) []any { return packets }

const connected = `0{"sid":"*"}`

func nested(open, end string, levels int) string {
	return strings.Repeat(open, levels) + strings.Repeat(end, levels)
}

var catalogue = []row{
	{id: "S-01 bare", fresh: true, send: send("0"), want: []string{connected}},
	{id: "S-01 empty", fresh: true, send: send("0{}"), want: []string{connected}},
	{id: "S-01 auth", fresh: true, send: send(`0{"token":"a"}`), want: []string{connected}},
	{id: "S-02 null", fresh: true, send: send("0null"), closed: true},
	{id: "S-02 array", fresh: true, send: send("0[]"), closed: true},
	{id: "S-02 string", fresh: true, send: send(`0"x"`), closed: true},
	{id: "S-02 number", fresh: true, send: send("01.5"), closed: true},
	{id: "S-02 true", fresh: true, send: send("0true"), closed: true},
	{id: "S-02 cut", fresh: true, send: send("0{"), closed: true},
	{id: "S-03 1", fresh: true, send: send("01"), want: []string{connected}},
	{id: "S-03 7", fresh: true, send: send("07"), want: []string{connected}},
	{id: "S-04 proto", fresh: true, send: send(`0{"__proto__":{"x":1},"a":1,"a":2}`), want: []string{connected}},
	{id: "S-05 comma", send: send("0/custom,"), want: []string{`0/custom,{"sid":"*"}`}},
	{id: "S-05 no comma", send: send("0/custom"), want: []string{`0/custom,{"sid":"*"}`}},
	{id: "S-06", send: send("0/custom?token=x,"), want: []string{`4/custom?token=x,{"message":"Invalid namespace"}`}},
	{id: "S-07", send: send("0/unknown,"), want: []string{`4/unknown,{"message":"Invalid namespace"}`}},
	{id: "S-07 512 bytes", send: send("0/" + strings.Repeat("a", 511) + ","), want: []string{`4/` + strings.Repeat("a", 511) + `,{"message":"Invalid namespace"}`}},
	{id: "S-07 513 bytes", send: send("0/" + strings.Repeat("a", 512) + ","), closed: true},
	{id: "S-08", send: send("0/deny,"), want: []string{`4/deny,{"message":"nope","data":{"code":7}}`}},
	{id: "S-08 internal", send: send("0/broken,"), want: []string{`4/broken,{"message":"internal error"}`}},
	{id: "S-09", fresh: true, send: send("0custom,"), closed: true},
	{id: "S-10 slashes", send: send("0//,"), want: []string{`4//,{"message":"Invalid namespace"}`}},
	{id: "S-10 case", send: send("0/CUSTOM"), want: []string{`4/CUSTOM,{"message":"Invalid namespace"}`}},
	{id: "S-11 sequential", send: send("0"), closed: true},
	{id: "S-11 pipelined", fresh: true, send: send("0", "0"), closed: true},
	{id: "S-13 event first", fresh: true, send: send(`2["a"]`), closed: true},
	{id: "S-13 disconnect first", fresh: true, send: send("1"), closed: true},
	{id: "S-13 ack first", fresh: true, send: send("30[]"), closed: true},
	{id: "S-13 event while middleware runs", send: send("0/slow,", `2/slow,["a"]`), closed: true},
	{id: "S-14 event", send: send(`2/custom,["a"]`), closed: true},
	{id: "S-14 ack", send: send(`3/custom,0[]`), closed: true},
	{id: "S-14 binary", send: send(`51-/custom,["a",{"_placeholder":true,"num":0}]`), closed: true},
	{id: "S-14 refused", send: send("0/deny,", `2/deny,["a"]`), closed: true},
	{id: "S-15", send: send("1", "0"), want: []string{connected}},
	{id: "S-16", send: send(`1{"a":1}`), closed: true},
	{id: "S-17 bare", send: send("4"), closed: true},
	{id: "S-17 data", send: send(`4{"message":"x"}`), closed: true},
	{id: "S-18 7", send: send("7"), closed: true},
	{id: "S-18 9", send: send("9"), closed: true},
	{id: "S-18 letter", send: send("x"), closed: true},
	{id: "S-18 empty", send: send(""), closed: true},
	{id: "S-19", send: send("2")},
	{id: "S-20 object", send: send("2{}"), closed: true},
	{id: "S-20 string", send: send(`2"a"`), closed: true},
	{id: "S-20 null", send: send("2null"), closed: true},
	{id: "S-20 empty array", send: send("2[]"), closed: true},
	{id: "S-20 trailing", send: send(`2["a"]x`), closed: true},
	{id: "S-20 null name", send: send("2[null]"), closed: true},
	{id: "S-20 bool name", send: send("2[true]"), closed: true},
	{id: "S-20 array name", send: send("2[[]]"), closed: true},
	{id: "S-20 object name", send: send("2[{}]"), closed: true},
	{id: "S-21 number", send: send(`2[123,"x"]`), events: []string{`123 ["x"]`}},
	{id: "S-21 empty", send: send(`2[""]`), events: []string{` []`}},
	{id: "S-22 connect", send: send(`2["connect"]`), closed: true},
	{id: "S-22 connect_error", send: send(`2["connect_error"]`), closed: true},
	{id: "S-22 disconnect", send: send(`2["disconnect"]`), closed: true},
	{id: "S-22 disconnecting", send: send(`2["disconnecting"]`), closed: true},
	{id: "S-22 newListener", send: send(`2["newListener"]`), closed: true},
	{id: "S-22 removeListener", send: send(`2["removeListener"]`), closed: true},
	{id: "S-22 escaped", send: send(`2["dis\u0063onnect"]`), closed: true},
	{id: "S-22 error", send: send(`2["error",1]`), events: []string{"error [1]"}},
	{id: "S-22 connection", send: send(`2["connection"]`), events: []string{"connection []"}},
	{id: "S-22 message", send: send(`2["message","m"]`), events: []string{`message ["m"]`}},
	{id: "S-22 new_namespace", send: send(`2["new_namespace"]`), events: []string{"new_namespace []"}},
	{id: "S-24", send: send(`2 ["a"]`), closed: true},
	{id: "S-25 zero", send: send(`20["a"]`), want: []string{"30[]"}, events: []string{"a []"}},
	{id: "S-25 leading zeros", send: send(`20012["a"]`), want: []string{"312[]"}, events: []string{"a []"}},
	{id: "S-26 largest", send: send(`29007199254740991["a"]`), want: []string{"39007199254740991[]"}, events: []string{"a []"}},
	{id: "S-26 2^53+1", send: send(`29007199254740993["a"]`), closed: true},
	{id: "S-26 20 digits", send: send(`2` + strings.Repeat("1", 20) + `["a"]`), closed: true},
	{id: "S-26 400 digits", send: send(`2` + strings.Repeat("1", 400) + `["a"]`), closed: true},
	{id: "S-27 -1", send: send(`2-1["a"]`), closed: true},
	{id: "S-27 1.5", send: send(`21.5["a"]`), closed: true},
	{id: "S-27 1e3", send: send(`21e3["a"]`), closed: true},
	{id: "S-27 abc", send: send(`2abc["a"]`), closed: true},
	{id: "S-28 no id", send: send("3[]")},
	{id: "S-28 unknown id", send: send("3999[1]")},
	{id: "S-28 no payload", send: send("37")},
	{id: "S-29", send: send("37{}"), closed: true},
	{id: "S-30 none", send: send("5["), closed: true},
	{id: "S-30 dash", send: send(`5-["b"]`), closed: true},
	{id: "S-30 negative", send: send(`5-1-["b"]`), closed: true},
	{id: "S-30 fraction", send: send(`51.5-["b"]`), closed: true},
	{id: "S-30 eleven", send: send(`511-["b"]`), closed: true},
	{id: "S-30 huge", send: send(`5999999999999-["b"]`), closed: true},
	{id: "S-31 hex", send: send(`50x1-["b"]`, []byte("x")), closed: true},
	{id: "S-31 space", send: send(`5 1-["b"]`, []byte("x")), closed: true},
	{id: "S-31 exponent", send: send(`51e1-["b"]`, []byte("x")), closed: true},
	{id: "S-31 leading zero", send: send(`501-["b"]`, []byte("x")), closed: true},
	{id: "S-32 one of two", send: send(`52-["b",{"_placeholder":true,"num":0}]`, []byte("x"), `2["a"]`), closed: true},
	{id: "S-32 two of one", send: send(`51-["b",{"_placeholder":true,"num":0}]`, []byte("x"), []byte("y")), closed: true, events: []string{`b [{"_placeholder":true,"num":0}]`}},
	{id: "S-32 binary alone", send: send([]byte("x")), closed: true},
	{id: "S-33 no placeholder", send: send(`51-["b",1]`, []byte("x")), events: []string{"b [1]"}},
	{id: "S-33 twice", send: send(`51-["b",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]`, []byte("x")), events: []string{`b [{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]`}},
	{id: "S-33 string flag", send: send(`51-["b",{"_placeholder":"true","num":5}]`, []byte("x")), events: []string{`b [{"_placeholder":"true","num":5}]`}},
	{id: "S-34", send: send(`2["b",{"_placeholder":true,"num":0}]`), events: []string{`b [{"_placeholder":true,"num":0}]`}},
	{id: "S-35 name", send: send(`51-[{"_placeholder":true,"num":0}]`, []byte("x")), closed: true},
	{id: "S-35 range", send: send(`51-["b",{"_placeholder":true,"num":1}]`, []byte("x")), closed: true},
	{id: "S-36 10,000", send: send(`20["deep",` + nested("[", "]", 9_999) + `]`), want: []string{"30[]"}},
	{id: "S-36 10,001", send: send(`2["deep",` + nested("[", "]", 10_000) + `]`), closed: true},
	{id: "S-36 160,000 objects", send: send(`2["deep",` + strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000) + `]`), closed: true},
	{id: "S-37", send: send(`20["any",1e400]`), want: []string{`30[{"error":{"code":"bad_arguments","message":"an argument does not have the form that this event takes"}}]`}},
	{id: "S-38", send: send(`20["echo","\ud800"]`), want: []string{"30[\"\uFFFD\"]"}},

	{id: "V-10 attachments", send: send("5" + strings.Repeat("1", 900_000)), closed: true},
	{id: "V-10 namespace", send: send("0/" + strings.Repeat("a", 900_000)), closed: true},
	{id: "V-10 ack id", send: send("2" + strings.Repeat("9", 900_000)), closed: true},
	{id: "V-10 space", send: send("2[" + strings.Repeat(" ", 900_000)), closed: true},
	{id: "V-13 error", send: send(`2["error"]`), events: []string{"error []"}},
	{id: "V-13 type 4", send: send(`4["handle me"]`), closed: true},
	{id: "V-14 many", send: send(`599999999999-["b"]`), closed: true},
	{id: "V-14 ten", send: send(`510-["b"]`, []byte("0"), []byte("1"), []byte("2"), []byte("3"), []byte("4"), []byte("5"), []byte("6"), []byte("7"), []byte("8"), []byte("9")), events: []string{"b []"}},
	{id: "V-15", send: send(`50-["b"]`), closed: true},
	{id: "V-42 a", send: send(`51-/custom,["b",{"_placeholder":true,"num":0}]`), closed: true},
	{id: "A-30 query", send: send("0/admin?x=1,"), want: []string{`4/admin?x=1,{"message":"Invalid namespace"}`}},
	{id: "A-30 slash", send: send("0/admin/,"), want: []string{`4/admin/,{"message":"Invalid namespace"}`}},
	{id: "A-30 double", send: send("0//admin,"), want: []string{`4//admin,{"message":"Invalid namespace"}`}},
	{id: "A-30 case", send: send("0/Admin,"), want: []string{`4/Admin,{"message":"Invalid namespace"}`}},
	{id: "A-30 escaped", send: send("0/admin%2f,"), want: []string{`4/admin%2f,{"message":"Invalid namespace"}`}},
	{id: "A-30 guarded", fresh: true, send: send("0/admin,"), want: []string{`4/admin,{"message":"please log in"}`}},
}

func init() {
	for _, num := range []string{`"splice"`, `"0"`, "-1", "1", "1e9", "null", "true", "[0]", "0.5"} {
		catalogue = append(catalogue, row{id: "V-11 " + num, closed: true,
			send: send(`51-["hello",{"_placeholder":true,"num":`+num+`}]`, []byte("x"))})
	}
	catalogue = append(catalogue, row{id: "V-11 missing", closed: true, send: send(`51-["hello",{"_placeholder":true}]`, []byte("x"))})
	for _, name := range []string{`{"toString":"foo"}`, "[]", "null", "true", ""} {
		catalogue = append(catalogue, row{id: "V-12 " + name, closed: true, send: send("2[" + name + "]")})
	}
}

// hostile returns a server with handlers for whatever the catalogue sends.
func hostile(t *testing.T) (a *app, events chan string) {
	a = serve(t, core.Config{})
	events = make(chan string, 100)
	for _, name := range []string{"a", "b", "hello", "", "123", "error", "connection", "message", "new_namespace"} {
		core.On(a, name, func(c *core.Context, in core.Args) error {
			raw := make([]string, in.Len())
			for i := range raw {
				raw[i] = string(in.Raw(i))
			}
			events <- c.Event() + " [" + strings.Join(raw, ",") + "]"
			return nil
		})
	}
	core.On(a, "deep", func(*core.Context, core.Args) error { return nil })
	core.On(a, "any", func(*core.Context, any) error { return nil })
	core.OnCall(a, "echo", func(_ *core.Context, in any) (any, error) { return in, nil })
	a.Of("/custom")
	a.Of("/deny").Use(func(context.Context) error {
		return &core.ConnectError{Message: "nope", Data: map[string]int{"code": 7}}
	})
	a.Of("/broken").Use(func(context.Context) error { return fmt.Errorf("password of the database is hunter2") })
	a.Of("/admin").Use(func(context.Context) error { return &core.ConnectError{Message: "please log in"} })
	a.Of("/slow").Use(func(ctx context.Context) error { <-ctx.Done(); return nil })
	core.On(a.Of("/slow"), "a", func(*core.Context, core.None) error { events <- "a ran before the middleware"; return nil })
	return a, events
}

func TestHostilePackets(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		a, events := hostile(t)
		for _, row := range catalogue {
			t.Run(row.id, func(t *testing.T) {
				p := a.dial(transport)
				p.t = t
				defer p.kill()
				if !row.fresh {
					p.join("/", "")
				}
				p.send(row.send...)
				if row.closed {
					for _, got := range p.wantClosed() {
						if !strings.HasPrefix(got, "0") && !strings.HasPrefix(got, "4/deny") && !slices.Contains(row.want, got) {
							t.Errorf("before the end came %.200q", got)
						}
					}
				} else {
					p.want(row.want...)
					if row.fresh && !slices.Contains(row.want, connected) {
						p.join("/", "") // each namespace decides for itself
					}
					p.wantAlive()
				}
				for _, want := range row.events {
					if got := receive(t, events); got != want {
						t.Errorf("handler ran with %.200q, want %.200q", got, want)
					}
				}
				if p.leave(a); len(events) > 0 {
					t.Errorf("unexpected event %q", <-events)
				}
			})
		}
	})
}

// leave ends the connection and waits until the server has noticed.
func (p *peer) leave(a *app) {
	p.kill()
	eventually(p.t, "no socket is left", func() bool { return len(a.Sockets()) == 0 })
}

func TestEmittingReservedNames(t *testing.T) { // S-23
	a := serve(t, core.Config{})
	for _, name := range []string{"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"} {
		if err := a.Emit(name); err == nil || !strings.Contains(err.Error(), "reserved") {
			t.Errorf("Emit(%q) = %v", name, err)
		}
	}
}

func TestRefusedConnectsAreCounted(t *testing.T) { // S-39
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{})
		p := a.dial(transport)
		packets := make([]any, 2000)
		for i := range packets {
			packets[i] = fmt.Sprintf("0/none%d,", i)
		}
		p.send(packets...)
		if got := len(p.wantClosed()); got != 20 {
			t.Errorf("%d refusals were answered, want 20", got)
		}
	})
}

func TestNamespacesPerConnection(t *testing.T) { // S-40
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{})
		for i := range 101 {
			a.Of(fmt.Sprintf("/n%d", i))
		}
		p := a.dial(transport)
		for i := range 100 {
			p.join(fmt.Sprintf("/n%d", i), "")
		}
		p.send("0/n100,")
		if got := p.wantClosed(); len(got) != 0 {
			t.Errorf("the 101st namespace was answered with %q", got)
		}
		eventually(t, "the namespaces are empty", func() bool { return len(a.Of("/n0").Sockets()) == 0 })
	})
}

func TestBurst(t *testing.T) { // S-43, D-05
	eachTransport(t, func(t *testing.T, transport string) {
		a := serve(t, core.Config{})
		const n = 20_000
		seen, done := 0, make(chan int, 1)
		core.On(a, "n", func(_ *core.Context, i int) error {
			if i != seen {
				t.Errorf("event %d came as number %d", i, seen)
			}
			if seen++; seen == n {
				done <- seen
			}
			return nil
		})
		p := a.dial(transport)
		p.join("/", "")
		packets := make([]any, n)
		for i := range packets {
			packets[i] = fmt.Sprintf(`2["n",%d]`, i)
		}
		p.send(packets...)
		receive(t, done)
		p.wantAlive()
	})
}
