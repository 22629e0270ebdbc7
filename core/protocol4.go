package core

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/siokit/siokit/engineio"
	"github.com/siokit/siokit/wire/sio"
)

// Clients of Socket.IO protocol 4 (socket.io-client 1 and 2, which Config.AllowEIO3 lets in) differ from
// those of protocol 5 in four ways, all of them here: the server joins them to "/", they put the auth
// payload of other namespaces into a query, their CONNECT reply is empty, and a refusal is an ERROR.
//
// The Node server gives them the engine's session id as socket id. That one is a secret here, so their
// sockets get an id of their own, as all others do. Nothing depends on it: the client makes its own
// socket.id of the engine's and never sends it.

// Opened joins an old client to "/": it never asks for that itself.
func (c *client) Opened() {
	if c.protocol4 {
		if err := c.join("/", nil, false); err != nil {
			c.conn.CloseBecause(engineio.ForcedClose, err)
		}
	}
}

// newDecoder returns a decoder for what a client sends. An old one may have a query with a token behind
// the namespace's name.
func (s *Server) newDecoder(conn *engineio.Conn) sio.Decoder {
	if conn.Revision() == 3 {
		return sio.NewDecoder(sio.FromClient, &s.limits4)
	}
	return sio.NewDecoder(sio.FromClient, &s.limits)
}

// limits4 are the limits of old clients.
func limits4(l sio.Limits) sio.Limits {
	l.Namespace = 8 << 10
	return l
}

var errLongName = fmt.Errorf("core: a namespace's name is longer than %d bytes", sio.DefaultNamespace)

// fromProtocol4 takes the query off a namespace, "/admin?token=abc". In CONNECT it is the auth payload,
// an object of strings.
func fromProtocol4(p sio.Packet) (sio.Packet, error) {
	name, query, found := strings.Cut(p.Namespace, "?")
	if p.Namespace = name; len(name) > sio.DefaultNamespace {
		return p, errLongName
	}
	if p.Type == sio.Connect {
		p.Data = nil
		if found {
			p.Data = queryAuth(query)
		}
	}
	return p, nil
}

// queryAuth is lenient like URLSearchParams: what is not well escaped stands for itself. The last value
// of a name counts.
func queryAuth(query string) json.RawMessage {
	unescape := func(s string) string {
		if plain, err := url.QueryUnescape(s); err == nil {
			return plain
		}
		return s
	}
	auth := make(map[string]string)
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		auth[unescape(name)] = unescape(value)
	}
	data, err := json.Marshal(auth)
	if err != nil {
		panic(err) // strings always encode
	}
	return data
}

// encodeReply encodes the reply to the socket's CONNECT.
func (s *Socket) encodeReply() (*engineio.Message, error) {
	if s.client.protocol4 {
		packet, err := sio.AppendConnect(make([]byte, engineio.Headroom, 64), s.ns.name, nil)
		return engineio.NewMessage(packet), err
	}
	return s.ns.srv.encodeConnect(s.ns.name, s.id, s.pid)
}

// encodeRefusal encodes the packet that refuses a CONNECT.
func (c *client) encodeRefusal(namespace, message string, data any) (*engineio.Message, error) {
	if c.protocol4 {
		if message == errInvalidNamespace.Message && data == nil {
			data = map[string]string{"message": message} // the one refusal that the Node server words so
		}
		packet, err := sio.AppendError4(make([]byte, engineio.Headroom, 128), namespace, message, data)
		return engineio.NewMessage(packet), err
	}
	return c.srv.encodeConnectError(namespace, message, data)
}
