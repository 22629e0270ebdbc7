package sessions_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	gorilla "github.com/gorilla/sessions"

	"github.com/siokit/siokit/sessions"
)

// brokenStore fails once when told to.
type brokenStore struct {
	gorilla.Store
	fail func() error
}

func (s *brokenStore) New(r *http.Request, name string) (*gorilla.Session, error) {
	if fail := s.fail; fail != nil {
		s.fail = nil
		return nil, fail()
	}
	return s.Store.New(r, name)
}

// Changes of one session wait for each other, so one that fails or panics must not leave the others waiting.
func TestABrokenStoreHoldsNobodyUp(t *testing.T) {
	t.Run("error", func(t *testing.T) { breakRenew(t, func() error { return errOutage }) })
	t.Run("panic", func(t *testing.T) { breakRenew(t, func() error { panic(errOutage) }) })
}

func breakRenew(t *testing.T, fail func() error) {
	store := &brokenStore{Store: gorilla.NewFilesystemStore(t.TempDir(), testKey)}
	m := manager(t, store, sessions.Options{Mode: sessions.Shared})
	request := func(cookie string, f func(r *http.Request)) (next string) {
		h := m.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { f(r) }))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, with(cookie))
		if w.Code != http.StatusOK {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		for _, c := range w.Result().Cookies() {
			cookie = c.Value
		}
		return cookie
	}
	set := func(r *http.Request) {
		if err := sessions.From(r.Context()).Set("n", 1); err != nil {
			t.Error(err)
		}
	}
	cookie := request("", set)
	request(cookie, func(r *http.Request) {
		_ = sessions.From(r.Context()).Get("n")
		store.fail = fail
		defer func() {
			if v := recover(); v != nil && v != errOutage || store.fail != nil {
				t.Errorf("panic %v, or Renew did not ask the store", v)
			}
		}()
		if _, err := m.Renew(r.Context(), nil); !errors.Is(err, errOutage) {
			t.Errorf("Renew gave %v", err)
		}
	})
	request(cookie, set)
}
