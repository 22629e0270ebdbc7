package core

import (
	"github.com/siokit/siokit/engineio"
	"github.com/siokit/siokit/wire/sio"
)

// ended is the argument of Config.EndedEvent.
type ended struct {
	Message string `json:"message"`
	Data    any    `json:"data,omitempty"`
}

// farewell is what a client gets when the server ends its socket: why, if that is meant for it, and
// the DISCONNECT packet.
func (s *Socket) farewell(cause error) []*engineio.Message {
	packet := sio.AppendDisconnect(make([]byte, engineio.Headroom, engineio.Headroom+len(s.ns.name)+2), s.ns.name)
	disconnect := engineio.NewMessage(packet)
	event := s.ns.srv.cfg.EndedEvent
	if event == "-" || !isForClient(cause) {
		return []*engineio.Message{disconnect}
	}
	var why *engineio.Message
	err := protect(func() (err error) { // ClientError and MarshalJSON are the user's
		message, data := refusal(cause)
		why, err = encodeEvent(s.ns.name, noAck, event, []any{ended{message, data}})
		return err
	})
	if err != nil {
		s.ns.report(&Context{Socket: s, event: "disconnect"}, err)
		return []*engineio.Message{disconnect}
	}
	return []*engineio.Message{why, disconnect}
}
