package core

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
)

// A StaticFile is what Static serves at one URL, or below it.
type StaticFile struct {
	Name        string // in the file system, without leading slash; "public/" is a directory, "." all of it
	ContentType string // default: by the name's extension
}

// Static serves files of fsys by a map from URL paths, as python-socketio's static_files does. What the
// map does not lead to, or leads to a file that does not exist, is app's, or 404 if app is nil.
//
//	core.Static(os.DirFS("public"), map[string]core.StaticFile{
//		"/":       {Name: "index.html"},                                          // exactly this URL
//		"/assets": {Name: "dist/"},                                               // a directory and all below it
//		"/feed":   {Name: "feed.xml", ContentType: "application/rss+xml"},
//		"":        {Name: "home.html"},                                           // for URLs of directories
//	}, app)
//
// The longest URL that fits counts. The file of a directory is the one under the key "", by default
// index.html. Only GET and HEAD are served; names of directories' files that begin with a dot, and paths
// with "..", are not. Types are the same on every machine: unknown extensions are
// application/octet-stream.
//
// It is meant for small sites and for development: answers may be asked for again each time
// (Cache-Control: no-cache) and are not compressed. Run's app is the place for it. The map is copied.
// Static panics if a key does not begin with a slash, or a name is absolute or leaves fsys.
func Static(fsys fs.FS, files map[string]StaticFile, app http.Handler) http.Handler {
	if app == nil {
		app = http.NotFoundHandler()
	}
	s := static{fsys: fsys, files: make(map[string]StaticFile, len(files)), app: app}
	for url, file := range files {
		if url != "" && url[0] != '/' {
			panic(fmt.Sprintf("core: Static: the URL %q must begin with a slash: %q", url, "/"+url))
		}
		name := path.Clean(file.Name)
		if file.Name == "" || !fs.ValidPath(name) {
			panic(fmt.Sprintf("core: Static: %q at URL %q is not a name inside the file system: it must be relative, like %q", file.Name, url, "public/index.html"))
		}
		if strings.HasSuffix(file.Name, "/") || name == "." {
			name += "/"
		}
		s.files[url] = StaticFile{name, file.ContentType}
	}
	return s
}

type static struct {
	fsys  fs.FS
	files map[string]StaticFile // names are clean, with a slash after directories
	app   http.Handler
}

func (s static) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		s.app.ServeHTTP(w, r)
		return
	}
	file, ok := s.find(r.URL.Path)
	if !ok || !s.serve(w, r, file) {
		s.app.ServeHTTP(w, r)
	}
}

// find follows the map. The name it returns is that of a file.
func (s static) find(url string) (StaticFile, bool) {
	file, ok := s.files[url]
	if !ok || url == "" {
		var rest string
		if file, rest, ok = s.above(url); !ok {
			return StaticFile{}, false
		}
		file.Name = strings.TrimSuffix(file.Name, "/") + rest
	}
	if strings.HasSuffix(file.Name, "/") {
		home := s.files[""]
		file.Name += cmp.Or(home.Name, "index.html")
		file.ContentType = cmp.Or(home.ContentType, file.ContentType)
	}
	file.Name = path.Clean(file.Name)
	return file, true
}

// above finds the longest mapped URL that url is below, and what follows, with its slash.
func (s static) above(url string) (file StaticFile, rest string, ok bool) {
	for end := len(url); ; {
		if end = strings.LastIndexByte(url[:end], '/'); end < 0 {
			return StaticFile{}, "", false
		}
		if file, ok = s.files[url[:end]]; !ok || end == 0 || url[end-1] == '/' {
			file, ok = s.files[url[:end+1]]
		}
		if ok {
			return file, url[end:], plain(url[end:])
		}
	}
}

// plain reports whether what a visitor has put after the URL of a directory is a path down from it, to
// nothing hidden.
func plain(rest string) bool {
	segments := strings.Split(strings.TrimSuffix(rest[1:], "/"), "/")
	if len(segments) == 1 && segments[0] == "" {
		return rest == "/"
	}
	return !slices.ContainsFunc(segments, func(segment string) bool {
		return segment == "" || segment[0] == '.' || strings.ContainsAny(segment, "\\:\x00")
	})
}

// serve reports whether there is such a file.
func (s static) serve(w http.ResponseWriter, r *http.Request, file StaticFile) bool {
	f, err := s.fsys.Open(file.Name)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil || info.IsDir() && !s.isHome(file.Name) {
		return false
	}
	if info.IsDir() { // relative links need the slash; the Location is relative, so no host gets in
		location := path.Base(r.URL.EscapedPath()) + "/"
		if r.URL.RawQuery != "" {
			location += "?" + r.URL.RawQuery
		}
		w.Header().Set("Location", location)
		w.WriteHeader(http.StatusMovedPermanently)
		return true
	}
	content, ok := f.(io.ReadSeeker)
	if !ok {
		data, err := io.ReadAll(f)
		if err != nil {
			return false
		}
		content = bytes.NewReader(data)
	}
	h := w.Header()
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Type", cmp.Or(file.ContentType, contentType(file.Name)))
	http.ServeContent(w, r, "", info.ModTime(), content)
	return true
}

// isHome reports whether a directory has a file of its own.
func (s static) isHome(dir string) bool {
	info, err := fs.Stat(s.fsys, path.Join(dir, cmp.Or(s.files[""].Name, "index.html")))
	return err == nil && !info.IsDir()
}

func contentType(name string) string {
	return cmp.Or(contentTypes[strings.ToLower(path.Ext(name))], "application/octet-stream")
}

// contentTypes has what browsers insist on, and what pages are made of.
var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".html": "text/html; charset=utf-8", ".txt": "text/plain; charset=utf-8",
	".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8", ".json": "application/json",
	".map": "application/json", ".wasm": "application/wasm", ".xml": "application/xml", ".pdf": "application/pdf",
	".webmanifest": "application/manifest+json",
	".gif":         "image/gif", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".svg": "image/svg+xml",
	".webp": "image/webp", ".avif": "image/avif", ".ico": "image/x-icon",
	".woff": "font/woff", ".woff2": "font/woff2", ".ttf": "font/ttf",
	".mp3": "audio/mpeg", ".ogg": "audio/ogg", ".wav": "audio/wav", ".mp4": "video/mp4", ".webm": "video/webm",
}
