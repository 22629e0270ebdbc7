package auth_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	gorilla "github.com/gorilla/sessions"

	"github.com/siokit/siokit/auth"
	"github.com/siokit/siokit/sessions"
)

type Account struct{ ID, Name string }

// One login, seen by an HTTP route and by a connection, and ended for both.
func Example() {
	accounts := map[string]*Account{"7": {"7", "Ann"}}
	loadAccount := func(_ context.Context, id string) (*Account, error) {
		if a, ok := accounts[id]; ok {
			return a, nil
		}
		return nil, auth.ErrNoUser
	}

	sess, err := sessions.New(gorilla.NewCookieStore([]byte("use 32 random bytes from a secret")), "app", sessions.Options{})
	if err != nil {
		panic(err)
	}
	users := auth.New(sess, loadAccount)

	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		// Check the password here.
		if err := users.Login(r.Context(), "7"); err != nil {
			http.Error(w, "try again", http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, "welcome ", auth.MustUser[*Account](r.Context()).Name)
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		if err := users.Logout(r.Context()); err != nil {
			http.Error(w, "try again", http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, "bye")
	})
	app := users.Middleware(mux)

	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/login", nil))
	cookie := w.Result().Cookies()[0]
	fmt.Println(w.Body)

	// Core does this at a handshake, with core.Config{Sessions: sess, Authenticate: users.Handshake}.
	handshake := httptest.NewRequest(http.MethodGet, "/socket.io/?EIO=4&transport=websocket", nil)
	handshake.AddCookie(cookie)
	ctx, principal, err := users.Handshake(handshake)
	if err != nil {
		panic(err)
	}
	u, ok := auth.User[*Account](ctx)
	fmt.Println("connected:", principal, u.Name, ok)

	logout := httptest.NewRequest(http.MethodPost, "/logout", nil)
	logout.AddCookie(cookie)
	w = httptest.NewRecorder()
	app.ServeHTTP(w, logout)
	fmt.Println(w.Body)
	fmt.Println("cut:", context.Cause(ctx))
	// Output:
	// welcome Ann
	// connected: 7 Ann true
	// bye
	// cut: auth: logged out
}

// Require guards a namespace, a group of events or one event; RequireHTTP a route.
func ExampleRequire() {
	sess, err := sessions.New(gorilla.NewCookieStore([]byte("use 32 random bytes from a secret")), "app", sessions.Options{})
	if err != nil {
		panic(err)
	}
	users := auth.New(sess, func(context.Context, string) (*Account, error) { return nil, auth.ErrNoUser })
	handshake := httptest.NewRequest(http.MethodGet, "/socket.io/?EIO=4&transport=websocket", nil)
	ctx, _, err := users.Handshake(handshake)
	if err != nil {
		panic(err)
	}
	fmt.Println(auth.Require(ctx))

	w := httptest.NewRecorder()
	users.RequireHTTP(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/orders", nil))
	fmt.Print(w.Code, " ", w.Body)
	// Output:
	// auth: nobody is logged in
	// 401 please log in
}
