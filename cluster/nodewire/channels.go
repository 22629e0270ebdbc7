package nodewire

import (
	"encoding/binary"
	"errors"
	"strings"
)

// channels knows the names of the wire. A namespace's name begins with its slash.
type channels struct {
	prefix string // the option "key" of the Node adapter
	uid    string // ours
}

// broadcast is where events for a namespace go. Those for exactly one room have a channel of their own.
func (c channels) broadcast(namespace string, rooms []string) string {
	if len(rooms) == 1 {
		return c.prefix + "#" + namespace + "#" + rooms[0] + "#"
	}
	return c.prefix + "#" + namespace + "#"
}

// broadcasts is the pattern of all of those.
func (c channels) broadcasts() string { return escapeGlob(c.prefix) + "#*" }

// requests and responses are what the channels below begin with.
func (c channels) requests() string  { return c.prefix + "-request#" }
func (c channels) responses() string { return c.prefix + "-response#" }

func (c channels) request(namespace string) string  { return c.requests() + namespace + "#" }
func (c channels) response(namespace string) string { return c.responses() + namespace + "#" }

// responseTo is where one member listens for answers. Its presence also says that the member is there.
func (c channels) responseTo(namespace, uid string) string { return c.response(namespace) + uid + "#" }

// revocation is siokit's own.
func (c channels) revocation() string { return c.prefix + "-siokit#" }

// of returns what a namespace needs beside the pattern. A member must be subscribed to the request channel exactly
// once: that is how members are counted.
func (c channels) of(namespace string) []string {
	return []string{c.request(namespace), c.response(namespace), c.responseTo(namespace, c.uid)}
}

// room splits the channel of a broadcast, assuming that the namespace's name has no '#'.
func (c channels) room(channel string) (namespace, room string, ok bool) {
	rest, ok := strings.CutPrefix(channel, c.prefix+"#")
	if !ok {
		return "", "", false
	}
	namespace, room, _ = strings.Cut(rest, "#")
	room, ok = strings.CutSuffix(room, "#")
	return namespace, room, ok && room != ""
}

var globs = strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`, `\`, `\\`)

func escapeGlob(s string) string { return globs.Replace(s) }

// What goes through the queue, in either direction, is a channel and a message in one slice.

func appendChannel(dst []byte, channel string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(channel))), channel...)
}

var errFrame = errors.New("nodewire: a damaged frame")

func cutChannel(frame []byte) (channel string, msg []byte, err error) {
	size, n := binary.Uvarint(frame)
	if n <= 0 || size > uint64(len(frame)-n) {
		return "", nil, errFrame
	}
	return string(frame[n : n+int(size)]), frame[n+int(size):], nil
}
