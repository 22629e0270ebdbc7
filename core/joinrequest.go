package core

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// What JoinRequest refuses with; errors.Is finds them. Returned by a handler they reach the client in
// its ack.
var (
	// ErrRoomReserved refuses a name that no client may choose: see Config.ReservedRooms.
	ErrRoomReserved = &Error{Code: "room_reserved", Message: "this room cannot be joined by name"}
	// ErrRoomForbidden refuses every room while the namespace has no CanJoin. An authoriser may return
	// it too.
	ErrRoomForbidden = &Error{Code: "room_forbidden", Message: "you may not join this room"}
)

// maxRoomName is the longest room name in bytes that a client may choose.
const maxRoomName = 512

// CanJoin adds an authoriser for the rooms that clients ask for by name: see Context.JoinRequest. All
// authorisers of the namespace must return nil. Join does not ask them: the server may put anybody
// anywhere. They may be called concurrently.
func (ns *Namespace) CanJoin(f func(c *Context, room string) error) {
	ns.set.refuseNil(f == nil, "CanJoin")
	ns.set.change(func(r *registered) { r.canJoin = append(r.canJoin, f) })
}

// JoinRequest is Join for a name that came from the client. Everything is refused that CanJoin has not
// allowed, and so are names that would let one client listen to another, whatever CanJoin says:
// ErrRoomReserved for the prefixes of Config.ReservedRooms, for what looks like a socket id or is one,
// and for names that are empty, longer than 512 bytes or hold control characters. Return the error from
// the handler, and it is the client's answer:
//
//	core.On(srv, "join", func(c *core.Context, room string) error { return c.JoinRequest(room) })
func (c *Context) JoinRequest(room string) error {
	if c.reservedRoom(room) {
		return ErrRoomReserved
	}
	authorisers := c.ns.set.load().canJoin
	if len(authorisers) == 0 {
		return ErrRoomForbidden
	}
	for _, f := range authorisers {
		if err := protect(func() error { return f(c, room) }); err != nil {
			return err
		}
	}
	return c.Join(room)
}

func (c *Context) reservedRoom(room string) bool {
	if room == "" || len(room) > maxRoomName || looksLikeSocketID(room) || !utf8.ValidString(room) || strings.ContainsFunc(room, unicode.IsControl) {
		return true
	}
	for _, prefix := range c.ns.srv.cfg.ReservedRooms {
		if strings.HasPrefix(room, prefix) {
			return true
		}
	}
	_, taken := c.ns.Socket(room)
	return taken
}

// looksLikeSocketID is true for whatever newSocketID may return, here or in another process.
func looksLikeSocketID(room string) bool {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return len(room) == socketIDLength && strings.Trim(room, digits) == ""
}
