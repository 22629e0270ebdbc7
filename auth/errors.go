package auth

import "errors"

// refusal is an error that a client may see. Core finds ClientError by errors.As and sends what it returns.
type refusal struct {
	text    string
	message string
	code    int
}

func (e *refusal) Error() string { return e.text }

func (e *refusal) ClientError() (message string, data any) {
	return e.message, map[string]int{"code": e.code}
}

// ErrUnauthenticated says that nobody is logged in. Clients see the message "please log in" and {"code":401}.
var ErrUnauthenticated error = &refusal{
	text:    "auth: nobody is logged in",
	message: "please log in",
	code:    401,
}

// ErrNotInSocket is returned by [Users.Login] in a socket handler.
var ErrNotInSocket error = &refusal{
	text:    "auth: a socket cannot log in, because it cannot set the browser's cookie: log in over HTTP, then reconnect the socket",
	message: "log in over HTTP, then reconnect",
	code:    409,
}

var (
	// ErrNoUser is for loaders to return, or to wrap, when the account is gone. The caller is then anonymous.
	ErrNoUser = errors.New("auth: no such user")

	// ErrNoMiddleware says that the context was never given an identity, which is a mistake in the set-up.
	ErrNoMiddleware = errors.New("auth: no identity in this context: wrap the HTTP route in (*auth.Users).Middleware, " +
		"set core.Config.Authenticate to (*auth.Users).Handshake for sockets, and pass the handler's own context")

	// ErrLoggedOut is the cause with which a connection is cut when its user logs out.
	ErrLoggedOut = errors.New("auth: logged out")

	// ErrReauthenticate is the cause with which a connection is cut when its browser logs in: it must reconnect.
	ErrReauthenticate = errors.New("auth: the login changed: reconnect to use the new one")

	// ErrLoginExpired is the cause with which a connection is cut when its login reaches Options.Lifetime.
	ErrLoginExpired = errors.New("auth: the login expired: log in again")
)

var errAccountGone = errors.Join(ErrUnauthenticated, ErrNoUser)
