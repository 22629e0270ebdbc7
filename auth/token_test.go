package auth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	gorilla "github.com/gorilla/sessions"

	"github.com/siokit/siokit/auth"
)

// socket is what core's Context is for a guard.
type socket struct {
	context.Context
	payload string
	header  http.Header
	query   url.Values
	cut     context.CancelCauseFunc
	values  sync.Map
}

func newSocket(t *testing.T, payload string) *socket {
	ctx, cut := context.WithCancelCause(context.Background())
	t.Cleanup(func() { cut(nil) })
	return &socket{Context: ctx, payload: payload, header: http.Header{}, cut: cut}
}

func (s *socket) Auth(v any) error {
	if s.payload == "" {
		return nil
	}
	return json.Unmarshal([]byte(s.payload), v)
}
func (s *socket) Header() http.Header           { return s.header }
func (s *socket) Query() url.Values             { return s.query }
func (s *socket) SetValue(key, value any)       { s.values.Store(key, value) }
func (s *socket) DisconnectBecause(cause error) { s.cut(cause) }
func (s *socket) Value(key any) any {
	if v, ok := s.values.Load(key); ok {
		return v
	}
	return s.Context.Value(key)
}

// cutBy fails unless the socket was disconnected with this cause.
func (s *socket) cutBy(t *testing.T, cause error) {
	t.Helper()
	if got := context.Cause(s); !errors.Is(got, cause) {
		t.Errorf("the socket was ended by %v, want %v", got, cause)
	}
	if u, ok := auth.User[*user](s); ok {
		t.Errorf("an ended socket is still %v's", u)
	}
}

func (s *socket) is(t *testing.T, id string) {
	t.Helper()
	u, ok := auth.User[*user](s)
	if s.Err() != nil || !ok || u.ID != id {
		t.Errorf("the socket is %v's, %t, cut by %v; want %s", u, ok, context.Cause(s), id)
	}
}

func bearing(token string) string { return fmt.Sprintf(`{"token":%q}`, token) }

// issuer verifies tokens like "ann" or "ann 2" with the claims that it was given.
type issuer struct {
	mu     sync.Mutex
	claims map[string]auth.Token // guarded by mu
	calls  atomic.Int64
	down   atomic.Bool
	gone   atomic.Bool // no account exists
	log    *strings.Builder
	tokens *auth.Tokens[*user]
}

func newIssuer(opts auth.Options) *issuer {
	s := &issuer{claims: map[string]auth.Token{}, log: &strings.Builder{}}
	opts.Logger = slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.tokens = auth.NewTokens(s.verify, func(_ context.Context, id string) (*user, error) {
		if s.gone.Load() {
			return nil, auth.ErrNoUser
		}
		return &user{ID: id}, nil
	}, opts)
	return s
}

func (s *issuer) verify(_ context.Context, token string) (auth.Token, error) {
	s.calls.Add(1)
	if s.down.Load() {
		return auth.Token{}, fmt.Errorf("keys of %s: %w", token, auth.ErrUnavailable)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	claims, ok := s.claims[token]
	if !ok {
		return auth.Token{}, fmt.Errorf("signature of %s at /etc/keys", token)
	}
	return claims, nil
}

func (s *issuer) issue(token string, claims auth.Token) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.claims[token] = claims
	return token
}

// seenByClient is what core sends for a refusal.
func seenByClient(err error) string {
	var refusal interface {
		error
		ClientError() (string, any)
	}
	if err == nil {
		return "ok"
	}
	if !errors.As(err, &refusal) {
		return "internal error"
	}
	message, data := refusal.ClientError()
	b, _ := json.Marshal(data)
	return message + " " + string(b)
}

const pleaseLogIn = `please log in {"code":401}`

