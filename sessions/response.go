package sessions

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
)

// response saves the session before the first byte of the response. Like every http.ResponseWriter it belongs to
// the handler's goroutine.
type response struct {
	http.ResponseWriter
	s      *Session
	begun  bool
	failed error // why the session was not saved; the response is then a 500
}

// begin saves the session once, and reports whether the handler's response may go out.
func (w *response) begin() bool {
	if w.begun {
		return w.failed == nil
	}
	w.begun = true
	if err := w.s.Commit(); err != nil {
		w.failed = err
		if errors.Is(err, ErrSessionGone) { // another request of the browser logged in or out meanwhile
			http.Error(w.ResponseWriter, "the session has ended: try again", http.StatusConflict)
			return false
		}
		w.s.m.log.Error("sessions: the session was not saved, so the response is a 500", "error", err)
		http.Error(w.ResponseWriter, "the session could not be saved", http.StatusInternalServerError)
	}
	return w.failed == nil
}

func (w *response) WriteHeader(code int) {
	informational := code >= 100 && code < 200 && code != http.StatusSwitchingProtocols
	if informational || w.begin() {
		w.ResponseWriter.WriteHeader(code)
	}
}

func (w *response) Write(p []byte) (int, error) {
	if !w.begin() {
		return 0, w.failed
	}
	return w.ResponseWriter.Write(p)
}

func (w *response) WriteString(s string) (int, error) {
	if !w.begin() {
		return 0, w.failed
	}
	return io.WriteString(w.ResponseWriter, s)
}

func (w *response) ReadFrom(src io.Reader) (int64, error) {
	if !w.begin() {
		return 0, w.failed
	}
	return io.Copy(w.ResponseWriter, src) // uses sendfile where the connection can
}

func (w *response) Flush() { _ = w.FlushError() }

func (w *response) FlushError() error {
	if !w.begin() {
		return w.failed
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack saves the session first. Its cookie can only reach the client if the hijacker sends the header map along.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if !w.begun {
		if err := w.s.Commit(); err != nil {
			return nil, nil, err
		}
		w.begun = true
	}
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// Unwrap lets http.NewResponseController reach deadlines and full duplex. Flush and Hijack are found here first.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }
