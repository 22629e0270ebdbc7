package auth

import (
	"context"
	"time"
)

// Revoke ends every login and every token of the account id, after a ban or a change of password for instance, and
// cuts all its connections with [ErrRevoked] before it returns. It returns how many those were. The user may log in
// again; tokens count as new if they were issued later, see [Token.Issued]. It needs no request. It reaches the
// connections of this process, and those of others by [Users.OnRevoke].
func (u *Users[U]) Revoke(id string) (cut int) { return u.r.revokeUser(id) }

// RevokeSession ends the login of one session, and cuts all connections that were opened with that session with
// [ErrRevoked] before it returns, also those of nobody. It returns how many those were. id is what sessions.From(ctx).ID()
// returned after the login; it is a secret wherever the store trusts it. In that session the user counts as not logged
// in until [Options.Lifetime] has passed; other values that it holds stay readable in this process, while others, which
// know of it by [Options.Revocations], read it as empty.
func (u *Users[U]) RevokeSession(id string) (cut int) {
	if id == "" {
		return 0
	}
	cut, _ = u.r.revoke(context.Background(), revocation{kind: endSession, id: id, until: time.Now().Add(u.r.lifetime), cause: ErrRevoked})
	return cut // an error has been logged
}

// Revoke is [Users.Revoke].
func (t *Tokens[U]) Revoke(id string) (cut int) { return t.r.revokeUser(id) }

// RevokeToken refuses the token whose [Token.ID] is id from now on, and cuts the connections that it opened with
// [ErrRevoked] before it returns. It returns how many those were. user is the account it is for. It is remembered
// until [Options.Lifetime] has passed, in this process and as [Users.Revoke] in others.
func (t *Tokens[U]) RevokeToken(user, id string) (cut int) {
	cut, _ = t.r.revoke(context.Background(), revocation{
		kind: endLogin, user: user, id: tokenID(user, id), until: time.Now().Add(t.r.lifetime), cause: ErrRevoked,
	})
	return cut // an error has been logged
}

func (r *realm) revokeUser(id string) (cut int) {
	cut, _ = r.revoke(context.Background(), revocation{kind: endUser, user: id, until: time.Now().Add(r.lifetime), cause: ErrRevoked})
	return cut // an error has been logged
}
