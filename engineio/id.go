package engineio

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
)

// newID returns a session id: 144 bits from crypto/rand as 24 URL-safe characters. It is a
// bearer secret: whoever knows it can read the session's polls, so it appears in the OPEN
// packet and nowhere else, unless Config.Cookie asks for it.
func newID() string {
	var b [18]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24: it crashes the program instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// The length of an id. Fewer URL-safe characters cannot hold 128 random bits.
const (
	minID = 22
	maxID = 128
)

const urlSafe = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~"

// sessionID makes the id for a handshake. No cause repeats what Config.NewID returned: it is a secret.
func (s *Server) sessionID(r *http.Request) (id string, refusal *Error) {
	if s.cfg.NewID == nil {
		return newID(), nil
	}
	var err error
	if e := s.guarded("NewID", func() { id, err = s.cfg.NewID(r) }); e != nil {
		return "", e
	}
	switch {
	case err != nil:
		return "", badRequest("Config.NewID: " + err.Error())
	case len(id) < minID || len(id) > maxID:
		return "", badRequest("Config.NewID returned " + strconv.Itoa(len(id)) + " characters; 22 to 128 are allowed, and 128 bits of crypto/rand must be among them")
	case strings.Trim(id, urlSafe) != "":
		return "", badRequest("Config.NewID returned characters other than A-Z a-z 0-9 - _ . ~")
	}
	return id, nil
}

// duplicateID refuses a handshake rather than hand it somebody else's session.
func duplicateID() *Error {
	return &Error{http.StatusConflict, CodeBadRequest, "Bad request", "Config.NewID returned the id of an open session; ids must come from crypto/rand"}
}
