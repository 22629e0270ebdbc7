package engineio

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/siokit/siokit/wire/eio"
)

// requestURL is the endpoint with the parameters of Engine.IO.
func (c *ClientConn) requestURL(transport string) string {
	u := *c.endpoint
	query, _ := url.ParseQuery(u.RawQuery)
	query.Del("sid")
	query.Set("EIO", "4")
	query.Set("transport", transport)
	if c.handshake.SID != "" {
		query.Set("sid", c.handshake.SID)
	}
	u.RawQuery = query.Encode()
	if transport == WebSocket {
		u.Scheme = "ws" + u.Scheme[len("http"):]
	}
	return u.String()
}

// request does one polling request and returns the body of a success.
func (c *ClientConn) request(ctx context.Context, method string, payload []byte) ([]byte, error) {
	var reader io.Reader
	if payload != nil {
		reader = bytes.NewReader(payload)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.requestURL(Polling), reader)
	if err != nil {
		return nil, c.unreachable(Polling, err)
	}
	r.Header = c.opts.Header.Clone()
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
	}
	if payload != nil {
		r.Header.Set("Content-Type", "text/plain;charset=UTF-8")
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, c.unreachable(Polling, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, c.refusedBy(Polling, resp, c.handshake.SID != "")
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, oneMore(c.opts.MaxMessage)))
	if err != nil {
		return nil, c.unreachable(Polling, err)
	}
	if int64(len(body)) > c.opts.MaxMessage {
		return nil, fmt.Errorf("engineio: the server sent a body of more than %d bytes: raise MaxMessage if that is right", c.opts.MaxMessage)
	}
	return body, nil
}

// pollOpening does the handshake. rest is what came after the OPEN packet.
func (c *ClientConn) pollOpening(ctx context.Context) (open eio.Packet, rest []byte, err error) {
	body, err := c.request(ctx, http.MethodGet, nil)
	if err != nil {
		return eio.Packet{}, nil, err
	}
	head, rest, _ := bytes.Cut(body, []byte{eio.Separator})
	open, err = opening(head)
	return open, rest, err
}

// opening checks the first packet of a server.
func opening(head []byte) (eio.Packet, error) {
	open, err := eio.Decode(head)
	if err == nil && open.Type == eio.Open && len(open.Data) > 0 && open.Data[0] == '{' {
		return open, nil
	}
	if i := bytes.Index(head[:min(len(head), 12)], []byte(":0{")); i > 0 {
		return eio.Packet{}, errors.New("the server speaks Engine.IO 3, that is Socket.IO 2: it needs version 3 or 4 (Flask-SocketIO 5)")
	}
	return eio.Packet{}, fmt.Errorf("the answer begins with %q, which is no Engine.IO handshake: this path is not a Socket.IO server's, which is usually at /socket.io/", clip(string(head[:min(len(head), 24)])))
}

// pollLoop asks for messages until the session ends or is to move to a WebSocket.
func (c *ClientConn) pollLoop(first []byte) {
	if len(first) > 0 && !c.takePayload(first) {
		return
	}
	for {
		c.mu.Lock()
		if c.state == stateClosed || c.pausing {
			c.polling = false
			c.changed.Broadcast()
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
		body, err := c.request(c.ctx, http.MethodGet, nil)
		if err != nil {
			c.end(TransportError, err)
			return
		}
		if !c.takePayload(body) {
			return
		}
	}
}

func (c *ClientConn) takePayload(body []byte) bool {
	for p, err := range eio.Packets(body) {
		if err != nil {
			c.end(ParseError, err)
			return false
		}
		if !c.take(p) {
			return false
		}
	}
	return true
}

// Bounds of a body beyond MaxPayload. python-engineio refuses one of more packets, and its older releases do
// not say how many bytes they take.
const (
	maxBodyPackets = 16
	cautiousBody   = 100_000
)

func (c *ClientConn) bodyLimit() int64 {
	if c.handshake.MaxPayload == 0 {
		return cautiousBody
	}
	return c.handshake.MaxPayload
}

// post sends a batch in as many bodies as the server asks for.
func (c *ClientConn) post(batch []*Message) error {
	limit := c.bodyLimit()
	var body []byte
	packets := 0
	flush := func() error {
		if packets == 0 {
			return nil
		}
		_, err := c.request(c.ctx, http.MethodPost, body) // "ok", or "OK" from Python
		body, packets = nil, 0
		return err
	}
	add := func(size int, p eio.Packet, raw []byte) error {
		if packets == maxBodyPackets || packets > 0 && int64(len(body)+1+size) > limit {
			if err := flush(); err != nil {
				return err
			}
		}
		if packets++; packets > 1 {
			body = append(body, eio.Separator)
		}
		if raw != nil {
			body = append(body, raw...)
		} else {
			body = eio.Append(body, p)
		}
		return nil
	}
	for _, m := range batch {
		var err error
		if m.binary {
			err = add(base64Size(m.data()), eio.Packet{Type: eio.Message, Binary: true, Data: m.data()}, nil)
		} else {
			err = add(len(m.text()), eio.Packet{}, m.text())
		}
		for i := 0; err == nil && i < len(m.attachments); i++ {
			a := m.attachments[i]
			err = add(base64Size(a), eio.Packet{Type: eio.Message, Binary: true, Data: a}, nil)
		}
		if err != nil {
			return err
		}
	}
	return flush()
}

// base64Size is what binary data takes in a polling body.
func base64Size(data []byte) int { return 1 + base64.StdEncoding.EncodedLen(len(data)) }
