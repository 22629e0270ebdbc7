package sessions_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

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
	fmt.Println(sessions.From(ctx).Save())
	// Output:
	// lobby true
	// sessions: a socket cannot change the browser's cookie: in Fork mode its writes stay with the connection; do this in an HTTP route instead
}
