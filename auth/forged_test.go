package auth_test

import (
	"testing"

	gorilla "github.com/gorilla/sessions"

	"github.com/siokit/siokit/auth"
)

// What is remembered about logins under their ids must not answer for a cookie, which anybody can write.
func TestALoginsIDIsNoCookie(t *testing.T) {
	store := gorilla.NewCookieStore(testKey)
	a := newApp(t, store, auth.Options{Revocations: newMemory()})
	ann, _ := a.visit("", "/login?id=ann")
	if got := a.poll(ann); got != "ann" {
		t.Fatalf("ann polls as %q", got)
	}
	held, err := store.New(handshake(t.Context(), ann, ""), "app")
	if err != nil {
		t.Fatal(err)
	}
	id, _ := held.Values["_siokit.login"].(string)
	if id == "" {
		t.Fatalf("the session has no login: %v", held.Values)
	}
	for _, forged := range []string{id, "alive " + id, "alive\t" + id, `"alive ` + id + `"`} {
		if got := a.poll(forged); got != "" {
			t.Errorf("the cookie %q polls as %q", forged, got)
		}
	}
}
