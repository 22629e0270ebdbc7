package core

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

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

// clientFiles knows the files of Config.Client that have been asked for. The zero value is ready.
type clientFiles struct {
	mu    sync.Mutex
	known map[string]*clientFile // by name; guarded by mu
}

// A clientFile is what need not be computed for each request. It is never written to.
type clientFile struct {
	modified time.Time // embed.FS has no times: its files do not change
	size     int64
	tag      string // of the content, without quotes
	gzip     []byte
}

// isClientFile reports whether name is a file of the browser client: only names that npm's dist
// folder has are served, such as socket.io.min.js, socket.io.esm.min.js and socket.io.msgpack.min.js.map.
func isClientFile(name string) bool {
	return strings.HasPrefix(name, "socket.io.") &&
		(strings.HasSuffix(name, ".js") || strings.HasSuffix(name, ".js.map"))
}

// get returns what is known of a file, and its content if that had to be read.
func (c *clientFiles) get(fsys fs.FS, name string) (file *clientFile, content []byte, err error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, nil, err
	}
	c.mu.Lock()
	file = c.known[name]
	c.mu.Unlock()
	if file != nil && file.modified.Equal(info.ModTime()) && file.size == info.Size() {
		return file, nil, nil
	}
	if content, err = fs.ReadFile(fsys, name); err != nil {
		return nil, nil, err
	}
	sum := sha256.Sum256(content)
	var zipped bytes.Buffer
	z, _ := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	_, _ = z.Write(content) // into memory
	_ = z.Close()
	file = &clientFile{info.ModTime(), info.Size(), base64.RawURLEncoding.EncodeToString(sum[:12]), zipped.Bytes()}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = make(map[string]*clientFile)
	}
	c.known[name] = file
	return file, content, nil
}

func (s *Server) serveClient(w http.ResponseWriter, r *http.Request, name string) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	file, content, err := s.clientFiles.get(s.cfg.Client, name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	// A middleware that has spoken of Accept-Encoding compresses what it is given, compressed or not.
	foreign := h.Get("Content-Encoding") != "" || slices.ContainsFunc(h.Values("Vary"), func(v string) bool {
		return strings.Contains(strings.ToLower(v), "accept-encoding")
	})
	if !foreign {
		h.Add("Vary", "Accept-Encoding")
	}
	h.Set("Cache-Control", "no-cache") // the browser asks again; the ETag answers 304
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	if strings.HasSuffix(name, ".map") {
		h.Set("Content-Type", "application/json")
	}
	if !foreign && r.Header.Get("Range") == "" && acceptsGzip(r.Header) {
		h.Set("ETag", `"`+file.tag+`-gzip"`)
		h.Set("Content-Encoding", "gzip")
		h.Set("Content-Length", strconv.Itoa(len(file.gzip))) // ServeContent leaves it out of encoded answers
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(file.gzip))
		return
	}
	if content == nil {
		if content, err = fs.ReadFile(s.cfg.Client, name); err != nil {
			http.NotFound(w, r)
			return
		}
	}
	h.Set("ETag", `"`+file.tag+`"`)
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content)) // an embed.FS has no times
}

// acceptsGzip reports whether Accept-Encoding names gzip, with a weight above zero.
func acceptsGzip(h http.Header) bool {
	for _, line := range h.Values("Accept-Encoding") {
		for coding := range strings.SplitSeq(line, ",") {
			name, weight, weighted := strings.Cut(coding, ";")
			if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
				continue
			}
			_, value, _ := strings.Cut(weight, "=")
			q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			return !weighted || err == nil && q > 0
		}
	}
	return false
}
