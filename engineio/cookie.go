package engineio

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// stickyCookie completes Config.Cookie with the defaults of Node's server, and refuses what would
// make a secret of a short life into one of a long life, or one that others can read.
func stickyCookie(template *http.Cookie, anyOrigin bool) (*http.Cookie, error) {
	if template == nil {
		return nil, nil
	}
	c := *template
	if c.Name == "" {
		c.Name = "io"
	}
	if c.Path == "" {
		c.Path = "/"
	}
	if c.SameSite == 0 || c.SameSite == http.SameSiteDefaultMode {
		c.SameSite = http.SameSiteLaxMode
	}
	c.HttpOnly = true
	switch {
	case c.Value != "":
		return nil, errors.New("engineio: Cookie.Value must be empty: the server puts the session id there")
	case c.MaxAge != 0 || !c.Expires.IsZero() || c.RawExpires != "":
		return nil, errors.New("engineio: Cookie must have neither MaxAge nor Expires: a session id means nothing after its connection, and must not be written to disk")
	case c.SameSite == http.SameSiteNoneMode && !c.Secure:
		return nil, errors.New("engineio: Cookie with SameSite=None needs Secure, or browsers drop it")
	case c.SameSite == http.SameSiteNoneMode && anyOrigin:
		return nil, errors.New(`engineio: Cookie with SameSite=None cannot be combined with Origins "*": list the origins of your pages`)
	case strings.HasPrefix(c.Name, "__Secure-") && !c.Secure:
		return nil, fmt.Errorf("engineio: Cookie %q needs Secure, or browsers drop it", c.Name)
	case strings.HasPrefix(c.Name, "__Host-") && (!c.Secure || c.Path != "/" || c.Domain != ""):
		return nil, fmt.Errorf("engineio: Cookie %q needs Secure, the path / and no Domain, or browsers drop it", c.Name)
	}
	if err := c.Valid(); err != nil {
		return nil, fmt.Errorf("engineio: Cookie: %w", err)
	}
	return &c, nil
}

// setSticky names the session in a cookie of the handshake's answer.
func (s *Server) setSticky(w http.ResponseWriter, r *http.Request, c *Conn) {
	if s.cfg.Cookie == nil {
		return
	}
	cookie := *s.cfg.Cookie
	cookie.Value = c.id
	cookie.Secure = cookie.Secure || r.TLS != nil
	http.SetCookie(w, &cookie)
}
