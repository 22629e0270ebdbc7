package sessions_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"

	gorilla "github.com/gorilla/sessions"

	"github.com/siokit/siokit/sessions"
)

func Example() {
	store := gorilla.NewCookieStore([]byte("use 32 random bytes from a secret"))
	sess, err := sessions.New(store, "app", sessions.Options{})
	if err != nil {
		panic(err)
	}
	app := sess.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		visits, _ := sessions.Get[int](r.Context(), "visits")
		if err := sessions.From(r.Context()).Set("visits", visits+1); err != nil {
			http.Error(w, "try again", http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, "visit %d", visits+1)
	}))

	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	fmt.Println(w.Body)

	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.AddCookie(w.Result().Cookies()[0])
	w = httptest.NewRecorder()
	app.ServeHTTP(w, r)
	fmt.Println(w.Body)
	// Output:
	// visit 1
	// visit 2
}

// A connection reads what HTTP wrote before the handshake. What it writes stays its own.
func ExampleManager_BindSession() {
	store := gorilla.NewCookieStore([]byte("use 32 random bytes from a secret"))
	sess, err := sessions.New(store, "app", sessions.Options{})
	if err != nil {
		panic(err)
	}
	handshake := httptest.NewRequest(http.MethodGet, "/socket.io/?EIO=4&transport=polling", nil)
	ctx, err := sess.BindSession(handshake) // core does this
	if err != nil {
		panic(err)
	}
	if err := sessions.From(ctx).Set("room", "lobby"); err != nil {
		panic(err)
	}
	room, ok := sessions.Get[string](ctx, "room")
	fmt.Println(room, ok)
	fmt.Println(sessions.From(ctx).Save(ctx))
	// Output:
	// lobby true
	// sessions: a socket cannot change the browser's cookie: in Fork mode its writes stay with the connection; do this in an HTTP route instead
}

// With a store that keeps sessions on a server, sockets and routes have one session between them.
func ExampleNew_shared() {
	dir, err := os.MkdirTemp("", "sessions")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	store := gorilla.NewFilesystemStore(dir, []byte("use 32 random bytes from a secret"))
	sess, err := sessions.New(store, "app", sessions.Options{Mode: sessions.Shared})
	if err != nil {
		panic(err)
	}
	theme := sess.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if wanted := r.FormValue("theme"); wanted != "" {
			if err := sessions.From(r.Context()).Set("theme", wanted); err != nil {
				http.Error(w, "try again", http.StatusInternalServerError)
				return
			}
		}
		now, _ := sessions.Get[string](r.Context(), "theme")
		fmt.Fprint(w, "HTTP sees ", now)
	}))
	w := httptest.NewRecorder()
	theme.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/?theme=light", nil))
	fmt.Println(w.Body)
	cookie := w.Result().Cookies()[0]

	handshake := httptest.NewRequest(http.MethodGet, "/socket.io/?EIO=4&transport=polling", nil)
	handshake.AddCookie(cookie)
	ctx, err := sess.BindSession(handshake) // core does this, and calls SaveSession after every handler
	if err != nil {
		panic(err)
	}
	now, _ := sessions.Get[string](ctx, "theme")
	fmt.Println("the socket sees", now)
	if err := sessions.From(ctx).Set("theme", "dark"); err != nil {
		panic(err)
	}
	if err := sess.SaveSession(ctx); err != nil {
		panic(err)
	}

	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
	r.AddCookie(cookie)
	theme.ServeHTTP(w, r)
	fmt.Println(w.Body)
	// Output:
	// HTTP sees light
	// the socket sees light
	// HTTP sees dark
}

func ExampleManager_Explain() {
	store := gorilla.NewCookieStore([]byte("use 32 random bytes from a secret"))
	sess, err := sessions.New(store, "app", sessions.Options{})
	if err != nil {
		panic(err)
	}
	handshake := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:5000/socket.io/?EIO=4&transport=polling", nil)
	handshake.Header.Set("Origin", "http://localhost:5000")
	fmt.Println(sess.Explain(handshake))
	// Output:
	// The request has no Cookie header. The page is at localhost:5000 and the request goes to 127.0.0.1:5000: both are this machine, but to a browser they are two sites, and a cookie of one is not sent to the other. Use one of the names everywhere
}
