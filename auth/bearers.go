package auth

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Handshake is core.Config.Authenticate for an application whose callers bring tokens in the Authorization header. With
// it a connection can be continued, on polling and in the upgrade, only by requests with the token of the handshake or
// another good one of the same user; others are refused with 403 and do the connection no harm. Who the sockets are is
// still up to [Tokens.Connect]: a bad token here means nobody, so that the client is told there.
//
// A token in the CONNECT's auth payload comes once and cannot be asked for again: such a connection belongs to whoever
// knows the engine's id, which is random and in no log.
//
// For tokens made by [Users.Tokens] it is the same as [Users.Handshake]. principal is the id of the token's user, or
// empty. An error means that the verifier could not find out.
func (t *Tokens[U]) Handshake(r *http.Request) (ctx context.Context, principal string, err error) {
	return t.r.authenticate(r)
}

// authenticate says who sent a request of a connection.
func (r *realm) authenticate(req *http.Request) (ctx context.Context, principal string, err error) {
	later := ofConnection(req)
	switch {
	case r.sess != nil:
		ctx, principal, later, err = r.bySession(req)
	case later:
		ctx = req.Context()
	default:
		ctx = context.WithValue(req.Context(), identityKey{}, &Identity{realm: r, conn: &connection{}})
	}
	if err != nil || len(req.Header["Authorization"]) == 0 {
		return ctx, principal, err
	}
	user, err := r.bearers.user(req, later)
	switch {
	case err != nil:
		return nil, "", err
	case principal == "":
		principal = user
	case user != "" && user != principal:
		principal = r.bearers.both(principal, user)
	}
	return ctx, principal, nil
}

// ofConnection reports whether a request belongs to a connection, and does not open one. It must agree with engineio: a
// sid without a value is none.
func ofConnection(req *http.Request) bool { return req.URL.Query().Get("sid") != "" }

// bearers knows whose the tokens in Authorization headers are.
type bearers struct {
	mu     sync.Mutex
	logins []func(ctx context.Context, raw string) (login, error) // guarded by mu; one for each Tokens
	opened map[cookieHash]*opener                                 // guarded by mu; tokens of handshakes whose connections are open
	later  seen                                                   // tokens that came with later requests
	salt   string                                                 // random; does not change
	fresh  time.Duration                                          // how long they are remembered; does not change
	live   func(login) bool                                       // does not change
}

// opener is a token that connections were opened with. It names its user as long as they are open, also when it has
// expired or was revoked: the socket is told so, or has got a newer one by Refresh, while polls go on.
type opener struct {
	user  string
	conns int
}

// both is the principal of a connection with a login and another user's token: it takes both to continue it. salt keeps
// anybody from having such an id.
func (b *bearers) both(user, other string) string {
	return b.salt + strconv.Itoa(len(user)) + ":" + user + other
}

func (b *bearers) add(login func(ctx context.Context, raw string) (login, error)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.logins = append(b.logins, login)
}

// user returns whose token a request has in its Authorization header, or nothing if that is no good one. An error
// means that it could not be found out.
func (b *bearers) user(req *http.Request, later bool) (string, error) {
	raw, err := bearer(req.Header)
	if err != nil || raw == "" || len(raw) > maxToken {
		return "", nil // Connect says what is wrong with it
	}
	key := hashCookie("Bearer " + raw)
	if later {
		if user, ok := b.known(key); ok {
			return user, nil
		}
	}
	in, err := b.verify(req.Context(), raw)
	if err != nil || in.user == "" {
		return "", err
	}
	if later {
		b.later.put(key, in, time.Now().Add(b.fresh))
	} else {
		b.open(req.Context(), key, in.user)
	}
	return in.user, nil
}

// known returns whose token it is without asking a verifier.
func (b *bearers) known(key cookieHash) (user string, ok bool) {
	b.mu.Lock()
	o := b.opened[key]
	b.mu.Unlock()
	if o != nil {
		return o.user, true
	}
	in, ok := b.later.get(key, time.Now())
	return in.user, ok && b.live(in)
}

// verify asks one verifier after the other.
func (b *bearers) verify(ctx context.Context, raw string) (login, error) {
	b.mu.Lock()
	logins := b.logins
	b.mu.Unlock()
	var failed error
	for _, verified := range logins {
		in, err := verified(ctx, raw)
		if err == nil {
			return in, nil
		}
		if !errors.Is(err, ErrBadToken) {
			failed = err
		}
	}
	return login{}, failed
}

// open remembers the token of a handshake until conn, the connection's context, ends.
func (b *bearers) open(conn context.Context, key cookieHash, user string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	o := b.opened[key]
	if o == nil {
		o = &opener{user: user}
		if b.opened == nil {
			b.opened = make(map[cookieHash]*opener)
		}
		b.opened[key] = o
	}
	o.conns++
	context.AfterFunc(conn, func() { b.close(key, o) })
}

func (b *bearers) close(key cookieHash, o *opener) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if o.conns--; o.conns == 0 {
		delete(b.opened, key)
	}
}
