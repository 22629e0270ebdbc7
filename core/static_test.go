package core_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/siokit/siokit/core"
)

func TestStatic(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	fsys := fstest.MapFS{
		"index.html": file("root index"), "home.html": file("root home"), "secret.txt": file("secret"), "feed.xml": file("feed"),
		"dist/index.html": file("dist index"), "dist/home.html": file("dist home"), "dist/app.js": file("app"), "dist/app.unknown": file("bytes"),
		"dist/.env": file("secret"), "dist/.git/config": file("secret"), "dist/sub/home.html": file("sub home"), "dist/sub/x.CSS": file("x"),
		"dist/empty/x.txt": file("x"), "deep/a.json": file("deep"),
	}
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "app "+r.Method) })
	full := core.Static(fsys, map[string]core.StaticFile{
		"/":             {Name: "index.html"},
		"/assets":       {Name: "./dist"},
		"/slash/":       {Name: "dist/"},
		"/assets/deep":  {Name: "deep"},
		"/feed":         {Name: "feed.xml", ContentType: "application/rss+xml"},
		"/typed":        {Name: "dist", ContentType: "text/x-test"},
		"/gone":         {Name: "gone.html"},
		"/no-directory": {Name: "feed.xml"},
		"":              {Name: "home.html"},
	}, app)
	indexed := core.Static(fsys, map[string]core.StaticFile{"/": {Name: "."}}, nil)
	for _, c := range []struct {
		h          http.Handler
		url, want  string // app: not served
		typ        string
		redirected string
	}{
		{full, "/", "root index", "text/html; charset=utf-8", ""},
		{full, "/feed", "feed", "application/rss+xml", ""},
		{full, "/assets/app.js", "app", "text/javascript; charset=utf-8", ""},
		{full, "/assets/app.unknown", "bytes", "application/octet-stream", ""},
		{full, "/assets/", "dist home", "text/html; charset=utf-8", ""},
		{full, "/assets/sub/", "sub home", "text/html; charset=utf-8", ""},
		{full, "/assets/sub/x.CSS", "x", "text/css; charset=utf-8", ""},
		{full, "/assets/deep/a.json", "deep", "application/json", ""},
		{full, "/slash/app.js", "app", "text/javascript; charset=utf-8", ""},
		{full, "/slash/", "dist home", "text/html; charset=utf-8", ""},
		{full, "/typed/app.js", "app", "text/x-test", ""},
		{full, "/assets", "", "", "assets/"},
		{full, "/assets/sub", "", "", "sub/"},
		{full, "/assets/empty", "app GET", "", ""},
		{full, "/assets/empty/", "app GET", "", ""},
		{full, "/other", "app GET", "", ""},
		{full, "/gone", "app GET", "", ""},
		{full, "/no-directory/x", "app GET", "", ""},
		{full, "/assets/gone.js", "app GET", "", ""},
		{full, "/secret.txt", "app GET", "", ""},
		{full, "", "app GET", "", ""},
		{full, "/assetsX/app.js", "app GET", "", ""},
		// No way out, and nothing hidden.
		{full, "/assets/../secret.txt", "app GET", "", ""},
		{full, "/assets/sub/../../secret.txt", "app GET", "", ""},
		{full, "/assets/./app.js", "app GET", "", ""},
		{full, "/assets//app.js", "app GET", "", ""},
		{full, "/assets/..\\secret.txt", "app GET", "", ""},
		{full, "/assets/sub/..", "app GET", "", ""},
		{full, "/assets/..", "app GET", "", ""},
		{full, "/assets/.env", "app GET", "", ""},
		{full, "/assets/.git/config", "app GET", "", ""},
		{full, "/assets/app.js\x00.html", "app GET", "", ""},
		{full, "/assets/app.js/", "app GET", "", ""},
		{full, "//evil.example/assets", "app GET", "", ""},
		{indexed, "/", "root index", "text/html; charset=utf-8", ""},
		{indexed, "/feed.xml", "feed", "application/xml", ""},
		{indexed, "/dist/", "dist index", "text/html; charset=utf-8", ""},
		{indexed, "/dist", "", "", "dist/"},
		{indexed, "//dist", "404 page not found\n", "text/plain; charset=utf-8", ""},
		{indexed, "/../dist/", "404 page not found\n", "text/plain; charset=utf-8", ""},
		{indexed, "/gone", "404 page not found\n", "text/plain; charset=utf-8", ""},
	} {
		w := get(c.h, "GET", c.url)
		if got := w.Body.String(); got != c.want || c.typ != "" && w.Header().Get("Content-Type") != c.typ || w.Header().Get("Location") != c.redirected {
			t.Errorf("%q: %d %q %v, want %q %s%s", c.url, w.Code, got, w.Header(), c.want, c.typ, c.redirected)
		}
		if c.typ != "" && w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%q: may be sniffed", c.url)
		}
	}
	r := httptest.NewRequest("GET", "/assets?a=1", nil)
	w := httptest.NewRecorder()
	if full.ServeHTTP(w, r); w.Header().Get("Location") != "assets/?a=1" {
		t.Errorf("redirected to %s", w.Header().Get("Location"))
	}
	if w := get(full, "HEAD", "/feed"); w.Code != 200 || w.Body.Len() != 0 || w.Header().Get("Content-Length") != "4" {
		t.Errorf("HEAD: %d %v", w.Code, w.Header())
	}
	if w := get(full, "POST", "/feed"); w.Body.String() != "app POST" {
		t.Errorf("POST: %d %s", w.Code, w.Body)
	}
}

func TestStaticFromADirectory(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.txt"), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	h := core.Static(os.DirFS(dir), map[string]core.StaticFile{"/f": {Name: "."}}, nil)
	w := get(h, "GET", "/f/a.txt")
	modified := w.Header().Get("Last-Modified")
	if w.Body.String() != "old" || modified == "" || w.Header().Get("Cache-Control") != "no-cache" {
		t.Fatalf("%d %s %v", w.Code, w.Body, w.Header())
	}
	if w := get(h, "GET", "/f/a.txt", "If-Modified-Since", modified); w.Code != http.StatusNotModified {
		t.Errorf("asked again: %d", w.Code)
	}
	if w := get(h, "GET", "/f/a.txt", "Range", "bytes=1-"); w.Code != http.StatusPartialContent || w.Body.String() != "ld" {
		t.Errorf("a range: %d %s", w.Code, w.Body)
	}
	if w := get(h, "GET", "/f/..%2f"+filepath.Base(dir)+"/a.txt"); w.Code != 404 {
		t.Errorf("an escape: %d", w.Code)
	}
}

func TestStaticMistakes(t *testing.T) {
	for want, files := range map[string]map[string]core.StaticFile{
		`must begin with a slash: "/x"`:                  {"x": {Name: "x"}},
		`"/etc/passwd" at URL "/x" is not a name inside`: {"/x": {Name: "/etc/passwd"}},
		`"a/../../b" at URL "/x"`:                        {"/x": {Name: "a/../../b"}},
		`"" at URL "/x"`:                                 {"/x": {}},
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, want) {
					t.Errorf("got %s, want %s", got, want)
				}
			}()
			core.Static(fstest.MapFS{}, files, nil)
		}()
	}
}
