package core

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

// isClientFile reports whether name is a file of the browser client: only names that npm's dist
// folder has are served.
func isClientFile(name string) bool {
	return strings.HasPrefix(name, "socket.io.") &&
		(strings.HasSuffix(name, ".js") || strings.HasSuffix(name, ".js.map"))
}

// ServeHTTP serves the Socket.IO endpoint and, below it, the browser client. Whatever prefix the
// server is mounted under, the URL path must end in Config.Path, with or without the last slash.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	endpoint := strings.TrimSuffix(s.cfg.Path, "/")
	p := r.URL.Path
	v := s.visitOf(r)
	if v != nil {
		v.note(func() { v.reached = true })
	}
	switch {
	case strings.Contains(p, "//"):
	case strings.HasSuffix(strings.TrimSuffix(p, "/"), endpoint):
		s.engine.ServeHTTP(w, unredact(r))
		return
	case s.cfg.Client != nil && isClientFile(path.Base(p)) && strings.HasSuffix(path.Dir(p), endpoint):
		s.serveClient(w, r, path.Base(p))
		return
	}
	if v != nil {
		v.note(func() { v.path404 = p })
	}
	http.NotFound(w, r)
}

func (s *Server) serveClient(w http.ResponseWriter, r *http.Request, name string) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	data, err := fs.ReadFile(s.cfg.Client, name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	sum := sha256.Sum256(data)
	h := w.Header()
	h.Set("Cache-Control", "no-cache") // the browser asks again; the ETag answers 304
	h.Set("ETag", `"`+base64.RawURLEncoding.EncodeToString(sum[:12])+`"`)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	if strings.HasSuffix(name, ".map") {
		h.Set("Content-Type", "application/json")
	}
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(data)) // an embed.FS has no times
}
