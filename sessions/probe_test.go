package sessions_test

import (
	"net/http"
	"strings"
	"testing"

	gorilla "github.com/gorilla/sessions"

	"github.com/siokit/siokit/sessions"
)

func TestSharedNeedsAServerSideStore(t *testing.T) {
	dir := t.TempDir()
	forgetful := gorilla.NewFilesystemStore(dir, testKey)
	forgetful.Options.MaxAge = 0
	for name, c := range map[string]struct {
		store gorilla.Store
		want  string
	}{
		"cookie":         {gorilla.NewCookieStore(testKey), "in the cookie"},
		"wrapped cookie": {&spyStore{Store: gorilla.NewCookieStore(testKey)}, "in the cookie"},
		"MaxAge 0":       {forgetful, "MaxAge"},
		"cannot load":    {&spyStore{Store: gorilla.NewFilesystemStore(dir, testKey), loadErr: errOutage}, "connection refused"},
		"cannot save":    {&spyStore{Store: gorilla.NewFilesystemStore(dir, testKey), saveErr: errOutage}, "connection refused"},
	} {
		m, err := sessions.New(c.store, "app", sessions.Options{Mode: sessions.Shared})
		if m != nil || err == nil || !strings.HasPrefix(err.Error(), "sessions: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: New = %v; want an error with %q", name, err, c.want)
		}
	}
	left := gorilla.NewFilesystemStore(dir, testKey)
	if _, err := sessions.New(left, "app", sessions.Options{Mode: sessions.Shared}); err != nil {
		t.Fatal(err)
	}
	entries, err := http.Dir(dir).Open("/")
	if err != nil {
		t.Fatal(err)
	}
	defer entries.Close()
	files, err := entries.Readdir(-1)
	if err != nil && len(files) > 0 {
		t.Fatal(err)
	}
	if len(files) != 0 {
		t.Errorf("the trial left %d sessions behind", len(files))
	}
}
