package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func serve(t *testing.T) string {
	srv, err := core.New(core.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for _, ns := range []string{"/", "/admin"} {
		core.On(srv.Of(ns), "say", func(c *core.Context, in core.Args) error {
			args := make([]any, in.Len())
			for i := range args {
				if err := in.Decode(i, &args[i]); err != nil {
					return err
				}
			}
			return c.Emit("said", args...)
		})
		core.OnCall(srv.Of(ns), "whoami", func(c *core.Context, _ core.None) (core.Args2[string, string], error) {
			var auth struct {
				Token string `json:"token"`
			}
			err := c.Auth(&auth)
			return core.Args2[string, string]{A: auth.Token, B: c.Handshake().Header.Get("X-Test") + c.Namespace().Name()}, err
		})
	}
	ts := httptest.NewServer(srv)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		ts.Close()
	})
	return ts.URL
}

// siokit runs the command to its end.
func siokit(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var out, errs bytes.Buffer
	code = run(ctx, args, strings.NewReader(stdin), &out, &errs)
	if ctx.Err() != nil {
		t.Errorf("siokit %q did not end", args)
	}
	return code, out.String(), errs.String()
}

func TestOneShot(t *testing.T) {
	url := serve(t)
	file := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(file, []byte{0, 1, 255}, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, transport := range []string{"polling", "websocket"} {
		for name, test := range map[string]struct {
			args []string
			want string
		}{
			"emit and listen": {[]string{"-count", "1", url, "say", "hello", `{"n":12345678901234567890}`, "7", "two words"}, `<- said "hello" {"n":12345678901234567890} 7 "two words"` + "\n"},
			"binary":          {[]string{"-count", "1", url, "say", "@" + file}, `<- said {"base64":"AAH/"}` + "\n"},
			"ack":             {[]string{"-ack", "-token", "secret", "-H", "X-Test: yes", url + "/admin", "whoami"}, `<= whoami "secret" "yes/admin"` + "\n"},
			"auth as json":    {[]string{"-ack", "-json", "-auth", `{"token":"s"}`, url, "whoami"}, `{"type":"ack","event":"whoami","args":["s","/"]}` + "\n"},
		} {
			t.Run(transport+" "+name, func(t *testing.T) {
				code, out, errs := siokit(t, "", append([]string{"-transport", transport}, test.args...)...)
				if !strings.Contains(out, test.want) || code != exitOK {
					t.Errorf("code %d, stdout %q, want %q, stderr %q", code, out, test.want, errs)
				}
			})
		}
	}
}

func TestConversation(t *testing.T) {
	url := serve(t)
	input, typing := io.Pipe()
	reader, output := io.Pipe()
	done := make(chan int, 1)
	var errs bytes.Buffer
	go func() { done <- run(t.Context(), []string{"-json", url}, input, output, &errs) }()
	lines := bufio.NewScanner(reader)
	next := func() string {
		if !lines.Scan() {
			t.Fatal("the output has ended")
		}
		return lines.Text()
	}
	if got := next(); !strings.HasPrefix(got, `{"type":"connect","id":"`) {
		t.Errorf("first %q", got)
	}
	for line, want := range map[string]string{
		`say "a b" [1, 2] word`: `{"type":"event","event":"said","args":["a b",[1,2],"word"]}`,
		`?whoami`:               `{"type":"ack","event":"whoami","args":["","/"]}`,
		`say {"broken"`:         `{"type":"error","message":"siokit: {\"broken\": this is not JSON: unexpected EOF"}`,
		`"say" ""`:              `{"type":"event","event":"said","args":[""]}`,
	} {
		if _, err := io.WriteString(typing, line+"\n\n"); err != nil {
			t.Fatal(err)
		}
		if got := next(); got != want {
			t.Errorf("%s: got %s, want %s", line, got, want)
		}
	}
	_ = typing.Close()
	go func() { _, _ = io.Copy(io.Discard, reader) }()
	if code := <-done; code != exitOK {
		t.Errorf("code %d, stderr %q", code, errs.String())
	}
	_ = output.Close()
}

// A server that greets as soon as it has let one in is no reason to fail, nor to keep the event to oneself.
func TestCountOfEarlyEvents(t *testing.T) {
	said := make(chan string, 100)
	srv, err := core.New(core.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	srv.OnConnect(func(c *core.Context) error { return c.Emit("hello") })
	core.On(srv, "say", func(c *core.Context, in string) error { said <- in; return nil })
	core.OnCall(srv, "ask", func(c *core.Context, in string) (string, error) { return in, nil })
	ts := httptest.NewServer(srv)
	t.Cleanup(ts.Close)
	t.Cleanup(func() { _ = srv.Shutdown(context.Background()) })
	for range 10 {
		if code, out, errs := siokit(t, "", "-count", "1", ts.URL, "say", "hi"); code != exitOK || out != "<- hello\n" {
			t.Fatalf("code %d, stdout %q, stderr %q", code, out, errs)
		}
		select {
		case <-said:
		case <-time.After(30 * time.Second):
			t.Fatal("the event was not sent")
		}
		if code, out, errs := siokit(t, "", "-count", "1", "-ack", ts.URL, "ask", "me"); code != exitOK || !strings.Contains(out, `<= ask "me"`) {
			t.Fatalf("code %d, stdout %q, stderr %q", code, out, errs)
		}
	}
}

// remembering is a listener whose connections a test can cut.
type remembering struct {
	net.Listener
	conns chan net.Conn
}

func (l remembering) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.conns <- c
	}
	return c, err
}

