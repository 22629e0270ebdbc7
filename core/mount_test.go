package core_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/siokit/siokit/core"
)

func TestMount(t *testing.T) {
	srv, err := core.New(core.Config{})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	core.Mount(mux, "/api/socket.io/", srv)
	for _, path := range []string{"/api/socket.io", "/api/socket.io/"} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path+"?EIO=4&transport=polling", strings.NewReader("")))
		if got := w.Body.String(); got != `{"code":2,"message":"Bad handshake method"}` {
			t.Errorf("%s: %d %s, want the endpoint's own answer", path, w.Code, got)
		}
	}
	defer func() {
		if text := fmt.Sprint(recover()); !strings.Contains(text, `mount it on "/live/socket.io/"`) {
			t.Errorf("mounting on another path: %s", text)
		}
	}()
	core.Mount(mux, "/live/", srv)
}
