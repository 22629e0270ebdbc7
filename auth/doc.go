// Package auth tells HTTP handlers and socket handlers who is calling, with the same calls in both.
//
//	sess, err := sessions.New(store, "app", sessions.Options{})
//	users := auth.New(sess, loadUser)                  // loadUser(ctx, id) (*User, error)
//	http.ListenAndServe(addr, users.Middleware(mux))   // HTTP routes
//	srv, err := core.New(core.Config{Sessions: sess, Authenticate: users.Handshake})
//
//	u, ok := auth.User[*User](ctx)                     // in either kind of handler
//	srv.Of("/admin").Use(auth.Require)                 // a guard
//
// The login lives in the cookie session that package sessions keeps. Checking the password (bcrypt, OAuth, ...) is
// the application's part; then it calls [Users.Login] with the id of the account.
//
// # What is visible where
//
//	call                   | HTTP request                          | connection
//	-----------------------+---------------------------------------+------------------------------------------
//	User, MustUser         | loaded once per request, on first use | loaded on first use, again after Refresh
//	who is logged in       | follows Login and Logout at once      | fixed at the handshake, until it is cut
//	Login                  | yes: new session id; sockets that     | ErrNotInSocket: log in over HTTP, then
//	                       | were opened before are cut            | reconnect
//	Logout, Revoke         | yes                                   | yes; this connection is cut as well
//
// A connection that began as nobody's never becomes somebody's in place. Login cuts those that were opened with the
// session it replaces; one that was opened without any session cookie stays nobody's until it reconnects (on
// polling its next request is refused). The official client does not reconnect by itself after it was cut: call
// socket.disconnect().connect() when the login has succeeded. Cutting means that the context of the handshake is
// cancelled with the cause, [ErrLoggedOut], [ErrReauthenticate], [ErrRevoked], [ErrLoginExpired] or [ErrUnconfirmed],
// before the call that caused it returns. The client is told which: these errors are for core's Config.EndedEvent.
//
// # Tokens
//
// Programs that have no cookie bring a bearer token in the auth payload of their CONNECT or in the Authorization header:
//
//	tokens := auth.NewTokens(verify, loadUser) // or users.Tokens(verify), beside the cookie logins
//	srv.Use(tokens.Connect)
//
// From then on [User] and the rest work in that namespace's handlers as they do with a cookie, until the token expires
// ([ErrTokenExpired]) or is replaced by [Tokens.Refresh].
//
// # What logout ends
//
// A cookie store's content lives in the browser, so deleting the cookie would not touch a stolen copy. Every login
// therefore has a random id, and a logged-out id is refused until the login would have expired anyway
// ([Options.Lifetime]); the whole session of a copied cookie then counts as new and empty. The list of refused ids
// is kept in this process. [Options.Revocations] keeps it where a restart does not forget it, and [Users.OnRevoke] and
// [Users.ApplyRevocation] tell other processes, so that they cut their connections at once. With a store that keeps
// sessions on a server, Logout deletes the old session there as well; Revoke cannot find the records of an account's
// other sessions. A request that is under way at a logout, and changes the session, saves it without the login (in
// sessions.Shared mode it gets a 409).
package auth
