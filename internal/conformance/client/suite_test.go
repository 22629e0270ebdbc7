package client_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/engineio"
	"github.com/siokit/siokit/internal/delivery"
	"github.com/siokit/siokit/wire/msgpack"
)

func suite(t *testing.T, a addresses) {
	t.Run("heartbeat", func(t *testing.T) {
		for name, opts := range transports {
			t.Run(name, func(t *testing.T) {
				t.Parallel() // it waits
				heartbeat(t, a.ping, opts)
			})
		}
	})
	for name, opts := range transports {
		t.Run(name, func(t *testing.T) {
			t.Run("events", func(t *testing.T) { events(t, a.main, opts) })
			t.Run("identity", func(t *testing.T) { identity(t, a, opts) })
			t.Run("namespaces", func(t *testing.T) { namespaces(t, a, opts) })
			t.Run("order", func(t *testing.T) { order(t, a.main, opts) })
			t.Run("large", func(t *testing.T) { large(t, a, opts) })
			t.Run("kicked", func(t *testing.T) { kicked(t, a.main, opts) })
			t.Run("simple", func(t *testing.T) { simple(t, a.main, opts) })
			t.Run("simple in a namespace", func(t *testing.T) { simple(t, a.main+"/second", opts) })
			t.Run("listening", func(t *testing.T) { listening(t, a.main, opts) })
			t.Run("callbacks", func(t *testing.T) { callbacks(t, a.main, opts) })
			if a.options != "" && name != "polling" {
				t.Run("deflated", func(t *testing.T) { deflated(t, a.options, opts) })
			}
			if name == "upgrade" {
				t.Run("remembered", func(t *testing.T) { remembered(t, a.main, opts) })
			}
			if a.msgpack != "" {
				opts := opts
				opts.Parser = msgpack.Parser{}
				t.Run("msgpack", func(t *testing.T) { events(t, a.msgpack, opts) })
			}
			// That a polling client has gone shows by the heartbeat only, and there is no session before.
			if a.recovery != "" && name != "polling" {
				t.Run("recovery", func(t *testing.T) { recovery(t, a.recovery, opts) })
			}
			if a.restart != "" {
				t.Run("restart", func(t *testing.T) { restart(t, a, opts) })
			}
		})
	}
	if !a.flask {
		t.Run("load", func(t *testing.T) { upgradeLoad(t, a.main) })
		t.Run("restarts", func(t *testing.T) {
			if a.kills {
				restarts(t, a, delivery.Size(8, 1000, 200), "/start", "/kill") // make soak runs it five times
			} else {
				restarts(t, a, delivery.Size(3, 50, 50), "/start")
			}
		})
	}
}

