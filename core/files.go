package core

import (
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// clientFiles serves the browser client. Only names that npm's dist folder has are served.
func clientFiles(files fs.FS) http.Handler {
	if files == nil {
		return nil
	}
	return http.FileServerFS(files)
}

// isClientFile reports whether name is a file of the browser client.
func isClientFile(name string) bool {
	return strings.HasPrefix(name, "socket.io.") &&
		(strings.HasSuffix(name, ".js") || strings.HasSuffix(name, ".js.map"))
}

// ServeHTTP serves the Socket.IO endpoint and, below it, the browser client. Whatever prefix the
// server is mounted under, the URL path must end in Config.Path, with or without the last slash.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	endpoint := strings.TrimSuffix(s.cfg.Path, "/")
	p := r.URL.Path
	switch {
	case strings.Contains(p, "//"):
	case strings.HasSuffix(strings.TrimSuffix(p, "/"), endpoint):
		s.engine.ServeHTTP(w, r)
		return
	case s.files != nil && isClientFile(path.Base(p)) && strings.HasSuffix(path.Dir(p), endpoint):
		s.serveClient(w, r, path.Base(p))
		return
	}
	http.NotFound(w, r)
}

func (s *Server) serveClient(w http.ResponseWriter, r *http.Request, name string) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Cache-Control", "no-cache") // the browser asks again; Last-Modified answers 304
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if strings.HasSuffix(name, ".js") {
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	}
	r2 := r.Clone(r.Context())
	r2.URL.Path = "/" + name
	s.files.ServeHTTP(w, r2)
}
