package auth_test

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"

	gorilla "github.com/gorilla/sessions"

	"github.com/siokit/siokit/auth"
	"github.com/siokit/siokit/sessions"
)

var indexPage = template.Must(template.New("index").Parse(`<meta name="csrf" content="{{.}}">
<script>
  const socket = io({ auth: { csrf: document.querySelector("meta[name=csrf]").content } });
</script>
`))

// A page gets a token, and only sockets that bring it get in.
func ExampleUsers_CSRFToken() {
	sess, err := sessions.New(gorilla.NewCookieStore([]byte("use 32 random bytes from a secret")), "app", sessions.Options{})
	if err != nil {
		panic(err)
	}
	users := auth.New(sess, func(_ context.Context, id string) (*Account, error) { return &Account{ID: id}, nil })
	// core.Config{Sessions: sess, Authenticate: users.Handshake, Guards: []core.Guard{users.RequireCSRF}}

	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		token, err := users.CSRFToken(r.Context())
		if err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		if err := indexPage.Execute(w, token); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	})
	w := httptest.NewRecorder()
	users.Middleware(mux).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	token := regexp.MustCompile(`content="([^"]+)"`).FindStringSubmatch(w.Body.String())[1]
	cookie := w.Result().Cookies()[0] // the visitor had no session

	// Core does this at a handshake, and calls the guard with each CONNECT.
	connect := func(payload string) error {
		handshake := httptest.NewRequest(http.MethodGet, "/socket.io/?EIO=4&transport=websocket", nil)
		handshake.AddCookie(cookie)
		ctx, _, err := users.Handshake(handshake)
		if err != nil {
			return err
		}
		return users.RequireCSRF(&socket{Context: ctx, payload: payload})
	}
	fmt.Println("the page:", connect(`{"csrf":"`+token+`"}`))
	_, message := connect(`{}`).(interface{ ClientError() (string, any) })
	fmt.Println("another page is refused:", message)
	// Output:
	// the page: <nil>
	// another page is refused: true
}
