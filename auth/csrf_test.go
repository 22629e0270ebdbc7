package auth_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	gorilla "github.com/gorilla/sessions"

	"github.com/siokit/siokit/auth"
)

// page requests a page with a token. path as in app.ServeHTTP, or /csrf.
func (a *app) page(cookie string) (next, token string) {
	a.t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/csrf", nil)
	if cookie != "" {
		r.Header.Set("Cookie", "app="+cookie)
	}
	w := httptest.NewRecorder()
	a.users.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := a.users.CSRFToken(r.Context())
		if err != nil {
			a.t.Error(err)
		}
		fmt.Fprint(w, token)
	})).ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if c.Name == "app" {
			cookie = c.Value
		}
	}
	return cookie, w.Body.String()
}

// csrf asks the guard about a new connection with a cookie and a token.
func (a *app) csrf(cookie, payload string) error {
	so := newSocket(a.t, payload)
	so.Context = a.connect(cookie).ctx
	return a.users.RequireCSRF(so)
}

func sending(token string) string { return fmt.Sprintf(`{"csrf":%q}`, token) }

// without a token, with another session's and with the right one.
func TestCSRFToken(t *testing.T) {
	eachStore(t, func(t *testing.T, store gorilla.Store) {
		a := newApp(t, store, auth.Options{})
		ann, _ := a.visit("", "/login?id=ann")
		same, token := a.page(ann)
		if same != ann {
			t.Error("a page with a token changes a session that there is")
		}
		_, another := a.page(ann)
		if another == token {
			t.Error("two pages have the same token")
		}
		touched, _ := a.visit(ann, "/touch")
		for what, cookie := range map[string]string{"the session": ann, "its other cookie": touched} {
			for _, token := range []string{token, another} {
				if err := a.csrf(cookie, sending(token)); err != nil {
					t.Errorf("%s: %v", what, err)
				}
			}
		}
		bob, _ := a.visit("", "/login?id=bob")
		_, bobs := a.page(bob)
		twice, _ := a.visit("", "/login?id=ann")
		_, other := a.page(twice)
		guest, guests := a.page("")
		if guest == "" || a.csrf(guest, sending(guests)) != nil {
			t.Error("a visitor without a login cannot connect with the page's token")
		}
		refused := map[string][2]string{
			"nothing": {ann, ""}, "no token": {ann, `{}`}, "null": {ann, `{"csrf":null}`}, "not a string": {ann, `{"csrf":1}`},
			"an empty token": {ann, sending("")}, "another user's": {ann, sending(bobs)}, "the same user's other session's": {ann, sending(other)},
			"a guest's": {ann, sending(guests)}, "no session": {"", sending(token)}, "a bad cookie": {"junk", sending(token)},
			"too short": {ann, sending(token[:len(token)-1])}, "too long": {ann, sending(token + "A")}, "not base64": {ann, sending("!" + token[1:])},
		}
		raw, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil {
			t.Fatal(err)
		}
		for i := range raw {
			forged := append([]byte(nil), raw...)
			forged[i] ^= 1 << (i % 8)
			refused[fmt.Sprintf("byte %d", i)] = [2]string{ann, sending(base64.RawURLEncoding.EncodeToString(forged))}
		}
		for what, c := range refused {
			err := a.csrf(c[0], c[1])
			if !errors.Is(err, auth.ErrCSRF) || seenByClient(err) != `please reload the page {"code":403}` {
				t.Errorf("%s: %v", what, err)
			}
		}

		// A login and a logout end it.
		after, _ := a.visit(ann, "/logout")
		back, _ := a.visit(after, "/login?id=ann")
		for what, cookie := range map[string]string{"the old cookie": ann, "after the logout": after, "after the next login": back} {
			if err := a.csrf(cookie, sending(token)); !errors.Is(err, auth.ErrCSRF) {
				t.Errorf("%s: %v", what, err)
			}
		}
		joined, _ := a.visit(guest, "/login?id=ann")
		if err := a.csrf(joined, sending(guests)); !errors.Is(err, auth.ErrCSRF) {
			t.Errorf("a token from before the login: %v", err)
		}
	})
}

func TestCSRFTokenTrouble(t *testing.T) {
	a := newApp(t, gorilla.NewCookieStore(testKey), auth.Options{})
	if _, err := a.users.CSRFToken(t.Context()); !errors.Is(err, auth.ErrNoMiddleware) {
		t.Errorf("without the middleware: %v", err)
	}
	if _, err := a.users.CSRFToken(a.connect("").ctx); !errors.Is(err, auth.ErrNotInSocket) {
		t.Errorf("in a socket: %v", err)
	}
	if err := a.users.RequireCSRF(t.Context()); err == nil || errors.Is(err, auth.ErrCSRF) {
		t.Errorf("not a socket's context: %v", err)
	}
	if err := a.users.RequireCSRF(newSocket(t, "{}")); !errors.Is(err, auth.ErrNoMiddleware) {
		t.Errorf("a socket without a session manager: %v", err)
	}

	// A bearer token is no cookie: no page sends it unasked. With a cookie beside it the page's token is asked for.
	tokens := a.users.Tokens(func(_ context.Context, raw string) (auth.Token, error) { return auth.Token{User: raw}, nil })
	ann, _ := a.visit("", "/login?id=ann")
	for cookie, want := range map[string]error{"": nil, ann: auth.ErrCSRF} {
		so := newSocket(t, bearing("ann"))
		so.Context = a.connect(cookie).ctx
		if err := tokens.Connect(so); err != nil {
			t.Fatal(err)
		}
		if err := a.users.RequireCSRF(so); !errors.Is(err, want) {
			t.Errorf("a bearer token, with the cookie %.9q: %v", cookie, err)
		}
	}
}
