// Package sio reads and writes Socket.IO packets, protocol revision 5, and the JSON
// inside them.
//
// A packet is a text message, "2/chat,12["say","hello"]": the type, an optional
// namespace, an optional ack id and a JSON payload. Binary values do not fit into JSON:
// a placeholder {"_placeholder":true,"num":0} stands where each was, and the bytes
// follow the packet as binary messages of their own, its attachments.
//
// Reading: a [Decoder] puts packets together, [ParseEvent] and [ParseArgs] split and
// check their payloads without decoding them, and [Args] decodes single arguments into
// Go values when it is known which. Writing: the Append functions add one packet to a
// buffer of the caller's.
//
// The package is pure: it does no I/O, starts no goroutine and reads no clock. All
// functions may be called by any number of goroutines at once; a Decoder belongs to one
// connection and one goroutine at a time.
//
// What a peer can make it do is bounded by [Limits], and each error of a Decoder, of
// ParseEvent or of ParseArgs means that the connection should be closed. An error of
// [Args.Decode] does not: there the peer spoke the protocol, and the application did
// not like what it said.
//
// # The JSON engine
//
// Go values are encoded and decoded by github.com/go-json-experiment/json, with the
// options that give it the behaviour of encoding/json: tags, omitempty, MarshalJSON
// and the rest mean what Go programmers expect. It is the prototype of the standard
// library's encoding/json/v2, is kept by the same maintainers, and has no dependencies.
// The reason for it is that it lets a caller supply the encoding of a type wherever
// it stands (WithMarshalers): so a []byte deep inside a struct becomes an attachment,
// and an integer above 2^53 keeps its digits on its way through any. With encoding/json
// that takes a second reflection walk over every value, or silently sends base64.
//
// Values whose types cannot hold bytes or interfaces need none of this, and are encoded
// by encoding/json itself, which is the fastest for them.
package sio
