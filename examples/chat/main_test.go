package main

import (
	"bytes"
	"crypto/rand"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/crypto/bcrypt"

	"github.com/siokit/siokit/internal/leaktest"
	"github.com/siokit/siokit/siotest"
)

func TestMain(m *testing.M) {
	// The demo's hashes are as slow as they should be. The tests log in often, so they take quick ones;
	// TestDemoPasswords looks at the real ones.
	realNobody = nobody.hash
	nobody.hash = quickHash("nobody")
	for name, user := range accounts {
		realHashes[name] = user.hash
		user.hash = quickHash(name + "-secret")
	}
	leaktest.Main(m)
}

var (
	realHashes = map[string]string{}
	realNobody string
)

func quickHash(password string) string {
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		panic(err)
	}
	return string(hash)
}

func TestDemoPasswords(t *testing.T) {
	for _, name := range []string{"ann", "bob"} {
		hash := []byte(realHashes[name])
		if err := bcrypt.CompareHashAndPassword(hash, []byte(name+"-secret")); err != nil {
			t.Errorf("%s cannot log in with %s-secret: %v", name, name, err)
		}
		want, _ := bcrypt.Cost(hash)
		if got, err := bcrypt.Cost([]byte(realNobody)); got != want || err != nil {
			t.Errorf("an unknown name costs %d, %s costs %d: the time tells which names exist (%v)", got, name, want, err)
		}
	}
}

// serve runs the application with this key until the test ends.
func serve(t *testing.T, key []byte) *siotest.Server {
	t.Helper()
	client := fstest.MapFS{"socket.io.min.js": {Data: []byte("/* the client */")}}
	handler, sockets, err := newApp(key, client)
	if err != nil {
		t.Fatal(err)
	}
	return siotest.Serve(t, handler, sockets)
}

// browser keeps cookies and follows no redirect.
type browser struct {
	t      *testing.T
	app    *siotest.Server
	client *http.Client
}

func newBrowser(t *testing.T, app *siotest.Server) *browser {
	t.Helper()
	return browserWith(t, app, siotest.Jar())
}

func browserWith(t *testing.T, app *siotest.Server, jar http.CookieJar) *browser {
	t.Helper()
	client := app.HTTP(jar)
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &browser{t, app, client}
}

// as returns a browser in which name is logged in.
func as(t *testing.T, app *siotest.Server, name string) *browser {
	t.Helper()
	b := newBrowser(t, app)
	b.want(http.StatusSeeOther, "POST", "/login", "name", name, "password", name+"-secret")
	return b
}

// socket opens a socket with the cookies of b.
func (b *browser) socket() *siotest.Client {
	b.t.Helper()
	return b.app.Dial(siotest.Cookies(b.client.Jar), siotest.Header("Origin", siotest.URL))
}

