package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/siokit/siokit/client"
	"github.com/siokit/siokit/internal/leaktest"
	"github.com/siokit/siokit/siotest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

var testKey = []byte("0123456789abcdef0123456789abcdef")

// logBuffer collects the application's log.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func start(t *testing.T) (app *siotest.Server, log *logBuffer) {
	t.Helper()
	log = &logBuffer{}
	handler, sockets, err := newApp(testKey, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	return siotest.Serve(t, handler, sockets), log
}

// bearing connects with a token.
func bearing(token string) siotest.Option { return siotest.Auth(map[string]string{"token": token}) }

func wantRefused(t *testing.T, refused *client.ConnectError) {
	t.Helper()
	if refused.Message != "please log in" || string(refused.Data) != `{"code":401}` {
		t.Errorf("refused with %q, %s", refused.Message, refused.Data)
	}
}

// wantEnded waits for the end of a login, and what the client is told before.
func wantEnded(t *testing.T, c *siotest.Client, want string) {
	t.Helper()
	if got := string(siotest.Next[json.RawMessage](c, "session ended")); got != want {
		t.Errorf("ended with %s, want %s", got, want)
	}
	if reason := c.Disconnected(); reason != client.ServerDisconnect {
		t.Errorf("disconnected by %s", reason)
	}
}

func wantFailed(t *testing.T, failed *client.Error, message, data string) {
	t.Helper()
	if failed.Message != message || fmt.Sprint(failed.Data) != data {
		t.Errorf("failed with %q, %v", failed.Message, failed.Data)
	}
}

// signed makes a token of ann that is good but for what edit does.
func signed(t *testing.T, method jwt.SigningMethod, key any, edit func(claims jwt.MapClaims)) string {
	t.Helper()
	now := time.Now()
	claims := jwt.MapClaims{
		"iss": issuer, "aud": audience, "sub": "ann", "jti": t.Name(),
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	if edit != nil {
		edit(claims)
	}
	token, err := jwt.NewWithClaims(method, claims).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func obtain(app *siotest.Server, user string) (token string) {
	var body struct{ Token string }
	answer := app.PostForm(nil, "/token", url.Values{"user": {user}, "password": {user + "-secret"}})
	if err := json.Unmarshal([]byte(answer), &body); err != nil {
		panic(err)
	}
	return body.Token
}

func TestTokenOverHTTPAndSocket(t *testing.T) {
	app, _ := start(t)
	ann, bob := obtain(app, "ann"), obtain(app, "bob")
	bearer := siotest.Header("Authorization", "Bearer "+bob)
	a, b := app.Dial(bearing(ann)), app.Dial(bearer)
	if got := siotest.Call[string](a, "whoami") + siotest.Call[string](b, "whoami"); got != "annbob" {
		t.Errorf("they are %s", got)
	}
	siotest.Call[client.None](b, "token", obtain(app, "bob"))
	wantFailed(t, siotest.CallError(b, "token", ann), "this token is another user's: reconnect with it", "map[code:409]")
	wantFailed(t, siotest.CallError(b, "kick", "ann"), "for administrators only", "map[code:403]")
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, siotest.URL+"/me", nil)
	r.Header.Set("Authorization", "Bearer "+bob)
	resp, err := app.HTTP(nil).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); string(body) != "bob" {
		t.Errorf("/me says %s", body)
	}
	if n := siotest.Call[int](a, "kick", "bob"); n != 1 {
		t.Errorf("%d connections were ended", n)
	}
	wantEnded(t, b, `{"message":"your login was ended, please log in","data":{"reason":"revoked","code":401}}`)
	wantRefused(t, app.Refused(bearer))
}

