package conformance

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/siokit/siokit/core"
)

// Answers with several arguments.
type (
	two   = core.Args2[any, any]
	three = core.Args3[any, any, any]
)

// credentials is what clients send in auth.
type credentials struct {
	Token   string `json:"token"`
	Welcome string `json:"welcome"`
}

// Profile answers "whoami".
type Profile struct {
	ID        string `json:"id"`
	Auth      any    `json:"auth"`
	Query     string `json:"query"`
	Header    string `json:"header"`
	Transport string `json:"transport"`
}

// Upload is the argument of "upload": binary in typed fields.
type Upload struct {
	Name  string   `json:"name"`
	Bytes []byte   `json:"bytes"`
	Parts [][]byte `json:"parts"`
}

// Uploaded answers "upload".
type Uploaded struct {
	Name     string `json:"name"`
	Sizes    []int  `json:"sizes"`
	Reversed []byte `json:"reversed"`
}

// Parcel is in the middle of "downloaded".
type Parcel struct {
	A    []byte   `json:"a"`
	List [][]byte `json:"list"`
}

// Moving puts members of rooms into another.
type Moving struct {
	Rooms  []string `json:"rooms"`
	Except []string `json:"except"`
	To     string   `json:"to"`
}

// Kicking disconnects a room.
type Kicking struct {
	Room            string `json:"room"`
	CloseConnection bool   `json:"closeConnection"`
}

// Saying addresses an event "said".
type Saying struct {
	Rooms  []string `json:"rooms"`
	Except []string `json:"except"`
	Text   string   `json:"text"`
}

// answer registers the contract of js/reference.mjs on every namespace of srv. n keeps what "take" gets.
func answer(srv *core.Server, n *notes) {
	srv.Of("/guarded").Use(func(ctx context.Context) error {
		c, _ := core.From(ctx)
		var given credentials
		if err := c.Auth(&given); err == nil && given.Token == "open sesame" {
			return nil
		}
		return &core.ConnectError{
			Message: "please log in",
			Data:    map[string]any{"code": 401, "hint": []string{"token", "missing"}},
		}
	})
	orgs := srv.OfPattern("/org/{id}")
	orgs.Use(func(ctx context.Context) error {
		c, _ := core.From(ctx)
		_, err := core.Param[uint64](c, "id")
		return err
	})
	core.OnCall(orgs, "where", func(c *core.Context, _ core.None) (core.Args2[string, string], error) {
		return core.Args2[string, string]{A: c.Namespace().Name(), B: c.Param("id")}, nil
	})
	core.On(orgs, "tell every org", func(_ *core.Context, text string) error { return orgs.Emit("said", text) })
	for _, ns := range []*core.Namespace{srv.Of("/"), srv.Of("/second"), srv.Of("/guarded"), orgs} {
		answerLifecycle(ns)
		answerEvents(ns)
		answerAcks(ns)
		answerOperators(ns)
		answerRooms(ns)
		answerTorture(ns)
		answerStamped(ns, n)
	}
}

func answerLifecycle(ns *core.Namespace) {
	ns.OnConnect(func(c *core.Context) error {
		var given credentials
		if err := c.Auth(&given); err == nil && given.Welcome != "" {
			return c.Emit("welcome", c.ID(), given.Welcome)
		}
		return nil
	})
	ns.OnDisconnect(func(c *core.Context, reason core.Reason) {
		_ = c.Namespace().To("watchers").Emit("gone", c.ID(), reason) // two strings can be encoded
	})
	core.OnCall(ns, "whoami", func(c *core.Context, _ core.None) (Profile, error) {
		h := c.Handshake()
		me := Profile{ID: c.ID(), Query: h.Query().Get("q"), Header: h.Header.Get("X-Conformance"), Transport: c.Transport()}
		return me, c.Auth(&me.Auth)
	})
	core.On(ns, "kick me", func(c *core.Context, closeConnection bool) error {
		if closeConnection {
			c.DisconnectAll()
		} else {
			c.Disconnect()
		}
		return nil
	})
	core.On(ns, "kick", func(c *core.Context, id string) error {
		c.Namespace().To(id).Disconnect() // wherever it is connected
		return nil
	})
}

func answerEvents(ns *core.Namespace) {
	core.On(ns, `naïve "event" 🦉`, func(c *core.Context, in any) error { return c.Emit(`naïve "event" 🦉`, in) })
	core.On(ns, "back", func(c *core.Context, in three) error { return c.Emit("back", in.A, in.B, in.C) })
	core.OnCall(ns, "upload", func(_ *core.Context, in Upload) (Uploaded, error) {
		out := Uploaded{Name: in.Name, Reversed: in.Bytes}
		for _, part := range in.Parts {
			out.Sizes = append(out.Sizes, len(part))
		}
		slices.Reverse(out.Reversed)
		return out, nil
	})
	core.On(ns, "download", func(c *core.Context, n int) error {
		sevens := slices.Repeat([]byte{7}, n)
		return c.Emit("downloaded", "label", Parcel{A: sevens, List: [][]byte{{1}, {}}}, []byte{255, 0})
	})
	core.On(ns, "count", func(c *core.Context, n int) error {
		for i := range n {
			if err := c.Emit("number", i); err != nil {
				return err
			}
		}
		return nil
	})
}