func TestWhereTokensComeFrom(t *testing.T) {
	s := newIssuer(auth.Options{})
	for _, name := range []string{"ann", "bob"} {
		s.issue(name, auth.Token{User: name})
	}
	for _, c := range []struct {
		name, payload string
		header        []string
		query         string
		want          string // the user, or what the client sees
		optional      string // with ConnectOptional, if it differs
	}{
		{name: "payload", payload: bearing("ann"), want: "ann"},
		{name: "header", header: []string{"Bearer ann"}, want: "ann"},
		{name: "header, lower case", header: []string{"bearer ann"}, want: "ann"},
		{name: "payload before header", payload: bearing("ann"), header: []string{"Bearer bob"}, want: "ann"},
		{name: "payload without token", payload: `{"lang":"en"}`, header: []string{"Bearer bob"}, want: "bob"},
		{name: "nothing", want: pleaseLogIn, optional: ""},
		{name: "empty token", payload: `{"token":""}`, want: pleaseLogIn, optional: ""},
		{name: "null token", payload: `{"token":null}`, want: pleaseLogIn, optional: ""},
		{name: "another scheme", header: []string{"Basic YW5u"}, want: pleaseLogIn, optional: ""},
		{name: "bad token", payload: bearing("eve"), want: pleaseLogIn, optional: pleaseLogIn},
		{name: "bad token, good header", payload: bearing("eve"), header: []string{"Bearer ann"}, want: pleaseLogIn, optional: pleaseLogIn},
		{name: "a number", payload: `{"token":7}`, want: pleaseLogIn, optional: pleaseLogIn},
		{name: "no object", payload: `"ann"`, want: pleaseLogIn, optional: pleaseLogIn},
		{name: "two headers", header: []string{"Bearer ann", "Bearer ann"}, want: pleaseLogIn, optional: pleaseLogIn},
		{name: "empty header", header: []string{"Bearer "}, want: pleaseLogIn, optional: pleaseLogIn},
		{
			name: "URL", query: "token=ann",
			want:     `send the token in the auth payload or the Authorization header, not in the URL {"code":400}`,
			optional: `send the token in the auth payload or the Authorization header, not in the URL {"code":400}`,
		},
		{
			name: "URL, other name", query: "access_token=ann",
			want:     `send the token in the auth payload or the Authorization header, not in the URL {"code":400}`,
			optional: `send the token in the auth payload or the Authorization header, not in the URL {"code":400}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			for guard, connect := range map[string]func(context.Context) error{"Connect": s.tokens.Connect, "ConnectOptional": s.tokens.ConnectOptional} {
				so := newSocket(t, c.payload)
				so.query, _ = url.ParseQuery(c.query)
				if c.header != nil {
					so.header["Authorization"] = c.header
				}
				want := c.want
				if guard == "ConnectOptional" && strings.Contains(want, " ") {
					want = c.optional
				}
				err := connect(so)
				switch {
				case strings.Contains(want, " "):
					if got := seenByClient(err); got != want {
						t.Errorf("%s: %v, which clients see as %s; want %s", guard, err, got, want)
					}
					if u, ok := auth.User[*user](so); ok {
						t.Errorf("%s: a refused socket is %v's", guard, u)
					}
				case err != nil:
					t.Errorf("%s: %v", guard, err)
				case want == "":
					if id := auth.From(so).UserID(); id != "" {
						t.Errorf("%s: a socket without a token is %q's", guard, id)
					}
				default:
					so.is(t, want)
				}
			}
		})
	}
}

// neither logs nor errors hold the token, and clients do not learn why it was refused.
func TestTokensStaySecret(t *testing.T) {
	s := newIssuer(auth.Options{})
	const secret = "SECRET.token"
	for _, down := range []bool{false, true} {
		s.down.Store(down)
		err := s.tokens.Connect(newSocket(t, bearing(secret)))
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("error %v", err)
		}
		want := pleaseLogIn
		if down {
			want = "internal error"
		}
		if got := seenByClient(err); got != want {
			t.Errorf("clients see %s, want %s", got, want)
		}
		if errors.Is(err, auth.ErrUnauthenticated) == down || errors.Is(err, auth.ErrUnavailable) != down {
			t.Errorf("error %v", err)
		}
	}
	text := s.log.String()
	if strings.Contains(text, secret) || !strings.Contains(text, "signature of [token]") || !strings.Contains(text, "keys of [token]") {
		t.Errorf("logged:\n%s", text)
	}
}

func TestBadTokens(t *testing.T) {
	s := newIssuer(auth.Options{Lifetime: time.Hour})
	now := time.Now()
	s.issue("expired", auth.Token{User: "ann", Expires: now.Add(-time.Second)})
	s.issue("nobody", auth.Token{})
	s.issue("old", auth.Token{User: "ann", Issued: now.Add(-2 * time.Hour), Expires: now.Add(time.Hour)})
	for _, token := range []string{"expired", "nobody", "old", strings.Repeat("x", 8<<10+1), strings.Repeat("x", 1<<20)} {
		before := s.calls.Load()
		if got := seenByClient(s.tokens.Connect(newSocket(t, bearing(token)))); got != pleaseLogIn {
			t.Errorf("%.20s: clients see %s", token, got)
		}
		if len(token) > 8<<10 && s.calls.Load() != before {
			t.Errorf("the verifier was given %d bytes", len(token))
		}
	}
	s.issue("ann", auth.Token{User: "ann"})
	s.gone.Store(true)
	err := s.tokens.Connect(newSocket(t, bearing("ann")))
	if got := seenByClient(err); got != pleaseLogIn || !errors.Is(err, auth.ErrNoUser) {
		t.Errorf("a deleted account: %v, clients see %s", err, got)
	}
	if err := s.tokens.Connect(t.Context()); err == nil {
		t.Error("a context that is no socket was let in")
	}
	if n := s.tokens.Connections(); n != 0 {
		t.Errorf("%d refused sockets are registered", n)
	}
}

// A-11c: the socket ends when its token does, to the second; a refreshed one lives on.
func TestTokenExpiresAndIsRefreshed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newIssuer(auth.Options{})
		start := time.Now()
		s.issue("ann", auth.Token{User: "ann", Issued: start, Expires: start.Add(time.Minute)})
		s.issue("ann 2", auth.Token{User: "ann", Issued: start.Add(30 * time.Second), Expires: start.Add(2 * time.Minute)})
		s.issue("bob", auth.Token{User: "bob", Expires: start.Add(time.Hour)})
		short, long, guest := newSocket(t, bearing("ann")), newSocket(t, bearing("ann")), newSocket(t, "")
		for _, so := range []*socket{short, long} {
			if err := s.tokens.Connect(so); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.tokens.ConnectOptional(guest); err != nil {
			t.Fatal(err)
		}
		if end := auth.From(short).Expires(); !end.Equal(start.Add(time.Minute)) {
			t.Errorf("Expires is %v", end)
		}
		time.Sleep(30 * time.Second)
		if err := s.tokens.Refresh(long, "ann 2"); err != nil {
			t.Error(err)
		}
		if err := s.tokens.Refresh(long, "bob"); !errors.Is(err, auth.ErrOtherUser) {
			t.Errorf("somebody else's token: %v", err)
		}
		for _, bad := range []string{"", "eve"} {
			if err := s.tokens.Refresh(long, bad); !errors.Is(err, auth.ErrBadToken) {
				t.Errorf("%q: %v", bad, err)
			}
		}
		if err := s.tokens.Refresh(guest, "ann"); !errors.Is(err, auth.ErrUnauthenticated) || auth.From(guest).UserID() != "" {
			t.Errorf("a socket that came without a token became somebody's: %v", err)
		}
		if n := s.tokens.Connections(); n != 2 {
			t.Errorf("%d connections, want 2: a replaced token is none", n)
		}
		time.Sleep(29 * time.Second)
		synctest.Wait()
		short.is(t, "ann")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		short.cutBy(t, auth.ErrTokenExpired)
		long.is(t, "ann")
		if err := s.tokens.Refresh(short, "ann 2"); !errors.Is(err, auth.ErrUnauthenticated) {
			t.Errorf("a token revives an ended socket: %v", err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		long.cutBy(t, auth.ErrTokenExpired)
		if n := s.tokens.Connections(); n != 0 {
			t.Errorf("%d connections are left", n)
		}
	})
}

// Users.Tokens shares accounts and revocations with the cookie logins.
func TestCookiesAndTokensTogether(t *testing.T) {
	a := newApp(t, gorilla.NewCookieStore(testKey), auth.Options{})
	tokens := a.users.Tokens(func(_ context.Context, token string) (auth.Token, error) { return auth.Token{User: token}, nil })
	cookie, _ := a.visit("", "/login?id=ann")
	browser := a.connect(cookie)
	so := newSocket(t, bearing("bob"))
	so.Context, so.cut = context.WithCancelCause(browser.ctx) // the namespace of a token on the cookie's connection
	if err := tokens.Connect(so); err != nil {
		t.Fatal(err)
	}
	so.is(t, "bob")
	if u, _ := auth.User[*user](browser.ctx); u == nil || u.ID != "ann" {
		t.Errorf("the connection became %v's", u)
	}
	if err := a.users.Login(so, "eve"); !errors.Is(err, auth.ErrNotInSocket) {
		t.Errorf("Login in a socket with a token: %v", err)
	}
	if err := a.users.Logout(so); err != nil {
		t.Error(err)
	}
	so.cutBy(t, auth.ErrLoggedOut)
	browser.open(t)
	if err := tokens.Connect(newSocket(t, bearing("bob"))); err == nil {
		t.Error("a token without an id works after its logout")
	}
	so = newSocket(t, bearing("ann"))
	if err := tokens.Connect(so); err != nil {
		t.Fatal(err)
	}
	if n := a.users.Revoke("ann"); n != 2 {
		t.Errorf("Revoke cut %d, want the cookie's and the token's", n)
	}
	browser.cutBy(t, auth.ErrRevoked)
	so.cutBy(t, auth.ErrRevoked)
}

func TestTokenMiddleware(t *testing.T) {
	s := newIssuer(auth.Options{})
	s.issue("ann", auth.Token{User: "ann", Issued: time.Now()})
	h := s.tokens.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, ok := auth.User[*user](r.Context())
		if !ok {
			fmt.Fprint(w, "nobody")
			return
		}
		fmt.Fprint(w, u.ID)
	}))
	get := func(header ...string) string {
		r := httptest.NewRequest(http.MethodGet, "/?token=ann", nil)
		if header != nil {
			r.Header["Authorization"] = header
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return fmt.Sprint(w.Code, " ", strings.TrimSpace(w.Body.String()))
	}
	for _, c := range []struct {
		header []string
		want   string
	}{
		{nil, "200 nobody"},
		{[]string{"Bearer ann"}, "200 ann"},
		{[]string{"Basic x"}, "200 nobody"},
		{[]string{"Bearer eve"}, "401 please log in"},
		{[]string{"Bearer ann", "Bearer ann"}, "401 please log in"},
	} {
		if got := get(c.header...); got != c.want {
			t.Errorf("%q: %s, want %s", c.header, got, c.want)
		}
	}
	s.down.Store(true)
	if got := get("Bearer ann"); got != "503 try again later" {
		t.Errorf("verifier down: %s", got)
	}
	s.down.Store(false)
	s.tokens.Revoke("ann")
	if got := get("Bearer ann"); got != "401 please log in" {
		t.Errorf("revoked: %s", got)
	}
}