// A-11c, A-17: every bad token is refused with the same words, and none of the verifier's reach the client.
func TestBadTokens(t *testing.T) {
	app, log := start(t)
	edited := func(edit func(jwt.MapClaims)) string { return signed(t, jwt.SigningMethodHS256, testKey, edit) }
	good := edited(nil)
	parts := strings.Split(good, ".")
	tokens := map[string]string{
		"alg none":          signed(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil),
		"alg none, signed":  strings.Split(signed(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil), ".")[0] + "." + parts[1] + "." + parts[2],
		"other method":      signed(t, jwt.SigningMethodHS512, testKey, nil),
		"other key":         signed(t, jwt.SigningMethodHS256, []byte("another key of thirty-two bytes."), nil),
		"no signature":      parts[0] + "." + parts[1] + ".",
		"nbf in the future": edited(func(c jwt.MapClaims) { c["nbf"] = time.Now().Add(time.Hour).Unix() }),
		"iat in the future": edited(func(c jwt.MapClaims) { c["iat"] = time.Now().Add(time.Hour).Unix() }),
		"expired":           edited(func(c jwt.MapClaims) { c["exp"] = time.Now().Add(-time.Second).Unix() }),
		"no exp":            edited(func(c jwt.MapClaims) { delete(c, "exp") }),
		"no iat":            edited(func(c jwt.MapClaims) { delete(c, "iat") }),
		"no sub":            edited(func(c jwt.MapClaims) { delete(c, "sub") }),
		"unknown user":      edited(func(c jwt.MapClaims) { c["sub"] = "eve" }),
		"other issuer":      edited(func(c jwt.MapClaims) { c["iss"] = "https://evil.example" }),
		"other audience":    edited(func(c jwt.MapClaims) { c["aud"] = "billing" }),
		"exp as text":       edited(func(c jwt.MapClaims) { c["exp"] = "tomorrow" }),
		"nonsense":          "nonsense",
		"dots":              strings.Repeat(".", 5000),
		"1 MB":              strings.Repeat("x", 999_900), // with the packet around it the most that a client may send
		"1 MB, good start":  good + strings.Repeat("x", 999_900-len(good)),
	}
	for name, token := range tokens {
		t.Run(name, func(t *testing.T) {
			app := app.In(t)
			c := app.Dial(bearing(good))
			wantRefused(t, app.Refused(bearing(token)))
			siotest.Call[string](c, "whoami") // the refusal cost nobody else anything
		})
	}
	inURL := app.Refused(siotest.Query("token", good))
	if inURL.Message != "send the token in the auth payload or the Authorization header, not in the URL" || string(inURL.Data) != `{"code":400}` {
		t.Errorf("refused with %q, %s", inURL.Message, inURL.Data)
	}
	text := log.String()
	for name, token := range tokens {
		if len(token) > 10 && strings.Contains(text, token) {
			t.Errorf("the log holds the token %q", name)
		}
	}
	if strings.Contains(text, good) {
		t.Error("the log holds a good token")
	}
	for _, reason := range []string{"signature is invalid", "token is expired", "not valid yet"} {
		if !strings.Contains(text, reason) {
			t.Errorf("the log does not say %q, so nobody could find out why", reason)
		}
	}
}

// A-11c: the socket ends with its token, and a refreshed one does not.
func TestTokenExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app, _ := start(t)
		end := time.Now().Add(time.Minute)
		short := signed(t, jwt.SigningMethodHS256, testKey, func(c jwt.MapClaims) { c["exp"] = end.Unix() })
		patient := siotest.Patience(2 * time.Minute)
		a, b := app.Dial(bearing(short), patient), app.Dial(bearing(short))
		siotest.Call[client.None](b, "token", signed(t, jwt.SigningMethodHS256, testKey, func(c jwt.MapClaims) { c["exp"] = end.Add(time.Hour).Unix() }))
		wantEnded(t, a, `{"message":"your token has expired","data":{"reason":"token expired","code":401}}`)
		if off := time.Since(end); off < -time.Second || off > time.Second {
			t.Errorf("the socket ended %v after its token", off)
		}
		if got := siotest.Call[string](b, "whoami"); got != "ann" {
			t.Errorf("she is %s", got)
		}
	})
}

func TestWrongPassword(t *testing.T) {
	app, _ := start(t)
	for _, form := range []url.Values{{"user": {"ann"}, "password": {"bob-secret"}}, {"user": {"eve"}, "password": {"x"}}, {}} {
		resp, err := app.HTTP(nil).PostForm(siotest.URL+"/token", form)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if got := fmt.Sprint(resp.StatusCode, " ", string(body)); got != "401 wrong name or password\n" {
			t.Errorf("answered %q", got)
		}
	}
}
