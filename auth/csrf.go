package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/http"
)

// ErrCSRF is what [Users.RequireCSRF] refuses with: the CONNECT came from a page that does not belong to its session.
var ErrCSRF error = &refusal{
	text:    "auth: the CONNECT's auth payload has no CSRF token of its session: give the page the one that Users.CSRFToken returns, and the client {auth: {csrf: token}}; after a login or logout the page must fetch a new one",
	message: "please reload the page",
	data:    code(http.StatusForbidden),
}

// CSRFToken returns a token for the page that an HTTP handler answers with: the page's client sends it back in the
// member "csrf" of its auth payload, which [Users.RequireCSRF] asks for. Pages of other sites cannot read it.
//
//	<meta name="csrf" content="{{.CSRF}}">
//	const socket = io({auth: {csrf: document.querySelector("meta[name=csrf]").content}});
//
// It belongs to the session and its login, and is worth nothing after the session was renewed, as Login and Logout do.
// It differs at every call, so that compression does not betray it (BREACH), and nothing is stored for it. Whoever knows
// the session's id (see sessions.Session.ID) can make one.
//
// A visitor without a session gets one, so call it before the first byte of the response. Answers that hold a token must
// not be cached for others. Errors: [ErrNoMiddleware], [ErrNotInSocket], sessions.ErrTooLate, or the store's.
func (u *Users[U]) CSRFToken(ctx context.Context) (string, error) {
	who, err := u.r.of(ctx)
	if err != nil {
		return "", err
	}
	if who.session == nil || who.session.InSocket() {
		return "", ErrNotInSocket
	}
	secret, ok := csrfSecret(who.session)
	if !ok {
		if err := who.sessionErr(); err != nil {
			return "", fmt.Errorf("auth: the session is not known: %w", err)
		}
		if _, err := u.r.sess.Renew(ctx, nil); err != nil {
			return "", fmt.Errorf("auth: a session for the CSRF token could not be made: %w", err)
		}
		if secret, ok = csrfSecret(who.session); !ok {
			return "", fmt.Errorf("auth: a session for the CSRF token could not be made: the store gives it no id")
		}
	}
	token := make([]byte, 2*sha256.Size)
	mask, masked := token[:sha256.Size], token[sha256.Size:]
	rand.Read(mask) // never fails: see crypto/rand
	subtle.XORBytes(masked, mask, secret)
	return base64.RawURLEncoding.EncodeToString(token), nil
}

// RequireCSRF is a guard for core's Use and Config.Guards: it lets only those sockets in whose CONNECT brings, in the
// member "csrf" of its auth payload, a token that [Users.CSRFToken] made for the session of the handshake. Others are
// refused with [ErrCSRF], which clients see as "please reload the page" with {"code":403}.
//
// Use it next to the check of the page's origin, not instead: it is a second lock for the same door. A socket that
// [Tokens.Connect] let in, and whose handshake had no session, needs none, because no browser sends a bearer token by
// itself: put the guard behind that one.
func (u *Users[U]) RequireCSRF(ctx context.Context) error {
	s, ok := ctx.(socket)
	if !ok {
		return errNoSocket
	}
	session, ok := u.r.sess.Lookup(ctx)
	if !ok {
		return ErrNoMiddleware
	}
	secret, ok := csrfSecret(session)
	if !ok {
		if err := session.Err(); err != nil {
			return fmt.Errorf("auth: the session is not known: %w", err)
		}
		if From(ctx).holder(u.r) != nil {
			return nil
		}
		return ErrCSRF
	}
	var payload struct {
		CSRF string `json:"csrf"`
	}
	if err := s.Auth(&payload); err != nil || !isCSRFToken(payload.CSRF, secret) {
		return ErrCSRF
	}
	return nil
}

// csrfSecret derives the secret of a session's tokens. It is false for a session without an id, to which nothing can be
// bound. The login takes part because session ids may be shown, in a list of somebody's devices for instance.
func csrfSecret(s interface {
	ID() string
	Get(key any) any
}) (secret []byte, ok bool) {
	id := s.ID()
	if id == "" {
		return nil, false
	}
	in, _ := s.Get(loginKey).(string)
	mac := hmac.New(sha256.New, []byte(id+"\x00"+in))
	mac.Write([]byte("siokit CSRF token"))
	return mac.Sum(nil), true
}

// isCSRFToken compares in constant time.
func isCSRFToken(text string, secret []byte) bool {
	if len(text) != base64.RawURLEncoding.EncodedLen(2*sha256.Size) {
		return false
	}
	token, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return false
	}
	subtle.XORBytes(token, token[:sha256.Size], token[sha256.Size:])
	return hmac.Equal(token[:sha256.Size], secret)
}
