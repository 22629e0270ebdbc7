// Package eio reads and writes Engine.IO packets, protocol revision 4: the frames of
// a WebSocket connection and the bodies of HTTP long-polling.
//
// An Engine.IO packet is one type digit and its data. A text packet travels as text
// everywhere. A binary message is a plain binary frame on a WebSocket, and an element
// 'b' followed by base64 inside a polling body, where packets are joined by the
// record separator 0x1E.
//
// The functions whose names end in 3 are for clients of revision 3 (socket.io-client 1
// and 2), where binary data carries its packet type and polling bodies carry lengths. Those
// with JSONP in their names wrap the polling bodies of either revision in scripts and forms.
//
// The package is pure: it does no I/O, starts no goroutine and reads no clock. Every
// function may be called by any number of goroutines at once. Nothing in it limits
// sizes: the transport bounds a body or a frame before it is decoded.
package eio