// want makes a request with form fields, checks the status, and returns the header and the body of the answer.
func (b *browser) want(status int, method, path string, fields ...string) (http.Header, string) {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	req, err := http.NewRequest(method, siotest.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if answer.StatusCode != status {
		b.t.Fatalf("%s %s %q: status %d, want %d (%s)", method, path, fields, answer.StatusCode, status, body)
	}
	return answer.Header, string(body)
}

// wantLargeFormRefused posts a good text, followed by a file of 1 MiB.
func (b *browser) wantLargeFormRefused(path, text string) {
	b.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	form.WriteField("text", text)
	file, _ := form.CreateFormFile("file", "zeros")
	file.Write(make([]byte, 1<<20))
	form.Close()
	answer, err := b.client.Post(siotest.URL+path, form.FormDataContentType(), &body)
	if err != nil {
		return // the server may hang up before it has read all
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusBadRequest {
		b.t.Errorf("a form of 1 MiB: status %d, want 400", answer.StatusCode)
	}
}

func randomKey(t *testing.T) []byte {
	t.Helper()
	key := make([]byte, keySize)
	rand.Read(key)
	return key
}

func TestLoginOverHTTP(t *testing.T) {
	key := randomKey(t)
	b := newBrowser(t, serve(t, key))
	b.want(http.StatusUnauthorized, "GET", "/me")
	b.want(http.StatusUnauthorized, "POST", "/login", "name", "ann", "password", "bob-secret")
	b.want(http.StatusUnauthorized, "POST", "/login", "name", "eve", "password", "eve-secret")
	b.want(http.StatusUnauthorized, "POST", "/login")
	b.want(http.StatusUnauthorized, "GET", "/me")

	header, _ := b.want(http.StatusSeeOther, "POST", "/login", "name", "ann", "password", "ann-secret")
	if got := header.Get("Location"); got != "/" {
		t.Errorf("login redirects to %q, want /", got)
	}
	if _, body := b.want(http.StatusOK, "GET", "/me"); strings.TrimSpace(body) != `{"name":"ann"}` {
		t.Errorf("/me says %s", body)
	}

	// The cookie survives a restart with the same key, and is worth nothing under another.
	copied := siotest.Jar()
	at, _ := url.Parse(siotest.URL)
	copied.SetCookies(at, b.client.Jar.Cookies(at))
	browserWith(t, serve(t, key), copied).want(http.StatusOK, "GET", "/me")
	browserWith(t, serve(t, randomKey(t)), copied).want(http.StatusUnauthorized, "GET", "/me")

	header, _ = b.want(http.StatusSeeOther, "POST", "/logout")
	if got := header.Get("Location"); got != "/" {
		t.Errorf("logout redirects to %q, want /", got)
	}
	b.want(http.StatusUnauthorized, "GET", "/me")
	browserWith(t, b.app, copied).want(http.StatusUnauthorized, "GET", "/me") // a copy of the cookie is refused as well
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	ann := as(t, serve(t, randomKey(t)), "ann")
	for _, path := range []string{"/login", "/logout", "/announce"} {
		req, _ := http.NewRequest("POST", siotest.URL+path, strings.NewReader("text=hello"))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "cross-site")
		answer, err := ann.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusForbidden {
			t.Errorf("%s from another site: status %d, want 403", path, answer.StatusCode)
		}
	}
	ann.want(http.StatusOK, "GET", "/me")
}

// Everything that the page names is there, and nothing of it comes from elsewhere.
func TestPageIsComplete(t *testing.T) {
	b := newBrowser(t, serve(t, randomKey(t)))
	header, page := b.want(http.StatusOK, "GET", "/")
	if got := header.Get("Content-Security-Policy"); !strings.Contains(got, "default-src 'self'") {
		t.Errorf("Content-Security-Policy is %q", got)
	}
	links := regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(page, -1)
	for _, link := range links {
		b.want(http.StatusOK, "GET", link[1])
	}
	_, script := b.want(http.StatusOK, "GET", "/static/chat.js")
	imports := regexp.MustCompile(`from "\./([^"]*)"`).FindAllStringSubmatch(script, -1)
	for _, name := range imports {
		b.want(http.StatusOK, "GET", "/static/"+name[1])
	}
	if len(links) < 4 || len(imports) < 2 {
		t.Errorf("found %d links and %d imports: has the page changed its form?", len(links), len(imports))
	}
	for _, id := range []string{
		"login-name", "login-password", "login-submit", "status", "room-list", "message-list", "message-input",
		"message-send", "online-list", "typing", "logout", "announce-input", "announce-send",
	} {
		if n := strings.Count(page, `data-testid="`+id+`"`); n != 1 {
			t.Errorf("the page has %d elements with data-testid %q, want 1", n, id)
		}
	}
}

func TestSessionKey(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("SESSION_KEY", "")
	get := func() string {
		t.Helper()
		key, err := sessionKey()
		if err != nil || len(key) < keySize {
			t.Fatalf("sessionKey: %d bytes, %v", len(key), err)
		}
		return string(key)
	}
	kept := get()
	if get() != kept {
		t.Error("the second start has another key than the first")
	}
	path := filepath.Join(cache, "siokit-chat", "session.key")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key file: %v, %v; want mode 0600", info, err)
	}
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if one := get(); one == kept || one == get() {
		t.Error("a broken key file must give a new key at each start")
	}
	t.Setenv("SESSION_KEY", strings.Repeat("k", 40))
	if get() != strings.Repeat("k", 40) {
		t.Error("SESSION_KEY is not used")
	}
	t.Setenv("SESSION_KEY", "too short")
	if _, err := sessionKey(); err == nil || !strings.Contains(err.Error(), "openssl") {
		t.Errorf("a short SESSION_KEY gives %v, want an error with the cure", err)
	}
}

func TestMissingClientSaysWhatToRun(t *testing.T) {
	t.Setenv("CLIENT_DIR", t.TempDir())
	if _, err := clientFiles(); err == nil || !strings.Contains(err.Error(), "make run") {
		t.Errorf("got %v, want an error that names make run", err)
	}
}
