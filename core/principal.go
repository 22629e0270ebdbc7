package core

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"

	"github.com/siokit/siokit/engineio"
)

// identify runs Sessions and Authenticate for a handshake.
func (s *Server) identify(r *http.Request) (ctx context.Context, principal string, err error) {
	ctx = r.Context()
	if s.cfg.Sessions != nil {
		if ctx, err = s.cfg.Sessions.BindSession(r); err != nil {
			return nil, "", err
		}
	}
	if s.cfg.Authenticate != nil {
		return s.cfg.Authenticate(r.WithContext(ctx))
	}
	if namer, ok := s.cfg.Sessions.(SessionNamer); ok {
		principal, err = namer.NameSession(r.WithContext(ctx))
	}
	return ctx, principal, err
}

// authorize checks a later request of a connection: whoever knows the session id must also be
// the one who opened it.
func (s *Server) authorize(conn *engineio.Conn, r *http.Request) error {
	namer, named := s.cfg.Sessions.(SessionNamer)
	if s.cfg.Authenticate == nil && !named {
		return nil
	}
	c, ok := conn.Receiver().(*client)
	if !ok {
		return errors.New("core: the handshake has not ended")
	}
	if s.cfg.Authenticate == nil && (c.principal == "" || c.sameCookies(r)) {
		return nil
	}
	var principal string
	err := protectHTTP(func() (err error) {
		if s.cfg.Authenticate != nil {
			_, principal, err = s.cfg.Authenticate(r)
		} else {
			principal, err = namer.NameSession(r)
		}
		return err
	})
	if err != nil {
		return s.hookError(err)
	}
	if principal != c.principal {
		return engineio.Forbidden("the request comes with another login or session than the handshake of its connection")
	}
	return nil
}

// sameCookies reports whether r brings exactly what the handshake brought.
func (c *client) sameCookies(r *http.Request) bool {
	now, then := r.Header["Cookie"], c.handshake.Header["Cookie"]
	return len(now) == 1 && len(then) == 1 && // HTTP/2 may send several
		subtle.ConstantTimeCompare([]byte(now[0]), []byte(then[0])) == 1
}
