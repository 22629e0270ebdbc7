//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// polling counts round trips of clients on the polling transport: a POST that
// carries an event, and the GET that fetches its acknowledgement. Each client
// keeps one HTTP connection alive and has one request on it at a time.
type polling struct {
	clients int

	pollers []*poller
	stopped bool
	count   int64
	flying  int
}

// poller is one client of polling.
type poller struct {
	*conn
	p      *polling
	sid    string                  // of the Engine.IO session, "" before the handshake
	answer func(body []byte) error // takes the body of the next response
	get    []byte                  // the GET request, whole
	post   []byte                  // the POST request that carries the event
	idAt   int                     // where in post its ack id is
	number int
	want   []byte
}

const packetSeparator = 0x1e

func (p *polling) open(l *loop) error {
	ready := 0
	for i := range p.clients {
		c, err := l.dial()
		if err != nil {
			return err
		}
		po := &poller{conn: c, p: p, number: firstNumber}
		c.feed = po.responses
		p.pollers = append(p.pollers, po)
		if err := po.handshake(i, func() { ready++ }); err != nil {
			return err
		}
	}
	return l.runUntil(func() bool { return ready == p.clients },
		func() string { return fmt.Sprintf("%d of %d polling clients connected", ready, p.clients) })
}

// handshake opens the session and connects to "/".
func (po *poller) handshake(user int, ready func()) error {
	po.answer = func(body []byte) error {
		var open struct{ SID string }
		if len(body) == 0 || body[0] != '0' {
			return fmt.Errorf("bench: handshake %q is no OPEN packet", body)
		}
		if err := json.Unmarshal(body[1:], &open); err != nil || open.SID == "" {
			return fmt.Errorf("bench: handshake %q names no session", body)
		}
		po.sid = open.SID
		po.get = po.request("GET", "")
		message := say(user, firstNumber)
		event := fmt.Sprintf(`42%d["echo",%s]`, firstNumber, message)
		po.post = po.request("POST", event)
		po.idAt = len(po.post) - len(event) + ackIDAt
		po.want = fmt.Appendf(nil, `43%d[%s]`, firstNumber, message)
		po.answer = func(body []byte) error {
			if err := accepted(body); err != nil {
				return err
			}
			po.answer = func(body []byte) error {
				if !bytes.HasPrefix(body, []byte(`40{"sid":"`)) {
					return fmt.Errorf("bench: %q does not accept CONNECT", body)
				}
				ready()
				return nil
			}
			return po.write(po.get)
		}
		return po.write(po.request("POST", "40"))
	}
	return po.write(po.request("GET", ""))
}

// request builds a request of the session, or for one when there is none yet.
func (po *poller) request(method, body string) []byte {
	b := fmt.Appendf(nil, "%s /socket.io/?EIO=4&transport=polling", method)
	if po.sid != "" {
		b = fmt.Appendf(b, "&sid=%s", po.sid)
	}
	b = fmt.Appendf(b, " HTTP/1.1\r\nHost: %s\r\n", po.l.addr)
	if method == "POST" {
		b = fmt.Appendf(b, "Content-Type: text/plain;charset=UTF-8\r\nContent-Length: %d\r\n", len(body))
	}
	return append(append(b, "\r\n"...), body...)
}

// responses consumes one response: only one request is ever outstanding.
func (po *poller) responses(b []byte) ([]byte, error) {
	body, ok, err := cutResponse(b)
	if err != nil || !ok {
		return b, err
	}
	return nil, po.answer(body)
}

// cutResponse returns the body of the one response in b; ok is false when b
// holds only a part of it.
func cutResponse(b []byte) (body []byte, ok bool, err error) {
	head, rest, found := bytes.Cut(b, []byte("\r\n\r\n"))
	if !found {
		return nil, false, nil
	}
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 200 ")) {
		return nil, false, fmt.Errorf("bench: the server answered %q", b)
	}
	for line := range bytes.Lines(head) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		if !bytes.EqualFold(name, []byte("Content-Length")) {
			continue
		}
		n, err := strconv.Atoi(string(bytes.TrimSpace(value)))
		if err != nil || n < len(rest) {
			return nil, false, fmt.Errorf("bench: %d bytes follow a head that says %q", len(rest), line)
		}
		return rest, n == len(rest), nil
	}
	return nil, false, fmt.Errorf("bench: response without Content-Length: %q", head)
}

func accepted(body []byte) error {
	if string(body) != "ok" {
		return fmt.Errorf("bench: the answer to a POST is %q, not ok", body)
	}
	return nil
}

func (p *polling) start() error {
	for _, po := range p.pollers {
		if err := po.trip(); err != nil {
			return err
		}
	}
	return nil
}

// trip makes one round trip, and the next when it is over.
func (po *poller) trip() error {
	po.p.flying++
	setNumber(po.post[po.idAt:], po.number)
	po.answer = func(body []byte) error {
		po.answer = po.fetched
		return errors.Join(accepted(body), po.write(po.get))
	}
	return po.write(po.post)
}

// fetched takes the answer to the GET. A window is shorter than the ping
// interval, but rounds on a slow machine need not be: then the GET is repeated.
func (po *poller) fetched(body []byte) error {
	if string(body) == "2" {
		return po.write(po.get)
	}
	setNumber(po.want[ackIDAt:], po.number)
	if rest, ok := bytes.CutPrefix(body, []byte{'2', packetSeparator}); ok {
		body = rest
	}
	if !bytes.Equal(body, po.want) {
		return fmt.Errorf("bench: polling: got %q, want %q", body, po.want)
	}
	po.number = nextNumber(po.number)
	po.p.count++
	po.p.flying--
	if po.p.stopped {
		return nil
	}
	return po.trip()
}

func (p *polling) stop()           { p.stopped = true }
func (p *polling) finished() int64 { return p.count }
func (p *polling) pending() int    { return p.flying }

// part closes the sessions, which would otherwise stay until their heartbeat fails.
func (p *polling) part() error {
	left := len(p.pollers)
	for _, po := range p.pollers {
		po.answer = func(body []byte) error {
			left--
			return accepted(body)
		}
		if err := po.write(po.request("POST", "1")); err != nil {
			return err
		}
	}
	return p.pollers[0].l.runUntil(func() bool { return left == 0 },
		func() string { return fmt.Sprintf("%d polling clients could not close their session", left) })
}
