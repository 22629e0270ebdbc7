package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/siokit/siokit/engineio"
	"github.com/siokit/siokit/wire/sio"
)

func (c *Client) encodeEvent(ns string, id int64, event string, args []any) (*engineio.Message, error) {
	return message(c.encoder.Event(make([]byte, engineio.Headroom, 128), ns, id, event, args))
}

func (c *Client) encodeAck(ns string, id int64, args []any) (*engineio.Message, error) {
	return message(c.encoder.Ack(make([]byte, engineio.Headroom, 128), ns, id, args))
}

func (c *Client) encodeConnect(ns string, auth any) (*engineio.Message, error) {
	return message(c.encoder.Connect(make([]byte, engineio.Headroom, 128), ns, auth))
}

func (c *Client) encodeDisconnect(ns string) (*engineio.Message, error) {
	return message(c.encoder.Disconnect(make([]byte, engineio.Headroom, 32), ns))
}

// message copies the attachments: they are the caller's slices and are written later.
func message(f sio.Frame, err error) (*engineio.Message, error) {
	if err != nil {
		return nil, err
	}
	for i, a := range f.Attachments {
		f.Attachments[i] = slices.Clone(a)
	}
	if f.Binary {
		return engineio.NewBinaryMessage(f.Data, f.Attachments...), nil
	}
	return engineio.NewMessage(f.Data, f.Attachments...), nil
}

// withSession adds what connection state recovery needs to the auth payload, whose own members win.
func withSession(auth any, pid, offset string) (any, error) {
	if pid == "" {
		return auth, nil
	}
	members := map[string]any{"pid": pid}
	if offset != "" {
		members["offset"] = offset
	}
	if auth == nil {
		return members, nil
	}
	raw, err := json.Marshal(auth)
	if err != nil {
		return nil, fmt.Errorf("client: the auth payload: %w", err)
	}
	var own map[string]json.RawMessage
	if err := json.Unmarshal(raw, &own); err != nil {
		return nil, errors.New("client: the auth payload must be a JSON object, such as a struct or a map")
	}
	for name, value := range own {
		members[name] = value
	}
	return members, nil
}
