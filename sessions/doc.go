// Package sessions gives HTTP handlers and socket handlers the same calls for the same cookie session.
//
// It keeps sessions in any [github.com/gorilla/sessions] store: the store the application already has. Routes that
// use gorilla's sessions, gin-contrib/sessions or echo-contrib/session stay as they are: same cookie, same store.
//
//	sess, err := sessions.New(store, "app", sessions.Options{})
//	http.ListenAndServe(addr, sess.Middleware(mux))                 // HTTP routes
//	srv, err := core.New(core.Config{Sessions: sess})               // sockets
//
//	sessions.From(ctx).Set("theme", "dark")                          // in either kind of handler
//	theme, ok := sessions.Get[string](ctx, "theme")
//
// After a WebSocket handshake no Set-Cookie header can be sent any more, so a session that lives in a cookie cannot
// be changed from a socket. There are two answers, and Flask-SocketIO has the same two.
//
// # Fork mode
//
// Fork, the default, works with every store: at the handshake the connection takes a copy of the session and keeps
// it (manage_session=True).
//
//	written by                 | seen by HTTP | seen by this connection | seen by other connections
//	---------------------------+--------------+-------------------------+---------------------------
//	HTTP, before the handshake | yes          | yes                     | yes, if they connect later
//	HTTP, after the handshake  | yes          | no, until it reconnects | if they connect later
//	a socket handler           | no           | yes, in all namespaces  | no
//
// A connection's copy is gone when the connection closes. The copy is of the map: a value that is a pointer, a
// map or a slice is as private as the store made it. Stores that decode bytes (all of gorilla's) make new values
// for every load; a home-made store that hands out pointers shares them.
//
// # Shared mode
//
// Shared needs a store that keeps sessions on a server, which [New] tries out; package sessiontest says whether
// yours will do. Sockets and routes then read and write one session (manage_session=False):
//
//	written by                 | seen by HTTP              | seen by sockets of the session
//	---------------------------+---------------------------+-------------------------------------
//	HTTP                       | by the next request       | by the next event of each
//	a socket handler           | when its ack arrives      | by its own event at once, by the next
//	                           |                           | event of all others
//
// An event reads the store at its first use of the session and sees that state to its end. After the handler, also
// after one that failed, and before its ack, what it set, deleted or cleared is applied to what the store has by
// then. So of two events, tabs or routes that write at once the one that is saved later wins a key that both wrote,
// and other keys are not lost. Within a process saves of one session wait for each other; two processes, and routes
// that save with other session code (which writes the whole session as it was loaded), can overwrite one another.
// A value that is changed in place must be Set again, and a counter that must be exact belongs in a database.
//
// When the event is over, a goroutine that kept its context may go on: every read asks the store then, and every
// write is saved before it returns.
//
// The handshake's cookie is the only one that a connection ever has. Once the store has no session for it, because
// it expired or was deleted, or because a login or logout renewed it, the connection sees an empty session, and
// writes return [ErrSessionGone]; a handshake without a session gives [ErrNoSession]. Neither brings a deleted
// session back. The page must reconnect its socket. Every save starts the store's own expiry anew; the cookie's
// stays as it was set.
//
// The login is no ordinary value: package auth cuts a connection's sockets when its user logs out or logs in
// again, in every mode.
//
// # Concurrency
//
// A [*Manager] and a [*Session] may be used by any number of goroutines at once. gorilla's own session, its
// registry and its values map may not, and none of them is reachable from here. A handler that also uses
// gorilla's store.Get on the same request holds a second copy of the session: the copy saved last wins.
//
// # Cookies
//
// A cookie written here is always HttpOnly. Path, Domain, MaxAge and Partitioned are the store's (an empty Path
// becomes "/"). SameSite is the store's if that is Lax or Strict, and Lax otherwise: gorilla's CookieStore says
// None by default, which sends the session along with every foreign page's request. [Options] overrides SameSite
// and Secure; the store's own Secure is ignored, because CookieStore's default cannot be told from a choice.
package sessions
