package core_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/siokit/siokit/core"
)

func get(h http.Handler, method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://example.com/", nil)
	r.URL.Path = path // as it comes from the wire, uncleaned
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestClientFiles(t *testing.T) {
	script := &fstest.MapFile{Data: []byte("io()"), ModTime: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	embedded := &fstest.MapFile{Data: []byte("min()")} // embed.FS has no times
	a := serve(t, core.Config{Client: fstest.MapFS{
		"socket.io.js": script, "socket.io.min.js": embedded, "socket.io.esm.min.js": embedded, "socket.io.js.map": script,
		"secret.js": script, "socket.io.txt": script, "index.html": script, "sub/socket.io.js": script,
	}})
	for _, path := range []string{"/socket.io/socket.io.js", "/prefix/socket.io/socket.io.js"} {
		w := get(a, "GET", path)
		if w.Code != 200 || w.Body.String() != "io()" || w.Header().Get("Content-Type") != "text/javascript; charset=utf-8" || w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
	}
	if w := get(a, "HEAD", "/socket.io/socket.io.js"); w.Code != 200 || w.Body.Len() != 0 {
		t.Errorf("HEAD: %d %d bytes", w.Code, w.Body.Len())
	}
	for _, file := range []string{"socket.io.js", "socket.io.min.js"} {
		tag := get(a, "GET", "/socket.io/"+file).Header().Get("ETag")
		if !strings.HasPrefix(tag, `"`) {
			t.Errorf("%s: ETag %q", file, tag)
		}
		if w := get(a, "GET", "/socket.io/"+file, "If-None-Match", tag); w.Code != http.StatusNotModified || w.Body.Len() != 0 {
			t.Errorf("%s asked again: %d", file, w.Code)
		}
		if w := get(a, "GET", "/socket.io/"+file, "If-None-Match", `"another"`); w.Code != 200 {
			t.Errorf("%s with another tag: %d", file, w.Code)
		}
	}
	if w := get(a, "POST", "/socket.io/socket.io.js"); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
	for _, path := range []string{
		"/socket.io/secret.js", "/socket.io/socket.io.txt", "/socket.io/index.html", "/socket.io/socket.io.gone.js",
		"/socket.io/sub/socket.io.js", "/socket.io/../secret.js", "/socket.io/..", "/socket.io/%2e%2e/secret.js",
		"/socket.io//socket.io.js", "/socket.io.js", "/other/socket.io.js", "//socket.io/", "/", "",
	} {
		if w := get(a, "GET", path); w.Code != 404 {
			t.Errorf("%q: %d", path, w.Code)
		}
	}
	bare := serve(t, core.Config{})
	if w := get(bare, "GET", "/socket.io/socket.io.js"); w.Code != 404 {
		t.Errorf("without files: %d", w.Code)
	}
	if w := get(bare, "GET", "/my-socket.io/"); w.Code != 404 {
		t.Errorf("a path that only ends alike: %d", w.Code)
	}
}

func TestClientFilesAreCompressed(t *testing.T) {
	script := []byte(strings.Repeat("io(); ", 500))
	files := fstest.MapFS{}
	for _, name := range []string{
		"socket.io.js", "socket.io.js.map", "socket.io.min.js", "socket.io.min.js.map", "socket.io.esm.min.js",
		"socket.io.esm.min.js.map", "socket.io.msgpack.min.js", "socket.io.msgpack.min.js.map",
	} {
		files[name] = &fstest.MapFile{Data: script}
	}
	a := serve(t, core.Config{Client: files})
	for name := range files {
		url := "/socket.io/" + name
		plain, zipped := get(a, "GET", url), get(a, "GET", url, "Accept-Encoding", "br, gzip;q=0.8")
		z, err := gzip.NewReader(zipped.Body)
		if err != nil {
			t.Fatal(name, err)
		}
		length := zipped.Body.Len() + 10 // the reader has taken the header
		if text, err := io.ReadAll(z); err != nil || !bytes.Equal(text, script) || plain.Body.String() != string(script) {
			t.Errorf("%s: other bytes (%v)", name, err)
		}
		if h := zipped.Header(); h.Get("Content-Encoding") != "gzip" || h.Get("Vary") != "Accept-Encoding" || h.Get("Content-Length") != strconv.Itoa(length) || h.Get("Content-Type") != plain.Header().Get("Content-Type") {
			t.Errorf("%s: %v, %d bytes", name, h, length)
		}
		if h := plain.Header(); h.Get("Content-Encoding") != "" || h.Get("Vary") != "Accept-Encoding" || h.Get("Content-Length") != strconv.Itoa(len(script)) {
			t.Errorf("%s plain: %v", name, h)
		}
		tags := []string{plain.Header().Get("ETag"), zipped.Header().Get("ETag")}
		if tags[0] == tags[1] || !strings.HasSuffix(tags[1], `-gzip"`) {
			t.Errorf("%s: ETags %q", name, tags)
		}
		for _, c := range []struct {
			method, encoding, tag string
			want                  int
		}{
			{"GET", "gzip", tags[1], 304}, {"GET", "gzip", tags[0], 200}, {"GET", "", tags[0], 304}, {"GET", "", tags[1], 200},
			{"HEAD", "gzip", tags[1], 304}, {"HEAD", "gzip", `"x"`, 200}, {"GET", "gzip", tags[0] + ", " + tags[1], 304},
		} {
			w := get(a, c.method, url, "Accept-Encoding", c.encoding, "If-None-Match", c.tag)
			if w.Code != c.want || w.Header().Get("Vary") != "Accept-Encoding" || (w.Code == 304 || c.method == "HEAD") && w.Body.Len() > 0 {
				t.Errorf("%s %+v: %d, %d bytes, %v", name, c, w.Code, w.Body.Len(), w.Header())
			}
		}
		if h := get(a, "HEAD", url, "Accept-Encoding", "gzip").Header(); h.Get("Content-Length") != strconv.Itoa(length) {
			t.Errorf("%s: HEAD says %v, GET had %d bytes", name, h, length)
		}
	}
	const url = "/socket.io/socket.io.js"
	for _, encoding := range []string{"", "br", "gzip;q=0", "gzip; q=0.0", "identity", "xgzip"} {
		if w := get(a, "GET", url, "Accept-Encoding", encoding); w.Header().Get("Content-Encoding") != "" {
			t.Errorf("%q got gzip", encoding)
		}
	}
	if w := get(a, "GET", url, "Accept-Encoding", "gzip", "Range", "bytes=0-4"); w.Code != 206 || w.Body.String() != "io();" {
		t.Errorf("a range: %d %q", w.Code, w.Body)
	}
	for name, value := range map[string]string{"Vary": "Accept-Encoding", "Content-Encoding": "gzip"} {
		w := httptest.NewRecorder()
		w.Header().Set(name, value)
		r := httptest.NewRequest("GET", url, nil)
		r.Header.Set("Accept-Encoding", "gzip")
		a.Server.ServeHTTP(w, r)
		if w.Body.String() != string(script) {
			t.Errorf("behind a middleware that compresses (%s): compressed already", name)
		}
	}
	// A file that has changed is served as it is now.
	files["socket.io.js"] = &fstest.MapFile{Data: []byte("new"), ModTime: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)}
	if w := get(a, "GET", url); w.Body.String() != "new" {
		t.Errorf("after a change: %.20q", w.Body)
	}
}

func TestConfigMistakes(t *testing.T) {
	login := newLogin()
	for want, cfg := range map[string]core.Config{
		"ConnectTimeout":         {ConnectTimeout: -1},
		"CallTimeout":            {CallTimeout: -1},
		"AttachmentTimeout":      {AttachmentTimeout: -1},
		"ShutdownTimeout":        {ShutdownTimeout: -1},
		"MaxNamespaces":          {MaxNamespaces: -1},
		"QueueEvents":            {QueueEvents: -1},
		"QueueBytes":             {QueueBytes: -1},
		`Path must be`:           {Path: "/"},
		`"socket.io"`:            {Path: "socket.io"},
		`"/a//b"`:                {Path: "/a//b"},
		"PingInterval":           {PingInterval: 1},
		"with Sessions":          {Origins: []string{"*"}, Sessions: login},
		"Sessions or Authentica": {Origins: []string{"https://a.example", "*"}, Authenticate: login.authenticate},
	} {
		if srv, err := core.New(cfg); srv != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	srv := serve(t, core.Config{Path: "/live"})
	for path, want := range map[string]int{"/live": 400, "/live/": 400, "/x/live/": 400, "/socket.io/": 404, "/alive/": 404, "/live/x": 404} {
		if w := get(srv, "GET", path); w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
}
