package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/gorilla/websocket"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var testKey = []byte("0123456789abcdef0123456789abcdef")

const refused = `44{"message":"please log in","data":{"code":401}}`

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

func start(t *testing.T) (base string, log *logBuffer) {
	t.Helper()
	log = &logBuffer{}
	handler, sockets, err := newApp(testKey, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	ts := httptest.NewServer(handler)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := sockets.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		ts.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return ts.URL, log
}

// client is a WebSocket that speaks raw packets.
type client struct {
	t  *testing.T
	ws *websocket.Conn
}

func dial(t *testing.T, base, query string, header http.Header) *client {
	t.Helper()
	ws, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(base, "http")+"/socket.io/?EIO=4&transport=websocket"+query, header)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ws.Close() })
	c := &client{t, ws}
	if open := c.next(); !strings.HasPrefix(open, "0{") {
		t.Fatalf("received %s", open)
	}
	return c
}

func (c *client) send(packet string) {
	c.t.Helper()
	if err := c.ws.WriteMessage(websocket.TextMessage, []byte(packet)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) next() string {
	c.t.Helper()
	_ = c.ws.SetReadDeadline(time.Now().Add(10 * time.Second))
	_, packet, err := c.ws.ReadMessage()
	if err != nil {
		c.t.Fatal(err)
	}
	return string(packet)
}

func (c *client) want(packet string) {
	c.t.Helper()
	if got := c.next(); got != packet {
		c.t.Errorf("received %.300s, want %s", got, packet)
	}
}

func (c *client) connect(token string) {
	c.t.Helper()
	c.send(`40` + payload(token))
	if got := c.next(); !strings.HasPrefix(got, `40{"sid":`) {
		c.t.Fatalf("CONNECT was answered with %s", got)
	}
}

func payload(token string) string { return fmt.Sprintf(`{"token":%q}`, token) }

// signed makes a token of ann that is good but for what edit does.
func signed(t *testing.T, method jwt.SigningMethod, key any, edit func(claims jwt.MapClaims)) string {
	t.Helper()
	now := time.Now()
	claims := jwt.MapClaims{
		"iss": issuer, "aud": audience, "sub": "ann", "jti": t.Name(),
		"iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
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

func obtain(t *testing.T, base, user string) string {
	t.Helper()
	resp, err := http.PostForm(base+"/token", url.Values{"user": {user}, "password": {user + "-secret"}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body struct{ Token string }
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status, err)
	}
	return body.Token
}

func TestTokenOverHTTPAndSocket(t *testing.T) {
	base, _ := start(t)
	ann, bob := obtain(t, base, "ann"), obtain(t, base, "bob")
	a, b := dial(t, base, "", nil), dial(t, base, "", http.Header{"Authorization": {"Bearer " + bob}})
	a.connect(ann)
	b.send("40") // by the handshake's header
	if got := b.next(); !strings.HasPrefix(got, `40{"sid":`) {
		t.Fatalf("received %s", got)
	}
	a.send(`420["whoami"]`)
	a.want(`430["ann"]`)
	b.send(`420["whoami"]`)
	b.want(`430["bob"]`)
	b.send(`421["token",` + fmt.Sprintf("%q", obtain(t, base, "bob")) + `]`)
	b.want(`431[]`)
	b.send(`422["token",` + fmt.Sprintf("%q", ann) + `]`)
	b.want(`432[{"error":{"message":"this token is another user's: reconnect with it","data":{"code":409}}}]`)
	b.send(`423["kick","ann"]`)
	b.want(`433[{"error":{"message":"for administrators only","data":{"code":403}}}]`)
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/me", nil)
	r.Header.Set("Authorization", "Bearer "+bob)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); string(body) != "bob" {
		t.Errorf("/me says %s", body)
	}
	a.send(`424["kick","bob"]`)
	a.want(`434[1]`)
	b.want(`42["session ended",{"message":"your login was ended, please log in","data":{"reason":"revoked","code":401}}]`)
	b.want("41")
	b.send("40")
	b.want(refused)
}

// A-11c, A-17: every bad token is refused with the same words, and none of the verifier's reach the client.
func TestBadTokens(t *testing.T) {
	base, log := start(t)
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
			c := dial(t, base, "", nil)
			c.send(`40` + payload(token))
			c.want(refused)
			c.connect(good) // the refusal cost nobody else anything
		})
	}
	c := dial(t, base, "&token="+good, nil)
	c.send("40")
	c.want(`44{"message":"send the token in the auth payload or the Authorization header, not in the URL","data":{"code":400}}`)
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
	base, _ := start(t)
	end := time.Now().Truncate(time.Second).Add(3 * time.Second)
	short := signed(t, jwt.SigningMethodHS256, testKey, func(c jwt.MapClaims) { c["exp"] = end.Unix() })
	a, b := dial(t, base, "", nil), dial(t, base, "", nil)
	a.connect(short)
	b.connect(short)
	b.send(`420["token",` + fmt.Sprintf("%q", signed(t, jwt.SigningMethodHS256, testKey, nil)) + `]`)
	b.want(`430[]`)
	a.want(`42["session ended",{"message":"your token has expired","data":{"reason":"token expired","code":401}}]`)
	if off := time.Since(end); off < -time.Second || off > time.Second {
		t.Errorf("the socket ended %v after its token", off)
	}
	a.want("41")
	b.send(`421["whoami"]`)
	b.want(`431["ann"]`)
}

func TestWrongPassword(t *testing.T) {
	base, _ := start(t)
	var answers []string
	for _, form := range []url.Values{{"user": {"ann"}, "password": {"bob-secret"}}, {"user": {"eve"}, "password": {"x"}}, {}} {
		resp, err := http.PostForm(base+"/token", form)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		answers = append(answers, fmt.Sprint(resp.StatusCode, " ", string(body)))
	}
	for _, got := range answers {
		if got != "401 wrong name or password\n" {
			t.Errorf("answered %q", got)
		}
	}
}
