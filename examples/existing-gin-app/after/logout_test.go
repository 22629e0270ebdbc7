package main

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/siokit/siokit/internal/conformance/exampletest"
)

// A connection keeps the session of its handshake, so a logout must end the connection and not only its socket: or the
// client takes up its old login with one more CONNECT.
func TestLogoutEndsTheConnection(t *testing.T) {
	exampletest.QuickPasswords(t, passwords)
	s, err := newShop(exampletest.Key)
	if err != nil {
		t.Fatal(err)
	}
	base := exampletest.Serve(t, s.router(), s.sockets)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	defer browser.CloseIdleConnections()
	post := func(path string, form url.Values) {
		t.Helper()
		resp, err := browser.PostForm(base+path, form)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s", path, resp.Status)
		}
	}
	post("/login", url.Values{"name": {"ann"}, "password": {"ann-secret"}})

	dialer := websocket.Dialer{Jar: jar}
	ws, _, err := dialer.DialContext(t.Context(), strings.Replace(base, "http", "ws", 1)+"/socket.io/?EIO=4&transport=websocket", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	read := func(want string) {
		t.Helper()
		if _, got, err := ws.ReadMessage(); err != nil || !strings.HasPrefix(string(got), want) {
			t.Fatalf("read %q, %v, want %s", got, err, want)
		}
	}
	read("0{")
	if err := ws.WriteMessage(websocket.TextMessage, []byte("40")); err != nil {
		t.Fatal(err)
	}
	read("40{")

	post("/logout", nil)
	read("41")
	_ = ws.WriteMessage(websocket.TextMessage, []byte("40")) // may fail: the server has closed
	if _, got, err := ws.ReadMessage(); err == nil {
		t.Errorf("after the logout the client was answered %q", got)
	}
}
