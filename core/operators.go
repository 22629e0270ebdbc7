package core

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Volatile makes the events volatile: a client gets one only if it can leave at once, and misses it
// otherwise. It is for data that the next event replaces, such as positions. An event is dropped,
// with its attachments, for a client
//
//   - to whom something is still to be written (so of two volatile events in a row the second may
//     be dropped, and one that follows an ordinary event too),
//   - that is on long-polling and has no poll waiting,
//   - that has not been told yet that it is connected.
//
// Emit does not say that it was dropped; Server.VolatileDrops counts. Gather, CallSocket and EmitFunc
// say ErrNotWritable.
func (b Broadcast) Volatile() Broadcast {
	b.options.volatile = true
	return b
}

// Compress says whether compression is worth its time: false keeps the transports from compressing
// the event, for data that is compressed already, such as pictures. Default true: compressed where
// the configuration and the client allow it.
func (b Broadcast) Compress(on bool) Broadcast {
	b.options.uncompressed = !on
	return b
}

// Local restricts the audience to the clients of this process. Without a message bus it says
// nothing new: then there are no others.
func (b Broadcast) Local() Broadcast {
	b.options.local = true
	return b
}

// Timeout says how long Gather waits for acks. Default, also for 0 or less, Config.CallTimeout. It
// does nothing for Emit.
func (b Broadcast) Timeout(d time.Duration) Broadcast {
	b.options.timeout = d
	return b
}

// Rooms returns the rooms that are addressed, or everybody.
func (b Broadcast) Rooms() (rooms []string, everybody bool) { return slices.Clone(b.rooms), b.all }

// String describes the audience, for logs.
func (b Broadcast) String() string {
	var text strings.Builder
	switch {
	case b.all:
		fmt.Fprintf(&text, "everybody in %q", b.ns.name)
	case b.nobody():
		fmt.Fprintf(&text, "nobody in %q", b.ns.name)
	default:
		fmt.Fprintf(&text, "rooms %q of %q", b.rooms, b.ns.name)
	}
	except := b.except
	if b.sender != nil {
		except = append(slices.Clip(except), b.sender.id)
	}
	if len(except) > 0 {
		fmt.Fprintf(&text, " except %q", except)
	}
	return text.String()
}

// Volatile addresses everybody in the namespace with volatile events. See Broadcast.Volatile.
func (ns *Namespace) Volatile() Broadcast { return ns.Everybody().Volatile() }

// Compress addresses everybody in the namespace. See Broadcast.Compress.
func (ns *Namespace) Compress(on bool) Broadcast { return ns.Everybody().Compress(on) }

// Local addresses everybody who is in the namespace on this process. See Broadcast.Local.
func (ns *Namespace) Local() Broadcast { return ns.Everybody().Local() }

// Timeout addresses everybody in the namespace, for Gather. See Broadcast.Timeout.
func (ns *Namespace) Timeout(d time.Duration) Broadcast { return ns.Everybody().Timeout(d) }

// VolatileDrops returns how many volatile events were dropped, counted for each client.
func (s *Server) VolatileDrops() int64 { return s.volatileDrops.Load() }