func open(t *testing.T, url string, opts client.Options, register func(c *client.Client)) *client.Client {
	t.Helper()
	opts.Logger = slog.New(slog.DiscardHandler)
	c, err := client.New(url, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if register != nil {
		register(c)
	}
	if err := c.Connect(patience(t)); err != nil {
		t.Fatal(err)
	}
	return c
}

func patience(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func next[T any](t *testing.T, ch <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-ch:
	case <-time.After(time.Minute):
		t.Fatal("nothing came")
	}
	return v
}

func call[Out any](t *testing.T, to client.Target, event string, args ...any) Out {
	t.Helper()
	out, err := client.Call[Out](patience(t), to, event, args...)
	if err != nil {
		t.Fatalf("%s: %v", event, err)
	}
	return out
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

type uploaded struct {
	Name     string `json:"name"`
	Sizes    []int  `json:"sizes"`
	Reversed []byte `json:"reversed"`
}

type parcel struct {
	A    []byte   `json:"a"`
	List [][]byte `json:"list"`
}

func events(t *testing.T, url string, opts client.Options) {
	back := make(chan client.Args3[string, []byte, map[string]any], 1)
	naive := make(chan string, 1)
	downloaded := make(chan client.Args3[string, parcel, []byte], 1)
	const owl = `naïve "event" 🦉`
	c := open(t, url, opts, func(c *client.Client) {
		client.On(c, "back", func(_ context.Context, in client.Args3[string, []byte, map[string]any]) error { back <- in; return nil })
		client.On(c, owl, func(_ context.Context, in string) error { naive <- in; return nil })
		client.On(c, "downloaded", func(_ context.Context, in client.Args3[string, parcel, []byte]) error { downloaded <- in; return nil })
		client.OnCall(c, "question", func(_ context.Context, in string) (string, error) { return in + "? yes", nil })
	})
	call[client.None](t, c, "echo0")
	same(t, "echo1", call[map[string]any](t, c, "echo1", map[string]any{"a": []int{1, 2}, "b": nil, "ü": true}), map[string]any{"a": []any{1.0, 2.0}, "b": nil, "ü": true})
	same(t, "echo2", call[client.Args2[int, []byte]](t, c, "echo2", 7, []byte{0, 255, 30}), client.Args2[int, []byte]{A: 7, B: []byte{0, 255, 30}})
	same(t, "echo3", call[client.Args3[string, bool, []byte]](t, c, "echo3", "\x1e\u2028\"", false, []byte{}), client.Args3[string, bool, []byte]{A: "\x1e\u2028\"", C: []byte{}})
	same(t, "upload", call[uploaded](t, c, "upload", map[string]any{"name": "n", "bytes": []byte("abc"), "parts": [][]byte{{1}, {}, []byte("xyz")}}), uploaded{"n", []int{1, 0, 3}, []byte("cba")})
	for event, args := range map[string][]any{"back": {"x", []byte("binary"), map[string]any{"k": "v"}}, owl: {"hoo"}, "download": {300}} {
		if err := c.Emit(event, args...); err != nil {
			t.Fatal(err)
		}
	}
	same(t, "back", next(t, back), client.Args3[string, []byte, map[string]any]{A: "x", B: []byte("binary"), C: map[string]any{"k": "v"}})
	same(t, owl, next(t, naive), "hoo")
	same(t, "downloaded", next(t, downloaded), client.Args3[string, parcel, []byte]{A: "label", B: parcel{bytes.Repeat([]byte{7}, 300), [][]byte{{1}, {}}}, C: []byte{255, 0}})
	same(t, "ask me", call[string](t, c, "ask me", "sure"), "sure? yes")
	for try := 0; ; try++ { // where this goroutine stops for half a second, the answer has come in time
		_, err := client.Call[int](patience(t), c.Of("/").Timeout(50*time.Millisecond), "late", 500, 1)
		if err == nil && try < 5 {
			continue
		}
		if !errors.Is(err, client.ErrTimeout) {
			t.Errorf("late: %v", err)
		}
		break
	}
	same(t, "after a late ack", call[int](t, c, "echo1", 2), 2)
}

type profile struct {
	ID        string         `json:"id"`
	Auth      map[string]any `json:"auth"`
	Query     string         `json:"query"`
	Header    string         `json:"header"`
	Transport string         `json:"transport"`
}

func identity(t *testing.T, a addresses, opts client.Options) {
	opts.Auth = func(context.Context) (any, error) { return map[string]any{"token": "t", "welcome": "w"}, nil }
	opts.Header = http.Header{"X-Conformance": {"yes"}}
	welcome := make(chan client.Args2[string, string], 1)
	c := open(t, a.main+"?q=ü", opts, func(c *client.Client) {
		client.On(c, "welcome", func(_ context.Context, in client.Args2[string, string]) error { welcome <- in; return nil })
	})
	who := call[profile](t, c, "whoami")
	transport := who.Transport
	who.Transport = ""
	same(t, "whoami", who, profile{ID: c.ID(), Auth: map[string]any{"token": "t", "welcome": "w"}, Query: "ü", Header: "yes"})
	same(t, "welcome", next(t, welcome), client.Args2[string, string]{A: c.ID(), B: "w"})
	if len(opts.Transports) > 0 && (transport != opts.Transports[0] || c.Transport() != transport) {
		t.Errorf("transport %q, here %q", transport, c.Transport())
	}
}

func namespaces(t *testing.T, a addresses, opts client.Options) {
	second := open(t, a.main+"/second", opts, nil)
	whole := open(t, a.main, opts, func(c *client.Client) { c.Of("/"); c.Of("/second") })
	said := make(chan string, 1)
	client.On(whole.Of("/second"), "said", func(_ context.Context, in string) error { said <- in; return nil })
	client.On(whole, "said", func(context.Context, string) error { t.Error("said in the wrong namespace"); return nil })
	call[client.None](t, whole.Of("/second"), "join", "room")
	call[client.None](t, whole, "join", "room")
	call[client.None](t, second, "say to others", map[string]any{"rooms": []string{"room"}, "except": []string{}, "text": "hi"})
	same(t, "said", next(t, said), "hi")
	guarded := whole.Of("/guarded")
	var refused *client.ConnectError
	if err := guarded.Connect(patience(t)); !errors.As(err, &refused) || refused.Message != "please log in" {
		t.Fatalf("guarded: %v", err)
	}
	same(t, "data", string(bytes.ReplaceAll(refused.Data, []byte(" "), nil)), `{"code":401,"hint":["token","missing"]}`)
	guarded.SetAuth(func(context.Context) (any, error) { return map[string]string{"token": "open sesame"}, nil })
	if err := guarded.Connect(patience(t)); err != nil {
		t.Fatalf("guarded with a token: %v", err)
	}
	call[client.None](t, guarded, "echo0")
	if err := whole.Of("/unknown").Connect(patience(t)); !errors.As(err, &refused) {
		t.Errorf("unknown: %v", err)
	}
	call[client.None](t, whole, "echo0")
}

// order sends numbered messages in both directions while the transport changes.
func order(t *testing.T, url string, opts client.Options) {
	ticks := make(chan int, 100_000)
	c := open(t, url, opts, func(c *client.Client) {
		client.On(c, "tick", func(_ context.Context, in client.Args2[int, any]) error { ticks <- in.A; return nil })
	})
	if err := c.Emit("start ticks"); err != nil {
		t.Fatal(err)
	}
	n := 1000
	for i := 0; i < n; i++ {
		if err := c.Emit("tock", i); err != nil {
			t.Fatal(err)
		}
		if i%10 == 0 {
			<-time.After(time.Millisecond) // spreads them over the upgrade
		}
		if upgrading := len(opts.Transports) == 0 && c.Transport() != "websocket"; upgrading && i == n-1 && n < 10_000 {
			<-time.After(10 * time.Millisecond)
			n++ // until it is over, and one after it
		}
	}
	got := call[client.Args2[int, []int]](t, c, "stop ticks")
	if len(got.B) != n {
		t.Errorf("the server got %d of %d", len(got.B), n)
	}
	for i, v := range got.B {
		if v != i {
			t.Fatalf("the server got %d in place %d", v, i)
		}
	}
	for i := range got.A {
		if v := next(t, ticks); v != i {
			t.Fatalf("got tick %d in place %d", v, i)
		}
	}
	if len(opts.Transports) == 0 && c.Transport() != "websocket" {
		t.Error("it was not upgraded")
	}
}

// large sends more than one polling body may hold, and one packet that none may hold.
func large(t *testing.T, a addresses, opts client.Options) {
	c := open(t, a.main, opts, nil)
	text := string(bytes.Repeat([]byte("x"), 10_000))
	for range 300 {
		if err := c.Emit("nobody listens", text, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if !a.flask { // Debian's does not say what it takes
		var tooLarge *engineio.TooLargeError
		if err := c.Emit("too large", string(make([]byte, 1_000_001))); !errors.As(err, &tooLarge) {
			t.Errorf("a packet that is too large: %v", err)
		}
	}
	same(t, "afterwards", call[string](t, c, "echo1", "still here"), "still here")
}

func kicked(t *testing.T, url string, opts client.Options) {
	reason := make(chan client.Reason, 1)
	c := open(t, url, opts, func(c *client.Client) {
		c.Of("/").OnDisconnect(func(_ context.Context, r client.Reason) { reason <- r })
	})
	if err := c.Emit("kick me", true); err != nil {
		t.Fatal(err)
	}
	var ended *client.DisconnectError
	if err := c.Wait(); !errors.As(err, &ended) || ended.Reason != client.ServerDisconnect {
		t.Errorf("Wait: %v", err)
	}
	same(t, "reason", next(t, reason), client.ServerDisconnect)
}

// heartbeat lasts for longer than the interval and the timeout of the server's pings, 6 s at most, which the connection
// would not survive without an answer.
func heartbeat(t *testing.T, url string, opts client.Options) {
	lost := make(chan client.Reason, 1)
	c := open(t, url, opts, func(c *client.Client) {
		c.Of("/").OnDisconnect(func(_ context.Context, r client.Reason) { lost <- r })
	})
	select {
	case r := <-lost:
		t.Fatalf("disconnected: %s", r)
	case <-time.After(7 * time.Second):
	}
	call[client.None](t, c, "echo0")
}

func simple(t *testing.T, url string, opts client.Options) {
	opts.Logger = slog.New(slog.DiscardHandler)
	s, err := client.DialSimple(patience(t), url, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Emit("count", 3); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		e, err := s.Receive(patience(t))
		var n int
		if err != nil || e.Name != "number" || e.Args.Decode(0, &n) != nil || n != i {
			t.Fatalf("event %d: %v %v", i, e, err)
		}
	}
	same(t, "call", call[int](t, s, "echo1", 5), 5)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.Receive(ctx); !errors.Is(err, client.ErrTimeout) {
		t.Errorf("Receive with nothing to come: %v", err)
	}
	_ = s.Close()
	if _, err := s.Receive(patience(t)); !errors.Is(err, client.ErrNotConnected) {
		t.Errorf("Receive after Close: %v", err)
	}
}
