package app

import (
	"regexp"

	"github.com/siokit/siokit/auth"
	"github.com/siokit/siokit/core"
)

// Say is the argument of the event "say".
type Say struct {
	Room string `json:"room"`
	Text string `json:"text"`
}

// Said is the event "said", for everybody in the room.
type Said struct {
	Room string `json:"room"`
	From Me     `json:"from"`
	Text string `json:"text"`
}

// handleEvents registers the socket half. An error that a handler returns goes to the client in the ack.
func handleEvents(srv *core.Server) {
	srv.Use(auth.Require) // connect_error "please log in" with {"code":401}

	core.OnCall(srv, "whoami", func(c *core.Context, _ core.None) (Me, error) { return WhoAmI(c) })

	// The client's address by the rules of the framework for trusted proxies.
	core.OnCall(srv, "address", func(c *core.Context, _ core.None) (string, error) {
		return c.Handshake().RemoteIP, nil
	})

	core.On(srv, "join", func(c *core.Context, room string) error {
		key, err := roomKey(room)
		if err != nil {
			return err
		}
		return c.Join(key)
	})

	core.On(srv, "say", func(c *core.Context, in Say) error {
		key, err := roomKey(in.Room)
		if err != nil {
			return err
		}
		if !c.InRoom(key) {
			return &core.Error{Code: "not_joined", Message: "join the room first"}
		}
		text, err := cleanText(in.Text)
		if err != nil {
			return err
		}
		from, err := WhoAmI(c)
		if err != nil {
			return err
		}
		return srv.To(key).Emit("said", Said{in.Room, from, text}) // srv.To reaches the sender too
	})

	// A connection has its own copy of the session, taken when it was opened: a new nickname counts for this tab until
	// it closes. With Config.SessionDir there is one session: the nickname counts in the routes, too, when this is
	// acknowledged, and in the other tabs from their next event on.
	core.On(srv, "rename", func(c *core.Context, nickname string) error { return setNickname(c, nickname) })
}

var roomName = regexp.MustCompile(`^[\pL\pN][\pL\pN_-]{0,31}$`)

// roomKey returns the server's name for a room that a client has named. The prefix keeps clients out of rooms that
// are none of theirs, such as another socket's id.
func roomKey(name string) (string, error) {
	if !roomName.MatchString(name) {
		return "", &core.Error{Code: "bad_room", Message: "a room's name has 1 to 32 letters, digits, - and _"}
	}
	return "room:" + name, nil
}
