package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// A Token is what a verified bearer token says.
type Token struct {
	// User is the id of the account, as the loader understands it: a JWT's "sub", as a rule. Required.
	User string
	// ID names this token for [Tokens.RevokeToken]: a JWT's "jti". Default: a hash of the token.
	ID string
	// Issued is when it was made: a JWT's "iat". [Users.Revoke] refuses tokens that were issued before it, and JWTs
	// count whole seconds: one that is issued in the second of a Revoke is refused too. Zero: not known; then each
	// use counts as issued at that time, and Revoke cuts connections but cannot refuse the token itself.
	Issued time.Time
	// Expires is when it ends: a JWT's "exp". Zero: never. Options.Lifetime after Issued it ends in any case.
	Expires time.Time
}

// A Verifier checks a token's signature, issuer, audience and times, and says what it says. Any error refuses the
// token; clients see "please log in" and nothing of the error. One that could not find out returns an error that wraps
// [ErrUnavailable]. It is called concurrently, and never with more than 8 KiB.
type Verifier = func(ctx context.Context, token string) (Token, error)

// maxToken bounds what a verifier gets: HTTP servers take no longer header from their clients either, as a rule.
const maxToken = 8 << 10

// Tokens knows callers by a bearer token. Methods may be called concurrently.
type Tokens[U any] struct {
	r      *realm
	verify Verifier
}

// NewTokens returns Tokens for an application without cookie sessions. load is as in [New], whose Options.Refresh,
// Lifetime, Recheck and Logger count here too. NewTokens panics where New does.
//
//	tokens := auth.NewTokens(verify, loadUser)
//	srv, err := core.New(core.Config{Authenticate: tokens.Handshake})
//	srv.Use(tokens.Connect)                          // sockets; io(url, {auth: {token}})
//	http.Handle("/api/", tokens.Middleware(api))     // Authorization: Bearer ...
func NewTokens[U any](verify Verifier, load func(ctx context.Context, id string) (U, error), opts ...Options) *Tokens[U] {
	switch {
	case load == nil:
		panic("auth: NewTokens got no loader: pass func(ctx context.Context, id string) (*User, error)")
	case len(opts) > 1:
		panic("auth: NewTokens got more than one Options: pass one")
	}
	var o Options
	if len(opts) == 1 {
		o = opts[0]
	}
	return newTokens[U](newRealm(load, o), verify)
}

// Tokens returns Tokens for the same accounts: browsers come with the cookie, other programs with a token, and Revoke
// ends both. Call it before serving: Handshake counts its tokens too.
func (u *Users[U]) Tokens(verify Verifier) *Tokens[U] { return newTokens[U](u.r, verify) }

func newTokens[U any](r *realm, verify Verifier) *Tokens[U] {
	if verify == nil {
		panic("auth: Tokens got no verifier: pass func(ctx context.Context, token string) (auth.Token, error)")
	}
	t := &Tokens[U]{r, verify}
	r.bearers.add(t.login)
	return t
}

// Connections is the number of connections that Revoke could cut. With [Users.Tokens] it counts those of the cookie
// logins as well. A connection with a token in several namespaces counts once for each.
func (t *Tokens[U]) Connections() int { return t.r.reg.connections() }

// Middleware gives HTTP requests that bring an Authorization header with a bearer token the identity that it names.
// Others keep the identity they have, so it stands inside of [Users.Middleware], if both are used. A bad token is a
// 401, also where a session would be good, and a verifier that could not find out a 503.
func (t *Tokens[U]) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := bearer(r.Header)
		if err == nil && raw == "" {
			next.ServeHTTP(w, r)
			return
		}
		var in login
		if err == nil {
			in, err = t.login(r.Context(), raw)
		}
		if err != nil {
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			refuseHTTP(w, r, err)
			return
		}
		id := &Identity{realm: t.r, conn: &connection{login: in}, inHTTP: true}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), identityKey{}, id)))
	})
}

// login verifies a token that is not empty.
func (t *Tokens[U]) login(ctx context.Context, raw string) (login, error) {
	if len(raw) > maxToken {
		return login{}, t.refuse("", fmt.Errorf("it has %d bytes, %d are allowed", len(raw), maxToken))
	}
	token, err := t.verify(ctx, raw)
	now := time.Now()
	switch {
	case err != nil && unclear(err):
		err = fmt.Errorf("auth: the token could not be verified: %w", err)
		t.r.warnOf("auth: tokens cannot be verified", "", hide(err, raw))
		return login{}, hide(err, raw)
	case err != nil:
		return login{}, t.refuse(raw, err)
	case token.User == "":
		return login{}, t.refuse(raw, errors.New("the verifier returned no user"))
	case !token.Expires.IsZero() && !now.Before(token.Expires):
		return login{}, t.refuse(raw, errors.New("it has expired"))
	}
	in := login{user: token.User, at: token.Issued, until: token.Expires}
	if in.at.IsZero() {
		in.at = now
	}
	if token.ID == "" {
		sum := sha256.Sum256([]byte(raw))
		token.ID = hex.EncodeToString(sum[:])
	}
	in.id = tokenID(token.User, token.ID)
	alive, err := t.r.alive(ctx, in)
	switch {
	case err != nil:
		t.r.warnOf("auth: whether a token was revoked could not be found out", in.user, err)
		return login{}, err
	case !alive:
		return login{}, t.refuse(raw, errors.New("it was revoked, or is older than Options.Lifetime"))
	}
	return in, nil
}

// refuse makes the error for a token that is not good. Which tokens are refused, and why, is for debugging only:
// anybody can send any number of bad ones.
func (t *Tokens[U]) refuse(raw string, why error) error {
	why = hide(why, raw)
	t.r.log.Debug("auth: a token was refused", "error", why)
	return &badToken{why}
}

// tokenID keeps the ids of tokens apart from those of other users' tokens and of logins.
func tokenID(user, id string) string { return "token\x00" + user + "\x00" + id }

// bearer returns the token of an Authorization header, or nothing if there is none of that kind.
func bearer(h http.Header) (string, error) {
	values := h["Authorization"]
	if len(values) > 1 {
		return "", &badToken{errors.New("more than one Authorization header")}
	}
	if len(values) == 0 {
		return "", nil
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", nil
	}
	if token = strings.Trim(token, " "); token == "" {
		return "", &badToken{errors.New("the Authorization header names no token")}
	}
	return token, nil
}

// hide takes the token out of an error's text: verifiers may quote what they were given.
func hide(err error, raw string) error {
	if raw == "" || !strings.Contains(err.Error(), raw) {
		return err
	}
	return &hidden{strings.ReplaceAll(err.Error(), raw, "[token]"), err}
}

type hidden struct {
	text string
	err  error
}

func (e *hidden) Error() string        { return e.text }
func (e *hidden) Is(target error) bool { return errors.Is(e.err, target) } // no Unwrap: nobody prints the original
