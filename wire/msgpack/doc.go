// Package msgpack is the Parser for clients that use npm's socket.io-msgpack-parser 3: every Socket.IO
// packet is one MessagePack map in one binary message, with binary values in their place, and without
// attachments.
//
//	srv, err := core.New(core.Config{Parser: msgpack.Parser{}})
//
// In the browser: io({ parser: msgpackParser }), or the file socket.io.msgpack.min.js. All clients of a
// server must use it. A client that does not is disconnected with its first packet.
//
// # What becomes of values
//
// Between MessagePack and the application stands JSON, as with the protocol's own text, so handlers are
// the same. Towards a client, integers from -2^63 to 2^64-1 and binary values keep their form, other
// numbers become float64, and times are the strings that encoding/json makes of them. Integers above 2^53
// lose digits in JavaScript, not here.
//
// From a client: a float that JSON cannot write (NaN, infinities) becomes null, as in JSON.stringify.
// The three extensions that JavaScript clients send are understood: undefined becomes null in a list and
// leaves a member out of an object; a Date, and a timestamp of the MessagePack specification, becomes a
// string as of Date.toISOString; an ArrayBuffer becomes binary. A map's keys must be strings or integers. Any other
// extension closes the connection.
//
// The functions of github.com/tinylib/msgp/msgp read and write the single values. Its readers of whole
// trees are not used: they build Go values, where integers and map keys of other types would go wrong.
package msgpack
