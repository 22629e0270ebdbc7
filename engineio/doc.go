// Package engineio is the transport below Socket.IO: one ordered, bounded message pipe per
// client, over HTTP long-polling, WebSocket, or the first upgraded to the second, as
// Engine.IO protocol 4 describes it (https://socket.io/docs/v4/engine-io-protocol/).
//
// A [Server] is an http.Handler. For every client that completes the handshake it calls
// [Config].Accept, which returns the [Receiver] of that client's messages; it sends with
// [Conn.Send], [Conn.SendNow] and [Batch].
//
// # How it runs
//
// One goroutine reads each WebSocket and never runs user code. Sending only puts an encoded,
// shared [Message] in the connection's bounded outbox: a few flush workers per server write
// everything that is queued for one connection in one call. A connection whose socket buffer
// is full is handed to a flusher goroutine of its own until it has caught up, so one slow
// client delays nobody. All timers of a server live on one clock goroutine. A parked
// long-poll lives on the goroutine net/http gave it.
//
// # Older clients
//
// Config.AllowEIO3 and Config.JSONP let in clients that speak otherwise. Such a connection has a
// dialect, which its handshake decides; all others have none and pay a nil check. A [Message] is
// encoded once for all of them: only the framing around its text and its attachments differs.
//
// # Locks
//
// Conn.mu guards one connection and is held for a few assignments only: never while bytes are
// written, never while a Receiver or another callback runs. Order: (a caller's own locks) ->
// Conn.mu -> readyList.mu or clock.mu or Server.mu.
//
// # Where it is stricter than the Node server
//
// The Origin is checked on every transport and every request; later requests of a session are
// authorised again; a repeated EIO, transport or sid parameter, a polling request with upgrade
// headers and an upgrade of a session that was born on WebSocket are refused before any 101;
// an Engine.IO close packet on WebSocket closes at once; "5" needs a "2probe" before it.
package engineio
