package sio

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Type is the kind of a Socket.IO packet. On the wire it is one ASCII digit, '0' to '6'.
type Type byte

// The packet types of Socket.IO protocol 5.
const (
	Connect      Type = iota // both ways: ask for, and grant, a namespace
	Disconnect               // both ways: leave a namespace
	Event                    // both ways: an event name and its arguments
	Ack                      // both ways: the answer to an event that carried an id
	ConnectError             // server to client: the namespace is refused
	BinaryEvent              // an Event followed by attachments
	BinaryAck                // an Ack followed by attachments
)

var typeNames = [...]string{"CONNECT", "DISCONNECT", "EVENT", "ACK", "CONNECT_ERROR", "BINARY_EVENT", "BINARY_ACK"}

// String returns the name that the protocol document uses, such as "CONNECT_ERROR".
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return fmt.Sprintf("Type(%d)", byte(t))
}

// Packet is one decoded Socket.IO packet.
type Packet struct {
	// Type is never BinaryEvent or BinaryAck in a complete packet: those are reported
	// as Event and Ack, with Attachments set.
	Type Type
	// Namespace begins with a slash. It is "/" when the wire names none, and keeps a
	// query part ("/chat?x=1") as it came.
	Namespace string
	// ID is the ack id, 0 to 2^53-1, meaningful only if HasID. An id on packets that
	// are neither events nor acks is dropped.
	ID    int64
	HasID bool
	// Data is the raw JSON payload, nil when there is none. It aliases the message
	// unless attachments are awaited. The payload of CONNECT and CONNECT_ERROR is
	// checked JSON; ParseEvent and ParseArgs check the others.
	Data []byte
	// Attachments are the binary values in the order of their placeholder numbers.
	// They are copies that nobody else holds.
	Attachments [][]byte
	// Marker is the name of the member that makes an object in Data a placeholder, in place of
	// "_placeholder". It is "" but for packets of a Parser in which the application's own data holds an object
	// with that member beside real attachments; in the protocol's text the two cannot be told apart.
	Marker string
}

// Args returns the arguments that raw holds, which ParseEvent or ParseArgs has made of p.Data.
func (p Packet) Args(raw []json.RawMessage, codec JSON) Args {
	a := Args{Raw: raw, Attachments: p.Attachments}
	if codec != nil || p.Marker != "" {
		a.reading = &reading{codec, p.Marker}
	}
	return a
}

// Side says who sent the packets that a Decoder reads.
type Side byte

const (
	// FromClient makes a server's decoder. It refuses CONNECT_ERROR, which only
	// servers send, and a CONNECT payload that is not an object.
	FromClient Side = iota
	// FromServer makes a client's decoder. It accepts CONNECT_ERROR and requires an
	// object in the answer to CONNECT.
	FromServer
)

// MaxID is the largest ack id: 2^53-1, the largest integer that JavaScript holds exactly.
const MaxID = 1<<53 - 1

// Reserved reports whether name belongs to the library on either side, so that no peer
// may send it as an event: connect, connect_error, disconnect, disconnecting,
// newListener and removeListener.
func Reserved(name string) bool {
	switch name {
	case "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener":
		return true
	}
	return false
}

// validNamespace keeps a namespace that the encoder is given from changing the meaning
// of the header around it.
func validNamespace(ns string) error {
	if ns == "" || ns == "/" {
		return nil
	}
	if ns[0] != '/' || strings.IndexByte(ns, ',') >= 0 {
		return fmt.Errorf("sio: namespace %.64q must begin with a slash and hold no comma", ns)
	}
	return nil
}
