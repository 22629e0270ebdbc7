package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/siokit/siokit/client"
)

// talk connects and does what the options say.
func talk(ctx context.Context, o *options, stdin io.Reader, p *printer) error {
	c, err := client.New(o.url, o.client)
	if err != nil {
		return err
	}
	counted, enough := context.WithCancel(ctx) // a server may greet before Connect has returned
	defer enough()
	watch(c, o, p, enough)
	if err := c.Connect(ctx); err != nil {
		if ctx.Err() != nil {
			return errors.New("siokit: interrupted before there was a connection")
		}
		return err
	}
	defer func() { _ = c.Close() }()
	if o.event != "" {
		err := send(ctx, c, o, p, o.ask, o.event, o.args)
		if err == nil && !o.listen && o.count == 0 {
			return flush(ctx, c, o)
		}
		if err != nil {
			return err
		}
		return wait(counted, c)
	}
	input := make(chan error, 1)
	go func() { input <- converse(counted, c, o, p, stdin) }() // ends with the input, or with the program
	ended := make(chan error, 1)
	go func() { ended <- wait(counted, c) }()
	select {
	case err := <-input:
		if err != nil || !o.listen && o.count == 0 {
			if err == nil {
				err = flush(counted, c, o)
			}
			enough()
			_ = c.Close()
			return errors.Join(err, <-ended)
		}
		return <-ended
	case err := <-ended:
		return err
	}
}

// wait waits until the connection is over for good. Being interrupted is no error.
func wait(ctx context.Context, c *client.Client) error {
	stop := context.AfterFunc(ctx, c.Disconnect)
	defer stop()
	return c.Wait()
}

// flush waits for a connection if something is still to be sent. Being interrupted is no error.
func flush(ctx context.Context, c *client.Client, o *options) error {
	trying, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	if err := c.Flush(trying); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// watch prints what happens.
func watch(c *client.Client, o *options, p *printer, enough func()) {
	var mu sync.Mutex
	seen := 0 // guarded by mu
	s := c.Of("")
	s.OnConnect(func(context.Context) { p.connected(s, c.Transport()) })
	s.OnDisconnect(func(_ context.Context, reason client.Reason) { p.note("disconnect", string(reason)) })
	c.OnReconnectError(func(_ context.Context, err error) { p.note("reconnect_error", err.Error()) })
	s.OnAny(func(_ context.Context, event string, args client.Args) {
		mu.Lock()
		defer mu.Unlock()
		if o.count > 0 && seen >= o.count {
			return
		}
		p.event("event", event, args)
		if seen++; seen == o.count {
			enough()
		}
	})
}

// send emits an event, or asks with it and prints the answer.
func send(ctx context.Context, c *client.Client, o *options, p *printer, ask bool, event string, args []any) error {
	if !ask {
		return c.Emit(event, args...)
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	answer, err := client.Call[client.Args](ctx, c, event, args...)
	if err != nil {
		return fmt.Errorf("%w (event %q)", err, event)
	}
	p.event("ack", event, answer)
	return nil
}

// converse sends the lines of the input. What is wrong with a line is printed, and the next one is read.
func converse(ctx context.Context, c *client.Client, o *options, p *printer, stdin io.Reader) error {
	lines := bufio.NewScanner(stdin)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" {
			continue
		}
		line, ask := strings.CutPrefix(line, "?")
		event, args, err := words(line)
		if err == nil {
			err = send(ctx, c, o, p, ask, event, args)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			p.note("error", err.Error())
		}
	}
	return lines.Err()
}

// words splits a line into an event and its arguments: JSON values, words and @files, with space between.
func words(line string) (event string, args []any, err error) {
	var all []string
	for rest := strings.TrimSpace(line); rest != ""; rest = strings.TrimSpace(rest) {
		word, after, err := cutWord(rest)
		if err != nil {
			return "", nil, err
		}
		all, rest = append(all, word), after
	}
	if len(all) == 0 {
		return "", nil, errors.New("siokit: a line is an event and its arguments: say \"hello\"")
	}
	if json.Unmarshal([]byte(all[0]), &event) != nil { // a quoted name may hold spaces
		event = all[0]
	}
	for _, word := range all[1:] {
		v, err := argument(word)
		if err != nil {
			return "", nil, err
		}
		args = append(args, v)
	}
	return event, args, nil
}

// cutWord takes one JSON value or word off the front of a line.
func cutWord(line string) (word, rest string, err error) {
	if strings.ContainsRune(`"{[`, rune(line[0])) {
		decoder := json.NewDecoder(bytes.NewReader([]byte(line)))
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return "", "", fmt.Errorf("siokit: %.40s: this is not JSON: %w", line, err)
		}
		return string(value), line[decoder.InputOffset():], nil
	}
	if i := strings.IndexAny(line, " \t"); i >= 0 {
		return line[:i], line[i:], nil
	}
	return line, "", nil
}
