package msgpack

import (
	"errors"

	"github.com/siokit/siokit/wire/sio"
)

// Parser implements sio.Parser. The zero value is ready to use, by any number of goroutines at once.
type Parser struct {
	// Binaries is the most binary values that a packet from a peer may have. Default (0 or less) 1,024. Each
	// costs about 60 bytes beyond its own, and takes as few as two on the wire.
	Binaries int
}

// DefaultBinaries is the default of Parser.Binaries.
const DefaultBinaries = 1_024

var _ sio.Parser = Parser{}

// NewDecoder implements sio.Parser. Of the limits, Depth and Namespace hold for MessagePack; Args holds
// later, for what was decoded, and there are no attachments.
func (p Parser) NewDecoder(_ sio.Side, limits *sio.Limits) sio.PacketDecoder {
	d := decoder{depth: sio.DefaultDepth, binaries: p.Binaries}
	if limits != nil && limits.Depth > 0 && limits.Depth < d.depth {
		d.depth = limits.Depth
	}
	if d.binaries <= 0 {
		d.binaries = DefaultBinaries
	}
	return d
}

// decoder keeps nothing from one message to the next.
type decoder struct {
	depth    int
	binaries int
}

// errText is what a client with the default parser causes.
var errText = errors.New("msgpack: a text packet: this server speaks MessagePack, so its clients need socket.io-msgpack-parser")

// Text refuses: packets are binary.
func (decoder) Text([]byte) (sio.Packet, bool, error) { return sio.Packet{}, false, errText }