func answerAcks(ns *core.Namespace) {
	core.On(ns, "echo0", func(*core.Context, core.None) error { return nil })
	core.OnCall(ns, "echo1", func(_ *core.Context, in any) (any, error) { return in, nil })
	core.OnCall(ns, "echo2", func(_ *core.Context, in two) (two, error) { return in, nil })
	core.OnCall(ns, "echo3", func(_ *core.Context, in three) (three, error) { return in, nil })
	core.OnCall(ns, "late", func(c *core.Context, in core.Args2[int, any]) (any, error) {
		select {
		case <-time.After(time.Duration(in.A) * time.Millisecond):
			return in.B, nil
		case <-c.Done():
			return nil, context.Cause(c)
		}
	})
	core.OnCall(ns, "ask me", func(c *core.Context, question any) (any, error) {
		return core.Call[any](c, "question", question)
	})
	core.OnCall(ns, "ask me in vain", func(c *core.Context, ms int) (string, error) {
		ctx, cancel := context.WithTimeout(c, time.Duration(ms)*time.Millisecond)
		defer cancel()
		switch _, err := core.Call[any](ctx, "unanswered"); {
		case err == nil:
			return "answered", nil
		case errors.Is(err, core.ErrTimeout):
			return "timeout", nil
		default:
			return "", err
		}
	})
	core.On(ns, "ask by callback", func(c *core.Context, in core.Args2[any, int]) error {
		to := c.Timeout(time.Duration(in.B) * time.Millisecond)
		return core.EmitFunc(to, "question", []any{in.A}, func(answer any, err error) {
			if errors.Is(err, core.ErrTimeout) {
				answer = "timeout"
			}
			_ = c.Emit("answered", answer) // what a client sent can be encoded
		})
	})
	core.OnCall(ns, "vote", func(c *core.Context, room string) ([]string, error) {
		var votes []string
		for vote, err := range core.Gather[string](c, c.Namespace().To(room), "vote") {
			if err != nil {
				return nil, err
			}
			votes = append(votes, vote.Answer)
		}
		slices.Sort(votes)
		return votes, nil
	})
	core.OnCall(ns, "vote within", func(c *core.Context, in core.Args2[string, int]) (core.Args2[bool, []string], error) {
		complete, votes := true, []string{}
		others := c.To(in.A).Timeout(time.Duration(in.B) * time.Millisecond)
		for vote, err := range core.Gather[string](c, others, "vote") {
			switch {
			case err == nil:
				votes = append(votes, vote.Answer)
			case errors.Is(err, core.ErrTimeout):
				complete = false
			default:
				return core.Args2[bool, []string]{}, err
			}
		}
		slices.Sort(votes)
		return core.Args2[bool, []string]{A: complete, B: votes}, nil
	})
}

func answerOperators(ns *core.Namespace) {
	core.On(ns, "volatile", func(c *core.Context, n int) error {
		me := c.Namespace().To(c.ID()).Volatile().Compress(false)
		for i := range n {
			if err := c.Volatile().Emit("position", i, []byte{byte(i)}); err != nil {
				return err
			}
			if err := me.Emit("position", i, []byte{byte(i)}); err != nil {
				return err
			}
		}
		return c.Emit("positions end")
	})
	core.On(ns, "volatile to others", func(c *core.Context, room string) error {
		return c.To(room).Volatile().Emit("position", 0, []byte{0})
	})
	core.On(ns, "send back", func(c *core.Context, in two) error { return c.Send(in.A, in.B) })
}

func answerRooms(ns *core.Namespace) {
	core.On(ns, "join", func(c *core.Context, room string) error { return c.Join(room) })
	core.On(ns, "leave", func(c *core.Context, room string) error { c.Leave(room); return nil })
	core.OnCall(ns, "rooms", func(c *core.Context, _ core.None) ([]string, error) {
		rooms := c.Rooms()
		slices.Sort(rooms)
		return rooms, nil
	})
	core.On(ns, "say to others", func(c *core.Context, in Saying) error {
		return c.To(in.Rooms...).Except(in.Except...).Emit("said", in.Text)
	})
	core.On(ns, "say to all", func(c *core.Context, in Saying) error {
		return c.Namespace().To(in.Rooms...).Except(in.Except...).Emit("said", in.Text)
	})
	core.On(ns, "broadcast to others", func(c *core.Context, text string) error { return c.Broadcast().Emit("said", text) })
	core.On(ns, "broadcast to all", func(c *core.Context, text string) error { return c.Namespace().Emit("said", text) })
	core.On(ns, "empty room", func(c *core.Context, room string) error {
		c.Namespace().CloseRoom(room)
		return nil
	})
	core.On(ns, "move", func(c *core.Context, in Moving) error {
		return c.Namespace().To(in.Rooms...).Except(in.Except...).Join(in.To)
	})
	core.OnCall(ns, "members", func(c *core.Context, room string) ([]string, error) {
		members, err := c.Namespace().To(room).Fetch(c)
		ids := make([]string, len(members))
		for i, m := range members {
			ids[i] = m.ID
		}
		slices.Sort(ids)
		return ids, err
	})
	core.On(ns, "kick room", func(c *core.Context, in Kicking) error {
		if in.CloseConnection {
			c.Namespace().To(in.Room).DisconnectAll()
		} else {
			c.Namespace().To(in.Room).Disconnect()
		}
		return nil
	})
}
