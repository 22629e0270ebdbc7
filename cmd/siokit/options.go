package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/wire/msgpack"
)

// options are what the command line asks for.
type options struct {
	url     string
	event   string // with its arguments; "" for a conversation
	args    []any
	ask     bool // wait for the ack of event
	json    bool
	listen  bool // go on after the input has ended
	count   int  // end after so many events; 0: never
	timeout time.Duration
	client  client.Options
}

const usage = `usage: siokit [flags] URL [event [argument ...]]

Connects to the Socket.IO server at URL, https://host or https://host/namespace, and prints the events that
arrive. With an event it sends that one and ends; otherwise it sends each line that is typed:

  say "hello" {"to":"all"}     an event and its arguments
  ?history lobby 10            the same, and prints the answer (the ack)

An argument is JSON, or else a word; @file is the file's content, as binary.

`

func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{client: client.Options{Header: http.Header{}}}
	f := flag.NewFlagSet("siokit", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() { fmt.Fprint(stderr, usage); f.PrintDefaults() }
	var auth, token, transport, parser string
	var insecure bool
	f.StringVar(&auth, "auth", "", "the auth payload: a JSON object, or @file for one in a file")
	f.StringVar(&token, "token", "", `short for -auth '{"token":"..."}'; DANGER: other users may see it in the list of processes, @file reads it from a file`)
	f.Func("H", `a header for every request, "Name: value"; may be repeated`, func(line string) error {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return errors.New(`want "Name: value"`)
		}
		o.client.Header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
		return nil
	})
	f.StringVar(&o.client.Path, "path", "/socket.io/", "where the server is mounted")
	f.StringVar(&transport, "transport", "", "polling or websocket alone; default polling, then websocket")
	f.StringVar(&parser, "parser", "", "msgpack if the server uses socket.io-msgpack-parser")
	f.BoolVar(&o.ask, "ack", false, "with an event: wait for the ack and print it")
	f.BoolVar(&o.json, "json", false, "print one JSON object per line, for other programs")
	f.BoolVar(&o.listen, "listen", false, "go on printing events after the event was sent, or the input has ended")
	f.IntVar(&o.count, "count", 0, "end after so many events; 0 never")
	f.DurationVar(&o.timeout, "timeout", 20*time.Second, "how long connecting, and each ack, may take")
	f.BoolVar(&insecure, "insecure", false, "DANGER: do not check the server's certificate: anybody in between reads and writes")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		return nil, fmt.Errorf("siokit: %w", err)
	}
	if f.NArg() == 0 {
		return nil, errors.New("siokit: which server? siokit https://example.com (siokit -help lists the flags)")
	}
	o.url = f.Arg(0)
	if f.NArg() > 1 {
		o.event = f.Arg(1)
		if name, _, _ := strings.Cut(strings.TrimLeft(o.event, "-"), "="); strings.HasPrefix(o.event, "-") && f.Lookup(name) != nil {
			return nil, fmt.Errorf("siokit: flags come before the URL: siokit %s %s", o.event, o.url)
		}
		for _, arg := range f.Args()[2:] {
			v, err := argument(arg)
			if err != nil {
				return nil, err
			}
			o.args = append(o.args, v)
		}
	} else if o.ask {
		return nil, errors.New("siokit: -ack needs an event: siokit -ack URL event")
	}
	switch transport {
	case "":
	case "polling", "websocket":
		o.client.Transports = []string{transport}
	default:
		return nil, fmt.Errorf("siokit: -transport must be polling or websocket, got %q", transport)
	}
	switch parser {
	case "":
	case "msgpack":
		o.client.Parser = msgpack.Parser{}
	default:
		return nil, fmt.Errorf("siokit: -parser must be msgpack, got %q", parser)
	}
	if insecure {
		o.client.TLS = &tls.Config{InsecureSkipVerify: true} // asked for by name
	}
	payload, err := authPayload(auth, token)
	if err != nil {
		return nil, err
	}
	if payload != nil {
		o.client.Auth = func(context.Context) (any, error) { return payload, nil }
	}
	o.client.Timeout = o.timeout
	o.client.Logger = slog.New(slog.DiscardHandler) // what matters is printed
	return o, nil
}

func authPayload(auth, token string) (any, error) {
	switch {
	case auth != "" && token != "":
		return nil, errors.New("siokit: -auth and -token are both set: put the token into -auth")
	case token != "":
		text, err := fileOr(token)
		return map[string]string{"token": strings.TrimSpace(text)}, err
	case auth != "":
		text, err := fileOr(auth)
		if err != nil {
			return nil, err
		}
		var payload map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &payload); err != nil {
			return nil, fmt.Errorf("siokit: -auth must be a JSON object: %w", err)
		}
		return payload, nil
	}
	return nil, nil
}

// fileOr returns the content of the file that @name names, or the text itself.
func fileOr(text string) (string, error) {
	name, isFile := strings.CutPrefix(text, "@")
	if !isFile {
		return text, nil
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("siokit: %w", err)
	}
	return string(data), nil
}

// argument reads one argument of an event.
func argument(text string) (any, error) {
	if name, isFile := strings.CutPrefix(text, "@"); isFile {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("siokit: %w (quote the argument to send a text that begins with @: '\"@...\"')", err)
		}
		return data, nil
	}
	if json.Valid([]byte(text)) {
		return json.RawMessage(text), nil
	}
	return text, nil
}
