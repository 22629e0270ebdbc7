package auth

import "time"

// Revoke ends every login and every token of the account id, after a ban or a change of password for instance, and
// cuts all its connections with [ErrRevoked] before it returns. It returns how many those were. The user may log in
// again; tokens count as new if they were issued later, see [Token.Issued]. It needs no request, and reaches the
// connections of this process.
func (u *Users[U]) Revoke(id string) (cut int) { return u.r.revokeUser(id) }

// RevokeSession ends the login of one session, and cuts all connections that were opened with that session with
// [ErrRevoked] before it returns, also those of nobody. It returns how many those were. id is what sessions.From(ctx).ID()
// returned after the login; it is a secret wherever the store trusts it. In that session the user counts as not logged
// in until [Options.Lifetime] has passed; other values that it holds stay readable.
func (u *Users[U]) RevokeSession(id string) (cut int) {
	now := time.Now()
	return u.r.reg.revokeSession(id, now, now.Add(u.r.lifetime), ErrRevoked)
}

// Revoke is [Users.Revoke].
func (t *Tokens[U]) Revoke(id string) (cut int) { return t.r.revokeUser(id) }

// RevokeToken refuses the token whose [Token.ID] is id from now on, and cuts the connections that it opened with
// [ErrRevoked] before it returns. It returns how many those were. user is the account it is for. It is remembered
// until [Options.Lifetime] has passed, in this process.
func (t *Tokens[U]) RevokeToken(user, id string) (cut int) {
	now := time.Now()
	return t.r.reg.revokeLogin(login{user: user, id: tokenID(user, id)}, now.Add(t.r.lifetime), now, ErrRevoked)
}

func (r *realm) revokeUser(id string) (cut int) {
	now := time.Now()
	return r.reg.revokeUser(id, now, now.Add(r.lifetime), ErrRevoked)
}
