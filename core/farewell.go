package core

import "github.com/siokit/siokit/engineio"

// ended is the argument of Config.EndedEvent.
type ended struct {
	Message string `json:"message"`
	Data    any    `json:"data,omitempty"`
}

// farewell is what a client gets when the server ends its socket: why, if that is meant for it, and
// the DISCONNECT packet.
func (s *Socket) farewell(cause error) []*engineio.Message {
	var last []*engineio.Message
	err := protect(func() error { // Config.Parser is the user's
		disconnect, err := s.ns.srv.encodeDisconnect(s.ns.name)
		if err == nil {
			last = append(last, disconnect)
		}
		return err
	})
	if err != nil {
		s.ns.report(&Context{Socket: s, event: "disconnect"}, err)
	}
	event := s.ns.srv.cfg.EndedEvent
	if event == "-" || !isForClient(cause) {
		return last
	}
	var why *engineio.Message
	err = protect(func() (err error) { // ClientError and MarshalJSON are the user's
		message, data := refusal(cause)
		why, err = s.ns.srv.encodeEvent(s.ns.name, noAck, event, []any{ended{message, data}})
		return err
	})
	if err != nil {
		s.ns.report(&Context{Socket: s, event: "disconnect"}, err)
		return last
	}
	return append([]*engineio.Message{why}, last...)
}
