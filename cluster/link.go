package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// A Link connects a server to others. [Node] is the one over a Bus; another speaks the wire of the Node
// server's Redis adapter. Servers use it; applications only choose it. Methods may be called
// concurrently. Those without an error never block.
type Link interface {
	// Start begins to hand what other processes say to local. It is called once, before anything else.
	Start(ctx context.Context, local Local) error

	// OpenNamespace says that the server has a namespace from now on, and CloseNamespace that it has it no
	// more. The server calls the first for every namespace but "/", before a client can be in it, for dynamic
	// ones when the first client's guards have passed. A wire with channels of its own per namespace needs to know.
	OpenNamespace(namespace string)
	CloseNamespace(namespace string)

	// Emit sends an event to the clients of the other processes.
	Emit(e *Emit)
	// Join, Leave and Disconnect do with the sockets of the other processes what their names say. With
	// transport, Disconnect closes the whole connection.
	Join(a Audience, rooms []string)
	Leave(a Audience, rooms []string)
	Disconnect(a Audience, transport bool)
	// Revoke passes data on, which package auth understands.
	Revoke(data []byte)

	// Fetch returns the sockets of the other processes. If some do not answer, the error is a
	// *SilentError and the result what the others said.
	Fetch(ctx context.Context, a Audience) ([]Socket, error)
	// Gather sends an event to the clients of the other processes and calls each for every client's
	// answer, one at a time, as they arrive; each must not block. It returns when all have answered or ctx has ended; a client
	// that did not answer has a Reply with Err. Errors are those of Fetch.
	Gather(ctx context.Context, e *Emit, each func(Reply)) error
	// ServerEmit sends an event to the other servers. With each, which must not block, it waits for their answers, in
	// which SID is the node; errors are those of Fetch.
	ServerEmit(ctx context.Context, e *Emit, each func(Reply)) error

	// Nodes returns the ids of the other processes that are known to be there.
	Nodes() []string
	// Stats returns counts since Start.
	Stats() Stats
	// Healthy returns nil while the broker works, and otherwise what is wrong.
	Healthy() error
	// Close says goodbye to the other processes and ends every goroutine of the link and its Bus.
	Close(ctx context.Context) error
}

// Local is a server as a Link sees it. All methods may be called concurrently, and only ServerEvent, and what
// Gather returns, may block.
type Local interface {
	Emit(e *Emit)
	Join(a Audience, rooms []string)
	Leave(a Audience, rooms []string)
	Disconnect(a Audience, transport bool)
	Revoked(data []byte)
	Fetch(a Audience) []Socket
	// Count returns how many sockets of this process are in an audience, 0 if its namespace is unknown. It is
	// called for every message to one room, so for one it must be cheap.
	Count(a Audience) int
	// Has reports whether a socket with that id is connected here.
	Has(namespace, sid string) bool
	// Gather is Link.Gather for the clients of this process. It returns when the event has been sent, so that
	// what comes after it does not overtake it; wait, which must be called once, calls each.
	Gather(ctx context.Context, e *Emit, each func(Reply)) (wait func())
	// ServerEvent runs the handler of a server-to-server event. answered is false when there is none.
	ServerEvent(ctx context.Context, from string, e *Emit) (r Reply, answered bool)
}

// An Audience is a set of sockets of a namespace.
type Audience struct {
	Namespace string
	All       bool     // everybody; otherwise the members of Rooms
	Rooms     []string // the union; a socket id is a room; none means nobody
	Except    []string // whoever is in one of these is left out
}

// An Emit is an event and whom it is for. It must not be changed.
type Emit struct {
	Audience
	Event       string
	Data        json.RawMessage // a JSON array, the arguments; attachments are placeholders in it
	Attachments [][]byte
	Volatile    bool // drop it for clients that cannot be written to at once
	Plain       bool // do not compress it
}

// A Reply is the answer of one client to an event.
type Reply struct {
	SID         string          // the socket, or for Link.ServerEmit the node; empty if the wire does not tell
	Data        json.RawMessage // a JSON array, as in Emit
	Attachments [][]byte
	Err         string // instead of Data, why there is no answer: one of the constants below, or an error's text
}

// Values of Reply.Err.
const (
	TimedOut     = "timeout"
	Disconnected = "disconnected"
)

// A Socket is what one process tells another about a client's socket. Headers are never part of it:
// cookies and tokens stay where they are.
type Socket struct {
	ID        string          `json:"id"`
	Node      string          `json:"node"`
	Namespace string          `json:"nsp"`
	Rooms     []string        `json:"rooms"`
	Data      json.RawMessage `json:"data,omitempty"` // what the server chose to tell, as JSON
	Handshake Handshake       `json:"handshake"`
}

// A Handshake is the part of a socket's handshake that other processes may know.
type Handshake struct {
	Address string `json:"address"`
	Issued  int64  `json:"issued"` // Unix milliseconds
	Secure  bool   `json:"secure"`
	URL     string `json:"url"`
}

// Stats counts what a Link has seen.
type Stats struct {
	Sent       int64 // messages handed to the broker's client
	Received   int64 // from other processes
	Dropped    int64 // that were to be sent, see Bus.Dropped
	Invalid    int64 // received and not understood: garbage, pickle, another version
	Lost       int64 // sent by another siokit node and never received, seen by gaps in its numbering
	Duplicates int64 // received twice; the second was ignored
}

// A SilentError says which processes did not answer in time. The result beside it is what the others
// said.
type SilentError struct {
	Nodes []string
}

func (e *SilentError) Error() string {
	return fmt.Sprintf("cluster: no answer from %s: the result is partial", strings.Join(e.Nodes, ", "))
}

// ErrClosed is returned after Close.
var ErrClosed = errors.New("cluster: the link is closed")
