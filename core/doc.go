// Package core is the Socket.IO server: namespaces, typed events, acks, rooms and broadcast
// inside a Go web application that already exists. It speaks Socket.IO protocol 5 over
// Engine.IO protocol 4, so every current official client connects as it is.
//
// # Start
//
// A [Server] is an http.Handler. Packages ginsio, echosio and chisio mount it on their
// framework; with net/http it is
//
//	srv, err := core.New(core.Config{}) // every field has a default
//	http.Handle("/socket.io/", srv)
//
// [Server.Run] serves without a framework, [Server.Check] finds what is in the way of a client, and
// [Server.Shutdown] ends in order. The session and the user of the HTTP handlers are in socket handlers
// too when Config.Sessions is a sessions.Manager and Config.Authenticate the Handshake of auth.Users.
//
// # Handlers
//
// Handlers are registered once, on the server (its namespace "/"), a [Namespace], a [Group], or
// [Everywhere], and serve all clients. They are typed, so a wrong one does not compile:
//
//	core.On(srv, "say", func(c *core.Context, in Say) error { return c.To(in.Room).Emit("said", in) })
//	core.OnCall(srv, "history", func(c *core.Context, in Room) ([]Said, error) { ... }) // the ack
//
//	srv.Use(auth.Require)                                                     // who may connect
//	srv.OnConnect(func(c *core.Context) error { return c.Join("lobby") })     // an error refuses
//	srv.OnDisconnect(func(c *core.Context, reason core.Reason) { ... })       // once for each client
//	core.OnCall(srv.Group(adminsOnly), "ban", ban)                            // a guard before an event
//	boards := srv.OfPattern("/board/{id}")                                    // a namespace for each board
//
// A [Context] is the client's [Socket], the event and a context.Context that ends with the client. A
// handler's input is one type of yours, [None], [Args2] to [Args4] for several arguments, or [Args]. [Listen]
// registers methods; an [Option] puts middleware or a limit around handlers.
//
// An error that a handler returns is the client's ack: {"error": {"code", "message", "data"}} if it is an
// [Error] (or made for clients in another way), else "internal error" and nothing more. [Namespace.MapError]
// translates errors, [Namespace.OnError] observes them. A panic is such an error without an ack.
//
// # Emitting
//
//	c.Emit("said", text)                           // to the client of the event
//	srv.Emit("news", text)                         // to everybody in "/", from anywhere
//	srv.To("board:7", "admins").Emit("moved", x)   // to rooms, each client once
//	c.To("board:7").Emit("moved", x)               // the same without the client of the event
//	yes, err := core.Call[bool](c, "sure?")        // ask this client, also inside a handler
//	for vote, err := range core.Gather[string](ctx, srv.To("board:7"), "vote") { ... } // ask many
//
// c.To(room) and c.Broadcast() leave the sender out, as in JavaScript. srv.To(room) and srv.Emit include
// everybody, as in Flask-SocketIO. A [Broadcast] is an audience with options and may be kept;
// srv.Everybody() is the largest. A socket's id is the name of a room with that socket in it, so srv.To(id) is one
// client. The empty room name is nobody. With Config.Bus all of this reaches the clients of several servers.
//
// # Order and goroutines
//
// One client's events run one after another, different clients in parallel; [Concurrent] lets an event
// out of the order, and its handlers then have goroutines of their own. Acks do not queue behind
// handlers, so a handler may wait for one ([Call]). Emitting never writes to a socket
// and never blocks: it puts encoded bytes into bounded outboxes (see package engineio).
//
//	goroutine      started by                         ends when
//	reader         a WebSocket handshake or upgrade   the connection closes; it never runs user code
//	dispatcher     a socket's first queued event      that socket's queue is empty
//	ack callback   the answer to an EmitFunc          the callback returns
//	room hooks     a change of rooms, with OnRoom     all hooks have been told
//	flush workers  the first connection               Shutdown
//	clock          the first connection               Shutdown
//	task           Server.Go                          it returns; its context ends with Shutdown
//	bus, heartbeat New with a Config.Bus              Shutdown
//
// No lock is held while user code runs, so everything here may be called from every callback; only a task
// of Server.Go must not call Shutdown, nor a handler wait for it.
package core

// Lock order: recovery.mu -> Namespace.mu -> Socket.mu -> the locks of engineio. None is held while user code runs
// or bytes are written. client.mu comes before the locks of engineio and is never held together
// with Namespace.mu or Socket.mu; while Server.mu or the lock of registrations, of
// background tasks or of the client's files is held no other is taken.
