// Package sessions gives HTTP handlers and socket handlers the same calls for the same cookie session.
//
// It keeps sessions in any [github.com/gorilla/sessions] store: the store the application already has.
//
//	sess, err := sessions.New(store, "app", sessions.Options{})
//	http.ListenAndServe(addr, sess.Middleware(mux))                 // HTTP routes
//	srv, err := core.New(core.Config{Sessions: sess})               // sockets
//
//	sessions.From(ctx).Set("theme", "dark")                          // in either kind of handler
//	theme, ok := sessions.Get[string](ctx, "theme")
//
// # Fork mode: what is visible where
//
// After a WebSocket handshake no Set-Cookie header can be sent any more, so a session that lives in a cookie
// cannot be changed from a socket. Fork, the default, therefore does what Flask-SocketIO does by default
// (manage_session=True): at the handshake the connection takes a copy of the session and keeps it.
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
