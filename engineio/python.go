package engineio

import (
	"net/http"
	"strings"
)

// python-engineio's clients, up to the present 4.x, take no body of more packets than this. They end the session
// with no word to the application about why.
const pythonPackets = 16

// fromPython reports whether a handshake is one of python-engineio. It says so only by the HTTP library that it uses,
// and by none if the application hands it a session with a User-Agent of its own.
func fromPython(r *http.Request) bool {
	agent := r.UserAgent()
	return strings.HasPrefix(agent, "python-requests/") || strings.HasPrefix(agent, "Python/") && strings.Contains(agent, " aiohttp/")
}

// takeBodyLocked takes what the next answer to a poll may hold.
func (c *Conn) takeBodyLocked() []*Message {
	if !c.python {
		return c.outbox.takeLocked()
	}
	return c.outbox.takeAtMostLocked(pythonPackets)
}

// sayClosed answers the last poll of a session that the server has ended. A CLOSE packet keeps python-engineio
// from ever coming back, so it gets what its read loop takes for a broken connection.
func (c *Conn) sayClosed(w http.ResponseWriter) {
	secureHeaders(w.Header())
	w.WriteHeader(http.StatusServiceUnavailable)
}
