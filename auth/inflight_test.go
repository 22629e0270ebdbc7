package auth_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	gorilla "github.com/gorilla/sessions"

	"github.com/siokit/siokit/auth"
	"github.com/siokit/siokit/sessions"
)

// A request that was under way when its user logged out saves its session afterwards. That must bring the login back
// neither to the store nor to the browser, where the next start of the process would find it alive.
func TestLogoutDuringARequestThatSaves(t *testing.T) {
	eachStore(t, func(t *testing.T, store gorilla.Store) {
		here := newApp(t, store, auth.Options{})
		saveDuringLogout(t, here, here, newApp(t, store, auth.Options{}))
	})
	t.Run("in another process", func(t *testing.T) {
		store := gorilla.NewFilesystemStore(t.TempDir(), testKey)
		here := newApp(t, store, auth.Options{})
		saveDuringLogout(t, here, newApp(t, store, auth.Options{}), here)
	})
}

// saveDuringLogout logs out by one process while another one handles a request, and looks from a third for whose the
// cookie is that the browser has then.
func saveDuringLogout(t *testing.T, here, logout, after *app) {
	ann, _ := here.visit("", "/login?id=ann")
	slow := here.users.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if err := sessions.From(r.Context()).Set("cart", "apples"); err != nil {
			t.Error(err)
		}
		logout.visit(ann, "/logout")
	}))
	w := httptest.NewRecorder()
	slow.ServeHTTP(w, handshake(t.Context(), ann, ""))
	if w.Code != http.StatusOK || len(w.Result().Cookies()) != 1 {
		t.Fatalf("%d %q %q", w.Code, w.Body, w.Header())
	}
	brought := w.Result().Cookies()[0].Value
	if got := after.poll(brought); got != "" {
		t.Errorf("the browser is %q's again", got)
	}
	if _, body := after.visit(brought, "/me"); body != "nobody apples" {
		t.Errorf("/me is %q: what the request saved is lost", body)
	}
}
