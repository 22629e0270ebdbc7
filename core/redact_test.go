package core_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/siokit/siokit/core"
)

func TestRedactQuery(t *testing.T) {
	for query, want := range map[string]string{
		"":                                   "",
		"EIO=4&transport=polling&t=abc":      "EIO=4&transport=polling&t=abc",
		"EIO=4&transport=polling&sid=secret": "EIO=4&transport=polling&sid=REDACTED",
		"sid=secret&EIO=4":                   "sid=REDACTED&EIO=4",
		"EIO=4&token=secret&access_token=secret&auth=secret&pid=secret": "EIO=4&token=REDACTED&access_token=REDACTED&auth=REDACTED&pid=REDACTED",
		"EIO=4&sid=secret&sid=secret":                                   "EIO=4&sid=REDACTED&sid=REDACTED",
		"EIO=4&%73id=secret&TOKEN=secret":                               "EIO=4&%73id=REDACTED&TOKEN=REDACTED",
		"EIO=4;sid=secret":                                              "EIO=4;sid=REDACTED",
		"EIO=4&sid=secret;token=secret":                                 "EIO=4&sid=REDACTED;token=REDACTED",
		"EIO=4&sid=%zzsecret&%zz=1":                                     "EIO=4&sid=REDACTED&%zz=1",
		"EIO=4&sid=secret=secret":                                       "EIO=4&sid=REDACTED",
		"EIO=4&sid=&token":                                              "EIO=4&sid=&token",
		"EIO=4&room=sid&tsid=1":                                         "EIO=4&room=sid&tsid=1",
		"token=needed&sid=needed":                                       "token=needed&sid=needed", // another route's
		"%45IO=4&sid=secret&":                                           "%45IO=4&sid=REDACTED&",
	} {
		var inside *http.Request
		h := core.RedactQuery(core.RedactQuery(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { inside = r })))
		r := httptest.NewRequest(http.MethodGet, "/socket.io/", nil)
		r.URL.RawQuery = query
		r.RequestURI = "/socket.io/?" + query
		h.ServeHTTP(httptest.NewRecorder(), r)
		if inside.URL.RawQuery != want || inside.RequestURI != "/socket.io/?"+want {
			t.Errorf("%s\nbecame %s and %s\nwant   %s", query, inside.URL.RawQuery, inside.RequestURI, want)
		}
		if r.URL.RawQuery != query {
			t.Errorf("%s: the outer request was changed", query)
		}
	}
}

// What RedactQuery hides from logs is there for hooks and handlers.
func TestRedactedRequestIsWholeForTheServer(t *testing.T) {
	requests := make(chan *http.Request, 8)
	srv := serve(t, core.Config{AllowRequest: func(r *http.Request) error { requests <- r; return nil }})
	for name, h := range map[string]http.Handler{"once": core.RedactQuery(srv), "twice": core.RedactQuery(core.RedactQuery(srv))} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://example.com/socket.io/?EIO=4&transport=polling&token=secret", nil))
		if w.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", name, w.Code, w.Body)
		}
		if r := receive(t, requests); r.URL.Query().Get("token") != "secret" || r.FormValue("token") != "secret" || r.RequestURI != "http://example.com/socket.io/?EIO=4&transport=polling&token=secret" {
			t.Errorf("%s: the hook saw %s", name, r.RequestURI)
		}
		_, open, _ := strings.Cut(w.Body.String(), `"sid":"`)
		sid, _, _ := strings.Cut(open, `"`)
		w = httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "http://example.com/socket.io/?EIO=4&transport=polling&sid="+sid, strings.NewReader("1")))
		if w.Body.String() != "ok" {
			t.Errorf("%s: its end was answered with %d %s", name, w.Code, w.Body)
		}
	}
	// Whoever writes the placeholder himself gets no other session by it.
	w := httptest.NewRecorder()
	srv.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://example.com/socket.io/?EIO=4&transport=polling&sid=REDACTED", nil))
	if w.Code != http.StatusBadRequest {
		t.Errorf("a made-up sid: %d", w.Code)
	}
}
