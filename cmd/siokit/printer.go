package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/siokit/siokit/client"
)

// printer writes what happens: for people, or as one JSON object per line.
type printer struct {
	mu             sync.Mutex
	stdout, stderr io.Writer // guarded by mu
	json           bool
}

func newPrinter(stdout, stderr io.Writer, asJSON bool) *printer {
	return &printer{stdout: stdout, stderr: stderr, json: asJSON}
}

// line is the form for other programs. Binary values are {"base64": "..."}.
type line struct {
	Type      string `json:"type"` // connect, event, ack, disconnect, reconnect_error, error
	Event     string `json:"event,omitempty"`
	Args      []any  `json:"args,omitempty"`
	ID        string `json:"id,omitempty"`
	Transport string `json:"transport,omitempty"`
	Message   string `json:"message,omitempty"`
	Data      any    `json:"data,omitempty"` // of a refusal
}

func (p *printer) print(to io.Writer, l line, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.json {
		fmt.Fprintln(to, text)
		return
	}
	out := json.NewEncoder(p.stdout)
	out.SetEscapeHTML(false)
	_ = out.Encode(l) // a closed pipe shows at the next signal
}

func (p *printer) connected(s *client.Socket, transport string) {
	p.print(p.stderr, line{Type: "connect", ID: s.ID(), Transport: transport},
		fmt.Sprintf("* connected to %s as %s over %s", s.Namespace(), s.ID(), transport))
}

func (p *printer) note(kind, message string) {
	p.print(p.stderr, line{Type: kind, Message: message}, "* "+strings.ReplaceAll(kind, "_", " ")+": "+message)
}

// flags puts the command's flags in the place of the fields that the packages' errors name.
var flags = strings.NewReplacer("Options.Path", "-path", "Options.Parser", "-parser", "Options.Timeout", "-timeout",
	"RootCAs of the TLS configuration", "the file that SSL_CERT_FILE names, or use -insecure")

// failure prints why the program ends: always to stderr, and as a line for other programs if they read.
func (p *printer) failure(err error) {
	text := flags.Replace(err.Error())
	if p.json {
		l := line{Type: "error", Message: text}
		if refused, ok := errors.AsType[*client.ConnectError](err); ok && len(refused.Data) > 0 {
			l.Data = refused.Data
		}
		p.print(p.stdout, l, "")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintln(p.stderr, text)
}

// event prints an event or an ack.
func (p *printer) event(kind, name string, args client.Args) {
	values := make([]any, args.Len())
	texts := make([]string, args.Len())
	for i := range values {
		if err := args.Decode(i, &values[i]); err != nil {
			values[i] = err.Error()
		}
		texts[i] = string(args.Raw(i))
		if shown, found := binary(values[i]); found {
			values[i] = shown
			text, _ := json.Marshal(shown) // it came from JSON
			texts[i] = string(text)
		} else {
			values[i] = args.Raw(i) // digits and order as they came
		}
	}
	arrow := "<-"
	if kind == "ack" {
		arrow = "<="
	}
	p.print(p.stdout, line{Type: kind, Event: name, Args: values}, strings.TrimSpace(fmt.Sprintf("%s %s %s", arrow, name, strings.Join(texts, " "))))
}

// binary puts {"base64": ...} in the place of bytes, and reports whether there were any.
func binary(v any) (shown any, found bool) {
	switch v := v.(type) {
	case []byte:
		return map[string][]byte{"base64": v}, true
	case []any:
		for i := range v {
			var one bool
			v[i], one = binary(v[i])
			found = found || one
		}
	case map[string]any:
		for name := range v {
			var one bool
			v[name], one = binary(v[name])
			found = found || one
		}
	}
	return v, found
}
