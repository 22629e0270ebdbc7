package engineio

import (
	"crypto/rand"
	"encoding/base64"
)

// newID returns a session id: 144 bits from crypto/rand as 24 URL-safe characters. It is a
// bearer secret: whoever knows it can read the session's polls, so it appears in the OPEN
// packet and nowhere else.
func newID() string {
	var b [18]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24: it crashes the program instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}