// What was typed while there was no connection is sent before the command ends, or it fails.
func TestInputThatEndsWithoutAConnection(t *testing.T) {
	said := make(chan string, 100)
	srv, err := core.New(core.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	core.On(srv, "say", func(c *core.Context, in string) error { said <- in; return nil })
	ts := httptest.NewUnstartedServer(srv)
	conns := make(chan net.Conn, 100)
	ts.Listener = remembering{ts.Listener, conns}
	ts.Start()
	t.Cleanup(ts.Close)
	t.Cleanup(func() { _ = srv.Shutdown(context.Background()) })
	input, typing := io.Pipe()
	reader, output := io.Pipe()
	done := make(chan int, 1)
	go func() {
		done <- run(t.Context(), []string{"-json", "-transport", "websocket", ts.URL}, input, output, io.Discard)
		_ = output.Close()
	}()
	lines := bufio.NewScanner(reader)
	next := func(kind string) {
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), `{"type":"`+kind) {
			t.Fatalf("got %s, want a %s", lines.Text(), kind)
		}
	}
	next("connect")
	_ = (<-conns).Close()
	next("disconnect")
	if _, err := io.WriteString(typing, "say late\n"); err != nil {
		t.Fatal(err)
	}
	_ = typing.Close()
	for lines.Scan() { // until the command has ended
	}
	if code := <-done; code != exitOK {
		t.Errorf("code %d", code)
	}
	select {
	case got := <-said:
		if got != "late" {
			t.Errorf("the server got %q", got)
		}
	case <-time.After(30 * time.Second):
		t.Error("the command has ended well, and the server has got nothing")
	}
}

// Other programs read why it failed where they read everything else.
func TestRefusalAsJSON(t *testing.T) {
	srv, err := core.New(core.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	srv.OnConnect(func(c *core.Context) error {
		return &core.ConnectError{Message: "token expired", Data: map[string]int{"code": 401}}
	})
	ts := httptest.NewServer(srv)
	t.Cleanup(ts.Close)
	t.Cleanup(func() { _ = srv.Shutdown(context.Background()) })
	code, out, errs := siokit(t, "", "-json", ts.URL, "x")
	if code != exitFailed || !strings.HasPrefix(out, `{"type":"error","message":"client: the server refuses`) || !strings.HasSuffix(out, `"data":{"code":401}}`+"\n") || !strings.Contains(errs, "token expired") {
		t.Errorf("code %d, stdout %q, stderr %q", code, out, errs)
	}
}

func TestFailuresSayWhatToDo(t *testing.T) {
	url := serve(t)
	for name, test := range map[string]struct {
		code int
		args []string
		want string
	}{
		"no server":         {exitUsage, nil, "which server"},
		"bad flag":          {exitUsage, []string{"-transport", "pigeon", url}, "polling or websocket"},
		"bad auth":          {exitUsage, []string{"-auth", "7", url}, "JSON object"},
		"nothing listens":   {exitFailed, []string{"http://127.0.0.1:1", "x"}, "nothing listens there"},
		"unknown namespace": {exitFailed, []string{url + "/socket.io/", "x"}, "is mounted is -path"},
		"flag after URL":    {exitUsage, []string{url, "-json"}, "siokit -json " + url},
		"wrong path":        {exitFailed, []string{"-path", "/elsewhere/", url, "x"}, "(-path)"},
		// The time is that of connecting, too.
		"no ack":   {exitFailed, []string{"-timeout", "4s", "-ack", url, "unknown"}, "does it have a handler"},
		"reserved": {exitFailed, []string{url, "connect"}, "reserved"},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, errs := siokit(t, "", test.args...)
			if code != test.code || !strings.Contains(errs, test.want) {
				t.Errorf("code %d, stderr %q, want %d and %q", code, errs, test.code, test.want)
			}
		})
	}
	if code, _, errs := siokit(t, "", "-help"); code != exitOK || !strings.Contains(errs, "usage: siokit") {
		t.Errorf("-help: %d %q", code, errs)
	}
}
