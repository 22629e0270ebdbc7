// Package core is the Socket.IO server: namespaces, typed events, acks, rooms and broadcast
// inside a Go web application that already exists. It speaks Socket.IO protocol 5 over
// Engine.IO protocol 4, so every current official client connects as it is.
//
// A [Server] is an http.Handler. Packages ginsio, echosio and chisio mount it on their
// framework; with net/http it is
//
//	srv, err := core.New(core.Config{})
//	http.Handle("/socket.io/", srv)
//
// Handlers are registered by generic functions, so a wrong one does not compile:
//
//	core.On(srv, "say", func(c *core.Context, in Say) error { return c.To(in.Room).Emit("said", in) })
//	core.OnCall(srv, "history", func(c *core.Context, in Room) ([]Said, error) { ... }) // the ack
//
// # What runs where
//
//	goroutine      started by                         ends when
//	reader         a WebSocket handshake or upgrade   the connection closes; it never runs user code
//	dispatcher     a socket's first queued event      that socket's queue is empty
//	ack callback   the answer to an EmitFunc          the callback returns
//	flush workers  the first connection               Shutdown
//	clock          the first connection               Shutdown
//	task           Server.Go                          it returns; its context ends with Shutdown
//
// One client's events run one after another, different clients in parallel; [Concurrent] lets an event
// out of the order, and its handlers then have goroutines of their own. Acks do not queue behind
// handlers, so a handler may wait for one ([Call]). Emitting never writes to a socket
// and never blocks: it puts encoded bytes into bounded outboxes (see package engineio).
//
// # Locks
//
// Order: Namespace.mu -> Socket.mu -> the locks of engineio. None is held while user code runs
// or bytes are written. client.mu comes before the locks of engineio and is never held together
// with Namespace.mu or Socket.mu; while Server.mu or the lock of registrations, of
// background tasks or of the client's files is held no other is taken.
//
// # Who is included
//
// c.To(room) and c.Broadcast() leave the sender out, as in JavaScript. srv.To(room) and
// srv.Emit include everybody, as in Flask-SocketIO.
package core
