package conformance

import (
	"encoding/json"
	"errors"

	"github.com/siokit/siokit/wire/sio"
)

// objects is a parser as an application might write one, and the twin of js/objects.mjs: every packet is one
// JSON object in a text message, {"type":2,"nsp":"/","data":["say","hi"]}, with binary values as base64 beside
// the placeholders.
type objects struct{}

type object struct {
	Type      sio.Type        `json:"type"`
	Namespace string          `json:"nsp"`
	ID        *int64          `json:"id,omitempty"`
	Data      json.RawMessage `json:"data,omitempty"`
	Binary    [][]byte        `json:"binary,omitempty"`
	Marker    string          `json:"marker,omitempty"`
}

func (objects) Encode(dst []byte, p sio.Packet) (sio.Frame, error) {
	o := object{Type: p.Type, Namespace: p.Namespace, Data: p.Data, Binary: p.Attachments, Marker: p.Marker}
	if p.HasID {
		o.ID = &p.ID
	}
	text, err := json.Marshal(o)
	return sio.Frame{Data: append(dst, text...)}, err
}

func (objects) NewDecoder(sio.Side, *sio.Limits) sio.PacketDecoder { return objects{} }

func (objects) Text(msg []byte) (p sio.Packet, complete bool, err error) {
	var o object
	if err := json.Unmarshal(msg, &o); err != nil {
		return sio.Packet{}, false, err
	}
	p = sio.Packet{Type: o.Type, Namespace: o.Namespace, Data: o.Data, Attachments: o.Binary, Marker: o.Marker}
	if o.ID != nil {
		p.ID, p.HasID = *o.ID, true
	}
	return p, true, nil
}

func (objects) Binary([]byte) (sio.Packet, bool, error) {
	return sio.Packet{}, false, errors.New("conformance: a binary message: packets are text")
}
