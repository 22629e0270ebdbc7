package nodewire

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/siokit/siokit/cluster"
	"github.com/siokit/siokit/wire/sio"
)

// socket is what members tell each other about one.
type socket struct {
	ID        string         `json:"id"`
	Handshake handshake      `json:"handshake"`
	Rooms     names          `json:"rooms"`
	Data      jsontext.Value `json:"data,omitzero"`
}

// handshake has the fields that Node's applications may look at. Headers, Query and Auth stay empty: they hold
// credentials.
type handshake struct {
	Headers   struct{} `json:"headers"`
	Time      string   `json:"time"` // as Date's toString writes it
	Address   string   `json:"address"`
	CrossSite bool     `json:"xdomain"`
	Secure    bool     `json:"secure"`
	Issued    int64    `json:"issued"`
	URL       string   `json:"url"`
	Query     struct{} `json:"query"`
	Auth      struct{} `json:"auth"`
}

const dateToString = "Mon Jan 02 2006 15:04:05 GMT-0700 (Coordinated Universal Time)"

// told writes one of our sockets.
func told(s cluster.Socket) socket {
	out := socket{ID: s.ID, Rooms: unique(s.Rooms), Data: jsontext.Value(s.Data)}
	if !slices.Contains(out.Rooms, s.ID) { // in Node a socket is in the room of its id
		out.Rooms = append(names{s.ID}, out.Rooms...)
	}
	if len(out.Data) == 0 {
		out.Data = jsontext.Value("{}")
	}
	out.Handshake = handshake{
		Time:    time.UnixMilli(s.Handshake.Issued).UTC().Format(dateToString),
		Address: s.Handshake.Address, Secure: s.Handshake.Secure, Issued: s.Handshake.Issued, URL: s.Handshake.URL,
	}
	return out
}

// heard reads a socket of another member.
func heard(v jsontext.Value, namespace string) (s cluster.Socket, err error) {
	var in struct {
		ID        string         `json:"id"`
		Handshake jsontext.Value `json:"handshake"`
		Rooms     names          `json:"rooms"`
		Data      jsontext.Value `json:"data"`
	}
	if err := jsonv2.Unmarshal(v, &in, lenient...); err != nil {
		return s, fmt.Errorf("nodewire: a socket: %w", err)
	}
	if in.ID == "" {
		return s, fmt.Errorf("nodewire: a socket without an id: %.60s", v)
	}
	s = cluster.Socket{ID: in.ID, Namespace: namespace, Rooms: in.Rooms, Data: json.RawMessage(in.Data)}
	// Applications may have put anything into it, so what does not fit is left out.
	var known struct {
		Address, Issued, Secure, URL jsontext.Value
	}
	if jsonv2.Unmarshal(in.Handshake, &known, append(lenient, jsonv2.MatchCaseInsensitiveNames(true))...) == nil {
		_ = jsonv2.Unmarshal(known.Address, &s.Handshake.Address)
		_ = jsonv2.Unmarshal(known.Issued, &s.Handshake.Issued)
		_ = jsonv2.Unmarshal(known.Secure, &s.Handshake.Secure)
		_ = jsonv2.Unmarshal(known.URL, &s.Handshake.URL)
	}
	return s, nil
}

// plainJSON writes binary values as JSON.stringify writes a Buffer, for messages that are JSON.
func plainJSON(data json.RawMessage, attachments [][]byte) (json.RawMessage, error) {
	places, err := sio.Packet{Data: data, Attachments: attachments}.Placeholders()
	if err != nil || len(places) == 0 {
		return data, err
	}
	var out json.RawMessage
	at := 0
	for _, p := range places {
		out = append(append(out, data[at:p.Start]...), `{"type":"Buffer","data":[`...)
		for i, b := range attachments[p.Num] {
			if i > 0 {
				out = append(out, ',')
			}
			out = strconv.AppendUint(out, uint64(b), 10)
		}
		out, at = append(out, "]}"...), p.End
	}
	return append(out, data[at:]...), nil
}
