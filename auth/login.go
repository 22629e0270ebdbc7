package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Login logs in the account id: call it in an HTTP handler behind Middleware, after checking the password and
// before the first byte of the response. ctx is the request's context, or in gin the *gin.Context. The session gets a new id and is saved at once. Connections that were
// opened under the old one are cut with [ErrReauthenticate], so the page must reconnect its socket; a login that
// the session held before ends.
//
// Errors: [ErrNotInSocket], [ErrNoMiddleware], sessions.ErrTooLate, or the store's. Nobody is logged in then.
func (u *Users[U]) Login(ctx context.Context, id string) error {
	if id == "" {
		return errors.New("auth: Login got an empty user id: pass the id that the loader given to auth.New understands")
	}
	who, err := u.r.of(ctx)
	if err != nil {
		return err
	}
	if who.conn != nil || who.session == nil {
		return ErrNotInSocket
	}
	before := who.current()
	now := time.Now()
	at := u.r.reg.loginTime(id, now)
	old, err := u.r.sess.Renew(ctx, map[string]any{
		userKey:  id,
		loginKey: rand.Text(),
		atKey:    strconv.FormatInt(at.UnixNano(), 10),
	})
	if err != nil {
		return fmt.Errorf("auth: login failed: %w", err)
	}
	if before.user != "" {
		// The new login holds, whether the old one will be remembered or not; what fails is logged.
		_, _ = u.r.revoke(ctx, revocation{
			kind: endLogin, user: before.user, id: before.id, until: before.end(u.r.lifetime), cause: ErrReauthenticate,
		})
	}
	if old != "" {
		_, _ = u.r.revoke(ctx, revocation{
			kind: endSession, id: old, until: now.Add(sessionGrace), cause: ErrReauthenticate, brief: true,
		})
	}
	return nil
}

// Logout ends the login of ctx. When it returns, copies of its cookie are refused, and the contexts of all its
// connections are cancelled with [ErrLoggedOut]; other logins of the same user stay, see [Users.Revoke]. In an
// HTTP handler it must come before the first byte of the response, and the session keeps its other values under a
// new id. In a socket handler the browser keeps a cookie that is worth nothing.
//
// It is no error if nobody is logged in. If the session store or Options.Revocations fails the error says so, and the
// login has ended all the same.
func (u *Users[U]) Logout(ctx context.Context) error {
	who, err := u.r.of(ctx)
	if err != nil {
		return err
	}
	in := who.current()
	if in.user == "" {
		if err := who.sessionErr(); err != nil {
			return fmt.Errorf("auth: logout did not find out who is logged in: %w", err)
		}
		return nil
	}
	_, lost := u.r.revoke(ctx, revocation{
		kind: endLogin, user: in.user, id: in.id, until: in.end(u.r.lifetime), cause: ErrLoggedOut,
	})
	if lost != nil {
		lost = fmt.Errorf("auth: the login has ended, but may count again after a restart: Options.Revocations failed: %w", lost)
	}
	if who.session == nil {
		return lost // known by a token: no session is theirs
	}
	if who.conn != nil {
		err = u.r.sess.Erase(ctx)
	} else {
		_, err = u.r.sess.Renew(ctx, map[string]any{userKey: nil, loginKey: nil, atKey: nil})
	}
	if err != nil {
		err = fmt.Errorf("auth: the login has ended, but its session could not be changed: %w", err)
	}
	return errors.Join(err, lost)
}

// of returns the identity of ctx if it belongs to r.
func (r *realm) of(ctx context.Context) (*Identity, error) {
	who := From(ctx)
	if who.realm != r {
		return nil, ErrNoMiddleware
	}
	return who, nil
}
