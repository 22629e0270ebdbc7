package sessions

import "errors"

var (
	// ErrNoMiddleware is what writing returns, and what [Session.Err] reports, when the context holds no session.
	ErrNoMiddleware = errors.New("sessions: no session in this context: wrap the HTTP route in (*sessions.Manager).Middleware, " +
		"set core.Config.Sessions for sockets, and pass the handler's own context")

	// ErrTooLate is returned by writes after the first byte of the HTTP response, when no cookie can be set.
	ErrTooLate = errors.New("sessions: the response has begun, so its cookie cannot change any more: " +
		"write to the session before the first byte of the response")

	// ErrInSocket is returned by [Session.Save] and [Manager.Renew] in a socket handler.
	ErrInSocket = errors.New("sessions: a socket cannot change the browser's cookie: in Fork mode its writes " +
		"stay with the connection; do this in an HTTP route instead")

	// ErrReservedKey is returned by writes to keys that begin with "_siokit.", which hold the login.
	ErrReservedKey = errors.New(`sessions: keys that begin with "_siokit." are reserved: use another key, and package auth for logins`)

	// ErrUnusableKey is returned by writes with a key that no map can hold.
	ErrUnusableKey = errors.New("sessions: this key cannot be a map key: use a string")
)
