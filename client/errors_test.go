package client_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/engineio"
	"github.com/siokit/siokit/wire/msgpack"
)

// Every way to fail says what to do, and shows neither the query nor the session id.
func TestFailuresSayWhatToDo(t *testing.T) {
	handler := func(f http.HandlerFunc) string {
		ts := httptest.NewServer(f)
		t.Cleanup(ts.Close)
		return ts.URL
	}
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	plain := serve(t, core.Config{}, nil)
	for name, test := range map[string]struct {
		url  string
		opts client.Options
		want string
	}{
		"wrong path":           {handler(http.NotFound), client.Options{}, "is it /socket.io/ with both slashes (Options.Path)"},
		"not a socket.io site": {handler(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }), client.Options{Transports: []string{"polling"}}, "no Engine.IO handshake"},
		"no upgrade":           {handler(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }), client.Options{Transports: wsOnly}, "no WebSocket server"},
		"version 3": {handler(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"code":5,"message":"Unsupported protocol version"}`)
		}), client.Options{}, "Engine.IO 4"},
		"old python": {handler(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `"The client is using an unsupported version of the Socket.IO or Engine.IO protocols"`)
		}), client.Options{}, "Engine.IO 4"},
		"answers in version 3": {handler(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `96:0{"sid":"x"}2:40`) }), client.Options{Transports: []string{"polling"}}, "Engine.IO 3"},
		"origin":               {plain, client.Options{Header: http.Header{"Origin": {"https://evil.example"}}}, "Origin header"},
		"credentials":          {handler(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }), client.Options{}, "wants credentials"},
		"busy":                 {handler(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }), client.Options{}, "try again later"},
		"gateway":              {handler(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }), client.Options{}, "proxy in front"},
		"nothing listens":      {"http://127.0.0.1:1", client.Options{}, "nothing listens there"},
		"no such host":         {"http://host..invalid", client.Options{}, "spelled right"}, // which no resolver is asked about
		"certificate":          {secure.URL, client.Options{}, "RootCAs"},
		"no tls":               {strings.Replace(plain, "http:", "https:", 1), client.Options{}, "use http://"},
		"tls":                  {strings.Replace(secure.URL, "https:", "http:", 1), client.Options{}, "use https://"},
		"hangs up":             {handler(func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }), client.Options{}, "https:// on this port"},
		"node's origin check": {handler(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, "origin not allowed")
		}), client.Options{Transports: wsOnly}, `"origin not allowed": the server refuses this WebSocket: if you send an Origin`},
		"silent":            {handler(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), client.Options{Timeout: 50 * time.Millisecond}, "firewall"},
		"no scheme":         {"127.0.0.1:80", client.Options{}, "like https://"},
		"another parser":    {plain, client.Options{Parser: msgpack.Parser{}}, "Options.Parser"},
		"path as namespace": {plain + "/socket.io/", client.Options{}, "Options.Path"},
	} {
		t.Run(name, func(t *testing.T) {
			ways := [][]string{{"polling"}, {"websocket"}}
			if test.opts.Transports != nil {
				ways = [][]string{test.opts.Transports}
			}
			for _, way := range ways {
				opts := test.opts
				opts.Transports = way
				opts.Logger = slog.New(slog.DiscardHandler)
				c, err := client.New(test.url+"?secret=hunter2", opts)
				if err == nil {
					err = c.Connect(within(t))
				}
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("%v: %v, want %q", way, err, test.want)
				}
				if err != nil && strings.Contains(err.Error(), "hunter2") {
					t.Errorf("%v: the query is in %v", way, err)
				}
			}
		})
	}
}

// V-28: certificates are checked, on both transports, unless somebody says otherwise.
func TestCertificatesAreChecked(t *testing.T) {
	srv, err := core.New(core.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ts := httptest.NewUnstartedServer(srv)
	ts.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	ts.StartTLS()
	t.Cleanup(ts.Close)
	t.Cleanup(func() { _ = srv.Shutdown(context.Background()) })
	roots := x509.NewCertPool()
	roots.AddCert(ts.Certificate())
	everyTransport(t, func(t *testing.T, opts client.Options) {
		var unknown x509.UnknownAuthorityError
		if err := newClient(t, ts.URL, opts).Connect(within(t)); !errors.As(err, &unknown) {
			t.Errorf("unknown authority: %v", err)
		}
		opts.TLS = &tls.Config{RootCAs: roots, ServerName: "other.test"}
		var hostname x509.HostnameError
		if err := newClient(t, ts.URL, opts).Connect(within(t)); !errors.As(err, &hostname) {
			t.Errorf("other name: %v", err)
		}
		opts.TLS = &tls.Config{RootCAs: roots}
		c := newClient(t, ts.URL, opts)
		connect(t, c)
		for len(opts.Transports) == 0 && c.Transport() != "websocket" {
			time.Sleep(time.Millisecond)
		}
		_ = c.Close()
		opts.TLS = &tls.Config{InsecureSkipVerify: true}
		connect(t, newClient(t, ts.URL, opts))
	})
}

// V-29: nothing follows a redirect to another host.
func TestRedirectsCarryNoCredentials(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the other host was asked, with %v", r.Header)
	}))
	t.Cleanup(other.Close)
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+"/socket.io/?"+r.URL.RawQuery, http.StatusTemporaryRedirect)
	}))
	t.Cleanup(ts.Close)
	for _, way := range []string{"polling", "websocket"} {
		c := newClient(t, ts.URL, client.Options{Transports: []string{way}, Header: http.Header{"Authorization": {"Bearer x"}, "X-Api-Key": {"k"}}})
		err := c.Connect(within(t))
		var failed *engineio.DialError
		if !errors.As(err, &failed) || !strings.Contains(err.Error(), "redirect") {
			t.Errorf("%s: %v", way, err)
		}
	}
}

// A server that breaks the protocol ends the connection, and nothing else.
func TestHostileServers(t *testing.T) {
	open := func(rest string) http.HandlerFunc {
		first := true
		return func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodPost:
				fmt.Fprint(w, "ok")
			case first:
				first = false
				fmt.Fprint(w, `0{"sid":"secret-engine-id","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}`)
			default:
				fmt.Fprint(w, rest)
			}
		}
	}
	deep, _ := json.Marshal(strings.Repeat("[", 20_000))
	for name, body := range map[string]string{
		"not a packet":              "what",
		"bad type":                  "9",
		"open again":                `0{"sid":"y"}`,
		"invalid utf-8":             "40\xff",
		"base64":                    "b!",
		"empty":                     "",
		"unannounced binary":        "bAAAA",
		"too many attachments":      `451111-["x"]`,
		"placeholder of nothing":    `451-["x",{"_placeholder":true,"num":7}]` + "\x1ebAAAA",
		"no sid":                    "40{}",
		"protocol 4":                "40",
		"reserved":                  `40{"sid":"x"}` + "\x1e" + `42["disconnect"]`,
		"not json":                  `40{"sid":"x"}` + "\x1e" + `42["x",}`,
		"deep":                      `40{"sid":"x"}` + "\x1e" + `42["x",` + strings.Repeat("[", 20_000) + `]`,
		"a string that looks deep":  `40{"sid":"x"}` + "\x1e" + `42["x",` + string(deep) + "]\x1e1",
		"an ack that nobody wanted": `40{"sid":"x"}` + "\x1e4399[1]\x1e1",
		"closed":                    "1",
		"too large":                 "4" + strings.Repeat("x", 2000),
	} {
		t.Run(name, func(t *testing.T) {
			ts := httptest.NewServer(open(body))
			t.Cleanup(ts.Close)
			c := newClient(t, ts.URL, client.Options{DisableReconnection: true, MaxMessage: 50_000})
			if name == "too large" {
				c = newClient(t, ts.URL, client.Options{DisableReconnection: true, MaxMessage: 1000})
			}
			err := c.Connect(within(t))
			if err == nil {
				err = c.Wait()
			}
			var ended *client.DisconnectError
			if !errors.As(err, &ended) || strings.Contains(err.Error(), "secret-engine-id") {
				t.Errorf("%v", err)
			}
		})
	}
}
