// Package app is what the four login examples have in common: the accounts, the page, the events of the sockets, and
// the wiring of session, login and Socket.IO server. What differs, the routes and the mount, is in the main packages
// beside it: gin, echo, chi and nethttp.
package app

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"strings"
	"unicode/utf8"

	gorilla "github.com/gorilla/sessions"

	"github.com/siokit/siokit/auth"
	"github.com/siokit/siokit/core"
	"github.com/siokit/siokit/sessions"
)

// An App is the application without its routes. Methods may be called concurrently.
type App struct {
	Users    *auth.Users[*User]
	Sockets  *core.Server // to be mounted on /socket.io/
	accounts Accounts
}

// Config is what New needs.
type Config struct {
	Key      []byte   // signs the session cookies: 32 random bytes
	Client   fs.FS    // the dist folder of npm's socket.io-client; nil: the page finds no client
	Accounts Accounts // default DemoAccounts

	// SessionDir is a folder that exists: sessions are files in it, and sockets and routes share them. Default: they are in
	// the cookies, and a connection has a copy of its own.
	SessionDir string
}

// New wires one session, one login and one Socket.IO server together. The caller ends with Sockets.Shutdown.
func New(cfg Config) (*App, error) {
	if cfg.Accounts == nil {
		cfg.Accounts = DemoAccounts
	}
	store, options := gorilla.Store(gorilla.NewCookieStore(cfg.Key)), sessions.Options{}
	if cfg.SessionDir != "" {
		store, options.Mode = gorilla.NewFilesystemStore(cfg.SessionDir, cfg.Key), sessions.Shared
	}
	sess, err := sessions.New(store, "login", options)
	if err != nil {
		return nil, err
	}
	users := auth.New(sess, cfg.Accounts.load)
	sockets, err := core.New(core.Config{
		Sessions:       sess,
		Authenticate:   users.Handshake,
		Client:         cfg.Client,
		TrustedProxies: []string{"127.0.0.1", "::1"}, // a proxy on this machine may terminate TLS
	})
	if err != nil {
		return nil, err
	}
	handleEvents(sockets)
	return &App{Users: users, Sockets: sockets, accounts: cfg.Accounts}, nil
}

// Me is who is calling: the answer of /me and of the event "whoami".
type Me struct {
	Name     string `json:"name"`
	Nickname string `json:"nickname"` // from the session
}

// WhoAmI works in HTTP handlers and in socket handlers: both have the same user and the same session.
func WhoAmI(ctx context.Context) (Me, error) {
	user, err := auth.UserErr[*User](ctx)
	if err != nil {
		return Me{}, err
	}
	nickname, _ := sessions.Get[string](ctx, "nickname")
	return Me{user.Name, nickname}, nil
}

var errPassword = errors.New("app: wrong name or password")

// Login checks the password and logs in, for the HTTP request of ctx. The nickname, which may be empty, goes into the
// session. See Problem for the errors.
func (a *App) Login(ctx context.Context, name, password, nickname string) error {
	user, ok := a.accounts.check(name, password)
	if !ok {
		return errPassword
	}
	if err := setNickname(ctx, nickname); err != nil {
		return err
	}
	return a.Users.Login(ctx, user.Name)
}

// setNickname changes the session of ctx: that of an HTTP request, or in a socket the copy that the connection has of it,
// or with Config.SessionDir the one that they share.
func setNickname(ctx context.Context, nickname string) error {
	if utf8.RuneCountInString(nickname) > 40 {
		return &core.Error{Code: "bad_nickname", Message: "a nickname has at most 40 characters"}
	}
	return sessions.From(ctx).Set("nickname", nickname)
}

// Announcement is the event "announcement", for everybody.
type Announcement struct {
	From string `json:"from"`
	Text string `json:"text"`
}

// Announce emits from an HTTP handler to every socket. The caller must be logged in. See Problem for the errors.
func (a *App) Announce(ctx context.Context, text string) error {
	user, err := auth.UserErr[*User](ctx)
	if err != nil {
		return err
	}
	if text, err = cleanText(text); err != nil {
		return err
	}
	return a.Sockets.Emit("announcement", Announcement{From: user.Name, Text: text})
}

func cleanText(text string) (string, error) {
	text = strings.TrimSpace(text)
	if n := utf8.RuneCountInString(text); n < 1 || n > 280 {
		return "", &core.Error{Code: "bad_text", Message: "a text has 1 to 280 characters"}
	}
	return text, nil
}

// Problem says how to answer a request that ended with err: the status, and a text for people. What went wrong inside
// stays inside.
func Problem(err error) (status int, text string) {
	var bad *core.Error
	switch {
	case errors.Is(err, errPassword):
		return http.StatusUnauthorized, "wrong name or password"
	case errors.Is(err, auth.ErrUnauthenticated):
		return http.StatusUnauthorized, "please log in"
	case errors.As(err, &bad):
		return http.StatusBadRequest, bad.Message
	default:
		return http.StatusServiceUnavailable, "that did not work, please try again"
	}
}

// Fail answers a net/http request with Problem.
func Fail(w http.ResponseWriter, err error) {
	status, text := Problem(err)
	http.Error(w, text, status)
}

// Guard refuses forms that another site makes a browser send, and bounds forms to 16 KiB. Sockets have their own
// checks of the origin and of the size.
func Guard(next http.Handler) http.Handler {
	return http.NewCrossOriginProtection().Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/socket.io/") {
			r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
		}
		next.ServeHTTP(w, r)
	}))
}
