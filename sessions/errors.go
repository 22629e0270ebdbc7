package sessions

import "errors"

var (
	// ErrNoMiddleware is what writing returns, and what [Session.Err] reports, when the context holds no session.
	ErrNoMiddleware = errors.New("sessions: no session in this context: wrap the HTTP route in (*sessions.Manager).Middleware, " +
		"set core.Config.Sessions for sockets, and pass the handler's own context")

	// ErrTooLate is returned by writes after the first byte of the HTTP response, when no cookie can be set.
	ErrTooLate = errors.New("sessions: the response has begun, so its cookie cannot change any more: " +
		"write to the session before the first byte of the response")

	// ErrInSocket is returned in a socket handler by [Manager.Renew] and [Session.Commit], and in Fork mode by
	// [Session.Save].
	ErrInSocket = errors.New("sessions: a socket cannot change the browser's cookie: in Fork mode its writes " +
		"stay with the connection; do this in an HTTP route instead")

	// ErrReservedKey is returned by writes to keys that begin with "_siokit.", which hold the login.
	ErrReservedKey = errors.New(`sessions: keys that begin with "_siokit." are reserved: use another key, and package auth for logins`)

	// ErrUnusableKey is returned by writes with a key that no map can hold.
	ErrUnusableKey = errors.New("sessions: this key cannot be a map key: use a string")
)

var (
	// ErrSessionGone is returned in Shared mode by writes to a session that the store no longer has: it expired,
	// it was deleted, or a login or logout gave it a new id, of which this connection's cookie knows nothing.
	// Nothing was saved. Clients of a socket see "your session has ended" and {"code":401}; an HTTP response that
	// has not begun becomes a 409.
	ErrSessionGone error = &ended{
		text: "sessions: the session is no longer in the store (it expired, was deleted, or a login or logout renewed it): " +
			"the page must reconnect its socket, which then brings the new cookie",
		message: "your session has ended: reload the page",
	}

	// ErrNoSession is returned in Shared mode by socket writes when the handshake brought no session. Clients see
	// "you have no session" and {"code":401}.
	ErrNoSession error = &ended{
		text: "sessions: the handshake brought no session and a socket cannot set a cookie: write to the session in an " +
			"HTTP route before the page connects; (*sessions.Manager).Explain says why there was none",
		message: "you have no session: reload the page",
	}
)

// ended is an error that a client may see: core finds ClientError by errors.As and sends what it returns.
type ended struct{ text, message string }

func (e *ended) Error() string { return e.text }

func (e *ended) ClientError() (message string, data any) {
	return e.message, map[string]int{"code": 401}
}
