package auth

import (
	"context"
	"errors"
)

// refusal is an error that a client may see. Core finds ClientError by errors.As and sends what it returns.
type refusal struct {
	text    string
	message string
	data    any
}

func (e *refusal) Error() string { return e.text }

func (e *refusal) ClientError() (message string, data any) { return e.message, e.data }

func code(n int) map[string]int { return map[string]int{"code": n} }

// cutBecause makes a cause with which a connection is cut. Clients see it as the argument of core's
// Config.EndedEvent.
func cutBecause(text, message, reason string) error {
	return &refusal{text, message, endedData{reason, 401}}
}

type endedData struct {
	Reason string `json:"reason"`
	Code   int    `json:"code"`
}

// ErrUnauthenticated says that nobody is logged in. Clients see the message "please log in" and {"code":401}.
var ErrUnauthenticated error = &refusal{"auth: nobody is logged in", "please log in", code(401)}

// ErrBadToken says that a bearer token is not valid, too long, or malformed. It wraps the verifier's error, which
// clients do not see: to them it is the same as ErrUnauthenticated, which it is for errors.Is too.
var ErrBadToken error = &badToken{cause: errors.New("the token is not accepted")}

// ErrTokenInURL is what a client gets that sends its token as a parameter of the URL, where servers and proxies log it.
var ErrTokenInURL error = &refusal{
	text:    "auth: a token in the URL is not accepted, because URLs are logged: send it in the CONNECT's auth payload ({\"token\": ...}) or in the Authorization header",
	message: "send the token in the auth payload or the Authorization header, not in the URL",
	data:    code(400),
}

// ErrOtherUser is returned by [Tokens.Refresh] for a good token of somebody else.
var ErrOtherUser error = &refusal{
	text:    "auth: a socket stays with its user: the new token is another user's",
	message: "this token is another user's: reconnect with it",
	data:    code(409),
}

// ErrForbidden is what the errors of [RequireFunc] are for errors.Is.
var ErrForbidden = errors.New("auth: the user may not do this")

// ErrNotInSocket is returned by [Users.Login] in a socket handler.
var ErrNotInSocket error = &refusal{
	text:    "auth: a socket cannot log in, because it cannot set the browser's cookie: log in over HTTP, then reconnect the socket",
	message: "log in over HTTP, then reconnect",
	data:    code(409),
}

var (
	// ErrNoUser is for loaders to return, or to wrap, when the account is gone. The caller is then anonymous.
	ErrNoUser = errors.New("auth: no such user")

	// ErrUnavailable is for verifiers of tokens to wrap when they could not find out whether a token is good, because
	// the issuer's keys could not be fetched for instance. Clients then see an internal error, not "please log in".
	ErrUnavailable = errors.New("auth: it cannot be found out now")

	// ErrNoMiddleware says that the context was never given an identity, which is a mistake in the set-up.
	ErrNoMiddleware = errors.New("auth: no identity in this context: wrap the HTTP route in (*auth.Users).Middleware, " +
		"set core.Config.Authenticate to (*auth.Users).Handshake for sockets, and pass the handler's own context")

	errNoSocket = errors.New("auth: this guard needs the context of a socket: give it to core's Use or Config.Guards")
)

// The causes with which connections are cut: context.Cause wraps one of them. Just before, the client gets core's
// Config.EndedEvent with a message to show and {"reason": ..., "code": 401}; the reasons are "logged out",
// "reauthenticate", "revoked", "login expired", "token expired" and "not confirmed".
var (
	// ErrLoggedOut: the user logged out.
	ErrLoggedOut = cutBecause("auth: logged out", "you were logged out", "logged out")

	// ErrReauthenticate: the browser logged in, so it must reconnect.
	ErrReauthenticate = cutBecause("auth: the login changed: reconnect to use the new one", "your login changed, please reconnect", "reauthenticate")

	// ErrRevoked: Revoke, RevokeSession or RevokeToken was called, or Options.Recheck found the session or the
	// account gone.
	ErrRevoked = cutBecause("auth: the login was revoked", "your login was ended, please log in", "revoked")

	// ErrLoginExpired: the login reached Options.Lifetime.
	ErrLoginExpired = cutBecause("auth: the login expired: log in again", "your login has expired, please log in", "login expired")

	// ErrTokenExpired: the token reached its end and was not refreshed.
	ErrTokenExpired = cutBecause("auth: the token expired: refresh it before, see Tokens.Refresh", "your token has expired", "token expired")

	// ErrUnconfirmed: Options.Recheck could not ask the store or the loader, several times running.
	ErrUnconfirmed = cutBecause("auth: whether the login still holds could not be found out, several times running", "please reconnect", "not confirmed")
)

var errAccountGone = errors.Join(ErrUnauthenticated, ErrNoUser)

// badToken hides the verifier's error from clients and keeps it for logs.
type badToken struct{ cause error }

func (e *badToken) Error() string { return "auth: bad token: " + e.cause.Error() }

func (e *badToken) ClientError() (message string, data any) { return "please log in", code(401) }

func (e *badToken) Is(target error) bool {
	return target == ErrBadToken || target == ErrUnauthenticated
}

func (e *badToken) Unwrap() error { return e.cause }

// unclear reports whether err says that nothing could be found out.
func unclear(err error) bool {
	return errors.Is(err, ErrUnavailable) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
