package auth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// socket is what a guard's context must be: *core.Context is.
type socket interface {
	context.Context
	Auth(v any) error              // decodes the CONNECT's auth payload
	Header() http.Header           // of the handshake
	Query() url.Values             // of the handshake
	SetValue(key, value any)       // for all contexts of this socket
	DisconnectBecause(cause error) // this socket only, and not its connection
}

// Connect is a guard for core's Use and Config.Guards: it lets only those sockets in that bring a good token of an
// account that exists. The token is the member "token" of the CONNECT's auth payload, or else that of the handshake's
// Authorization header; never a parameter of the URL ([ErrTokenInURL]). In that namespace [User] and everything else
// here then sees the token's user, whoever the handshake's cookie belongs to; other namespaces do not. Namespaces
// that check different tokens can have different users.
//
//	srv.Use(tokens.Connect)                               // the namespace "/"
//	const socket = io({auth: (cb) => cb({token: fresh()})})  // a function: asked again at every reconnect
//
// When the token expires its socket is disconnected with [ErrTokenExpired]; see [Tokens.Refresh].
//
// Refusals: [ErrUnauthenticated] without a token, [ErrBadToken], [ErrTokenInURL]. Clients cannot tell the first two
// apart. Any other error says that it could not be found out, and clients see "internal error".
func (t *Tokens[U]) Connect(ctx context.Context) error { return t.connect(ctx, true) }

// ConnectOptional is Connect that lets sockets without a token pass, with the identity of their handshake, which may
// be nobody's or a cookie's. A bad token is refused all the same.
func (t *Tokens[U]) ConnectOptional(ctx context.Context) error { return t.connect(ctx, false) }

func (t *Tokens[U]) connect(ctx context.Context, required bool) error {
	s, ok := ctx.(socket)
	if !ok {
		return errNoSocket
	}
	raw, err := tokenOf(s)
	switch {
	case err != nil:
		return err
	case raw == "" && required:
		return ErrUnauthenticated
	case raw == "":
		return nil
	}
	in, err := t.login(ctx, raw)
	if err != nil {
		return err
	}
	h := From(ctx).holder(t.r)
	if h == nil {
		h = &tokenHolder{realm: t.r, socket: s}
		context.AfterFunc(s, h.release)
	}
	return h.take(ctx, in)
}

// Refresh replaces the token of a socket that [Tokens.Connect] let in by a newer one of the same user, so that the
// socket lives on when the old one expires. Call it in a handler of an event of your choice:
//
//	core.On(srv, "token", func(c *core.Context, token string) error { return tokens.Refresh(c, token) })
//	socket.emitWithAck("token", await fetchToken())       // in time, every few minutes
//
// An error leaves the old token in force: [ErrBadToken], [ErrOtherUser], or that of a verifier or loader that could not
// find out. A socket without a token cannot get one: it must reconnect ([ErrUnauthenticated]).
func (t *Tokens[U]) Refresh(ctx context.Context, token string) error {
	who := From(ctx)
	h := who.holder(t.r)
	if h == nil || who.UserID() == "" {
		return ErrUnauthenticated
	}
	if token == "" {
		return t.refuse("", errors.New("it is empty"))
	}
	in, err := t.login(ctx, token)
	if err != nil {
		return err
	}
	if in.user != who.conn.login.user {
		return ErrOtherUser
	}
	return h.take(ctx, in)
}

// tokenOf finds the token that a client sent.
func tokenOf(s socket) (string, error) {
	var payload struct {
		Token *string `json:"token"`
	}
	if err := s.Auth(&payload); err != nil {
		return "", &badToken{errors.New("the auth payload is not like {\"token\": \"...\"}")}
	}
	if payload.Token != nil && *payload.Token != "" {
		return *payload.Token, nil
	}
	raw, err := bearer(s.Header())
	if err != nil || raw != "" {
		return raw, err
	}
	for _, name := range []string{"token", "access_token"} {
		if s.Query().Get(name) != "" {
			return "", ErrTokenInURL
		}
	}
	return "", nil
}

// ownerKey tells core whose socket it is, so that nobody else takes up its session (core.Recovery).
// auth does not import core.
const ownerKey = "github.com/siokit/siokit/core.owner"

// tokenHolder is a socket and the token it has now.
type tokenHolder struct {
	realm  *realm
	socket socket

	mu       sync.Mutex  // never held while the registry's is taken, nor the other way round
	conn     *connection // guarded by mu
	timer    *time.Timer // guarded by mu; ends conn
	unwatch  func()      // guarded by mu
	released bool        // guarded by mu; the socket has ended
}

// holder returns the holder of an identity that r gave to a socket by token, or nil.
func (i *Identity) holder(r *realm) *tokenHolder {
	if i.realm != r || i.conn == nil {
		return nil
	}
	return i.conn.holder
}

// take makes in the identity of the socket, if its account exists.
func (h *tokenHolder) take(ctx context.Context, in login) error {
	c := &connection{login: in, cut: h.socket.DisconnectBecause, holder: h}
	id := &Identity{realm: h.realm, conn: c}
	if _, err := id.load(ctx, false); err != nil {
		if errors.Is(err, ErrNoUser) {
			return &badToken{err} // not to be told from a token that is bad otherwise
		}
		return err
	}
	if cause := h.realm.reg.add(c, time.Now()); cause != nil {
		return &badToken{errors.New("it was revoked")}
	}
	watched, unwatch := context.WithCancel(h.socket)
	h.mu.Lock()
	if h.released || h.conn != nil && h.conn.ended.Load() {
		h.mu.Unlock()
		unwatch()
		h.realm.reg.remove(c)
		return ErrUnauthenticated
	}
	before, stop := h.conn, h.stopLocked()
	h.conn, h.unwatch = c, unwatch
	h.timer = time.AfterFunc(time.Until(in.end(h.realm.lifetime)), func() { h.expire(c) })
	h.socket.SetValue(identityKey{}, id)
	h.socket.SetValue(ownerKey, in.user)
	h.mu.Unlock()
	stop()
	if before != nil {
		h.realm.reg.remove(before)
	}
	h.realm.watch(watched, c, func(ctx context.Context) error {
		alive, err := h.realm.alive(ctx, in)
		switch {
		case err != nil:
			return err
		case !alive:
			return ErrUnauthenticated
		}
		return h.realm.hasAccount(ctx, in.user)
	})
	return nil
}

// stopLocked stops the timer of the present token and returns what is to be called without mu.
func (h *tokenHolder) stopLocked() (stop func()) {
	if h.conn == nil {
		return func() {}
	}
	h.timer.Stop()
	return h.unwatch
}

// expire ends the socket if c is still its token.
func (h *tokenHolder) expire(c *connection) {
	h.mu.Lock()
	due := h.conn == c && !h.released
	h.mu.Unlock()
	if due {
		h.realm.reg.remove(c)
		c.end(ErrTokenExpired)
	}
}

// release forgets a socket that has ended.
func (h *tokenHolder) release() {
	h.mu.Lock()
	h.released = true
	conn, stop := h.conn, h.stopLocked()
	h.mu.Unlock()
	stop()
	if conn != nil {
		h.realm.reg.remove(conn)
	}
}
