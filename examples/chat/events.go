package main

import (
	"log/slog"

	"github.com/siokit/siokit/auth"
	"github.com/siokit/siokit/core"
)

// What the events carry. An argument is decoded into its type before the handler runs.
type (
	// RoomRef names a room: the argument of "join", "history" and "typing".
	RoomRef struct {
		Room string `json:"room"`
	}
	// Say is the argument of "say". The message goes to the room as a [Message], the event "said".
	Say struct {
		Room string `json:"room"`
		Text string `json:"text"`
	}
	// Said acknowledges "say".
	Said struct {
		ID int64 `json:"id"`
	}
	// Members acknowledges "join", and with the room's name it is the event "members" for those in there already.
	Members struct {
		Room    string `json:"room,omitempty"`
		Members int    `json:"members"`
	}
	// Typing is the event "typing".
	Typing struct {
		Room string `json:"room"`
		From string `json:"from"`
	}
	// Me acknowledges "whoami".
	Me struct {
		Name string `json:"name"`
	}
)

// handleEvents registers the socket half. An error that a handler returns goes to the client in the ack.
func handleEvents(srv *core.Server) {
	past := newHistory()
	now := &online{names: map[string]string{}, tell: func(names []string) error { return srv.Emit("online", names) }}

	// An error refuses the connection before the client is told that it has one.
	srv.OnConnect(func(c *core.Context) error {
		user, ok := auth.User[*User](c) // the same call as in an HTTP handler
		if !ok {
			return &core.ConnectError{Message: "please log in", Data: map[string]int{"code": 401}}
		}
		return now.add(c.ID(), user.Name)
	})

	// By socket id, because after a logout there is no user any more to ask for.
	srv.OnDisconnect(func(c *core.Context, _ core.Reason) {
		if err := now.remove(c.ID()); err != nil {
			slog.Error("chat: the list of who is online was not sent", "error", err)
		}
	})

	core.OnCall(srv, "whoami", func(c *core.Context, _ core.None) (Me, error) {
		user, err := auth.UserErr[*User](c)
		if err != nil {
			return Me{}, err
		}
		return Me{user.Name}, nil
	})

	core.OnCall(srv, "join", func(c *core.Context, in RoomRef) (Members, error) {
		key, err := roomKey(in.Room)
		if err != nil {
			return Members{}, err
		}
		if !c.InRoom(key) && len(c.Rooms()) > maxJoined {
			return Members{}, &core.Error{Code: "too_many_rooms", Message: "this connection is in too many rooms"}
		}
		if err := c.Join(key); err != nil {
			return Members{}, err
		}
		n := srv.To(key).Count()
		return Members{Members: n}, c.To(key).Emit("members", Members{in.Room, n})
	})

	core.OnCall(srv, "say", func(c *core.Context, in Say) (Said, error) {
		user, key, err := member(c, in.Room)
		if err != nil {
			return Said{}, err
		}
		text, err := cleanText(in.Text, maxText)
		if err != nil {
			return Said{}, err
		}
		m := past.add(in.Room, user.Name, text)
		return Said{m.ID}, srv.To(key).Emit("said", m) // srv.To reaches the sender too
	})

	core.OnCall(srv, "history", func(_ *core.Context, in RoomRef) ([]Message, error) {
		if _, err := roomKey(in.Room); err != nil {
			return nil, err
		}
		return past.last(in.Room), nil
	})

	core.On(srv, "typing", func(c *core.Context, in RoomRef) error {
		user, key, err := member(c, in.Room)
		if err != nil {
			return err
		}
		return c.To(key).Emit("typing", Typing{in.Room, user.Name}) // c.To leaves the sender out
	})
}

// member returns who is calling and the key of the room, which this connection must have joined.
func member(c *core.Context, room string) (user *User, key string, err error) {
	if key, err = roomKey(room); err != nil {
		return nil, "", err
	}
	if !c.InRoom(key) {
		return nil, "", &core.Error{Code: "not_joined", Message: "join the room first"}
	}
	user, err = auth.UserErr[*User](c)
	return user, key, err
}
