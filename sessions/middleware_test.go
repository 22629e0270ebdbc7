package sessions_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"

	gorilla "github.com/gorilla/sessions"

	"github.com/siokit/siokit/sessions"
)

func TestSessionLastsOverRequests(t *testing.T) {
	eachStore(t, func(t *testing.T, store gorilla.Store) {
		m := manager(t, store, sessions.Options{})
		b := serve(t, m.Middleware(http.HandlerFunc(counter)))
		var id string
		for n := 1; n <= 3; n++ {
			_, body, h := b.get("/")
			if body != fmt.Sprint(n) {
				t.Fatalf("visit %d was counted as %s", n, body)
			}
			if h.Get("Vary") != "Cookie" || !strings.Contains(h.Get("Cache-Control"), "no-cache") {
				t.Errorf("caches are not told: %v", h)
			}
			now := m.Open(with(b.cookie())).ID()
			if now == "" || id != "" && now != id {
				t.Errorf("visit %d has session id %q, was %q", n, now, id)
			}
			id = now
		}
	})
}

func TestUntouchedSessionCostsNoStoreCall(t *testing.T) {
	spy := &spyStore{Store: gorilla.NewCookieStore(testKey)}
	m := manager(t, spy, sessions.Options{})
	b := serve(t, m.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/read" {
			_, _ = sessions.From(r.Context()).Get("n"), sessions.From(r.Context()).Get("n")
		}
		fmt.Fprint(w, "hello")
	})))
	_, _, h := b.get("/")
	if l, s := spy.loads.Load(), spy.saves.Load(); l != 0 || s != 0 {
		t.Errorf("%d loads and %d saves", l, s)
	}
	if len(h["Set-Cookie"]) != 0 || h.Get("Vary") != "" {
		t.Errorf("headers %v", h)
	}
	b.get("/read")
	if l, s := spy.loads.Load(), spy.saves.Load(); l != 1 || s != 0 {
		t.Errorf("reading twice: %d loads and %d saves, want 1 and 0", l, s)
	}
}

// Every way to begin a response must save first.
func TestSavedBeforeTheFirstByte(t *testing.T) {
	ways := map[string]func(w http.ResponseWriter){
		"nothing":     func(http.ResponseWriter) {},
		"WriteHeader": func(w http.ResponseWriter) { w.WriteHeader(http.StatusCreated) },
		"Write":       func(w http.ResponseWriter) { _, _ = w.Write([]byte("x")) },
		"WriteString": func(w http.ResponseWriter) { _, _ = io.WriteString(w, "x") },
		"ReadFrom":    func(w http.ResponseWriter) { _, _ = w.(io.ReaderFrom).ReadFrom(strings.NewReader("x")) },
		"Flush":       func(w http.ResponseWriter) { w.(http.Flusher).Flush() },
		"controller":  func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() },
	}
	for name, begin := range ways {
		t.Run(name, func(t *testing.T) {
			m := manager(t, gorilla.NewCookieStore(testKey), sessions.Options{})
			var late error
			b := serve(t, m.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				s := sessions.From(r.Context())
				if err := s.Set("n", 1); err != nil {
					t.Error(err)
				}
				begin(w)
				late = s.Set("n", 2)
			})))
			b.get("/")
			if n := m.Open(with(b.cookie())).Get("n"); n != 1 && (name != "nothing" || n != 2) {
				t.Errorf("n = %v was saved", n)
			}
			if name != "nothing" && !errors.Is(late, sessions.ErrTooLate) {
				t.Errorf("a late write gave %v", late)
			}
		})
	}
}

func TestEarlyHintsDoNotCloseTheSession(t *testing.T) {
	m := manager(t, gorilla.NewCookieStore(testKey), sessions.Options{})
	b := serve(t, m.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		counter(w, r)
	})))
	hints := 0
	trace := &httptrace.ClientTrace{Got1xxResponse: func(int, textproto.MIMEHeader) error { hints++; return nil }}
	r, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodGet, b.srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || hints != 1 || b.cookie() == "" {
		t.Errorf("status %d, %d hints, cookie %q", resp.StatusCode, hints, b.cookie())
	}
}

func TestFailedSaveIsA500(t *testing.T) {
	spy := &spyStore{Store: gorilla.NewCookieStore(testKey), saveErr: errOutage}
	m := manager(t, spy, sessions.Options{})
	var wrote, saved error
	b := serve(t, m.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = sessions.From(r.Context()).Set("n", 1)
		saved = sessions.From(r.Context()).Save(r.Context())
		_, wrote = w.Write([]byte("welcome"))
	})))
	code, body, h := b.get("/")
	if code != 500 || strings.Contains(body, "welcome") || strings.Contains(body, "refused") || len(h["Set-Cookie"]) != 0 {
		t.Errorf("%d %q %v", code, body, h)
	}
	if !errors.Is(wrote, errOutage) || !errors.Is(saved, errOutage) {
		t.Errorf("the handler saw %v and %v", saved, wrote)
	}
}

func TestTooLargeForTheCookieIsA500(t *testing.T) {
	m := manager(t, gorilla.NewCookieStore(testKey), sessions.Options{})
	b := serve(t, m.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = sessions.From(r.Context()).Set("big", strings.Repeat("x", 5000))
	})))
	if code, _, _ := b.get("/"); code != 500 {
		t.Errorf("status %d", code)
	}
}

func TestPanicKeepsTheChanges(t *testing.T) {
	m := manager(t, gorilla.NewCookieStore(testKey), sessions.Options{})
	inner := m.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_ = sessions.From(r.Context()).Set("n", 1)
		panic("handler")
	}))
	b := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
			w.WriteHeader(http.StatusInternalServerError)
		}()
		inner.ServeHTTP(w, r)
	}))
	if code, _, _ := b.get("/"); code != 500 || m.Open(with(b.cookie())).Get("n") != 1 {
		t.Errorf("status %d, n = %v", code, m.Open(with(b.cookie())).Get("n"))
	}
}

func TestNestedMiddlewareIsOne(t *testing.T) {
	spy := &spyStore{Store: gorilla.NewCookieStore(testKey)}
	m := manager(t, spy, sessions.Options{})
	b := serve(t, m.Middleware(m.Middleware(http.HandlerFunc(counter))))
	_, _, h := b.get("/")
	if spy.saves.Load() != 1 || len(h["Set-Cookie"]) != 1 {
		t.Errorf("%d saves, %d cookies", spy.saves.Load(), len(h["Set-Cookie"]))
	}
}

func TestSavingTwiceSetsOneCookie(t *testing.T) {
	m := manager(t, gorilla.NewCookieStore(testKey), sessions.Options{})
	b := serve(t, m.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "other", Value: "1"})
		s := sessions.From(r.Context())
		for n := range 3 {
			_ = s.Set("n", n)
			if err := s.Save(r.Context()); err != nil {
				t.Error(err)
			}
		}
	})))
	_, _, h := b.get("/")
	if got := h["Set-Cookie"]; len(got) != 2 || m.Open(with(b.cookie())).Get("n") != 2 {
		t.Errorf("cookies %q", got)
	}
}

func TestHijackAndDeadlinesReachThrough(t *testing.T) {
	eachStore(t, func(t *testing.T, store gorilla.Store) {
		m := manager(t, store, sessions.Options{})
		b := serve(t, m.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Errorf("SetReadDeadline: %v", err)
			}
			_ = sessions.From(r.Context()).Set("n", 1)
			conn, rw, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Errorf("Hijack: %v", err)
				return
			}
			defer conn.Close()
			if err := sessions.From(r.Context()).Set("n", 2); !errors.Is(err, sessions.ErrTooLate) {
				t.Errorf("a write after Hijack gave %v", err)
			}
			fmt.Fprintf(rw, "HTTP/1.1 299 Raw\r\nContent-Length: 0\r\nConnection: close\r\nSet-Cookie: %s\r\n\r\n", w.Header().Get("Set-Cookie"))
			_ = rw.Flush()
		})))
		if code, _, _ := b.get("/"); code != 299 {
			t.Errorf("status %d", code)
		}
		if n := m.Open(with(b.cookie())).Get("n"); n != 1 {
			t.Errorf("n = %v was saved before the hijack", n)
		}
	})
}

func TestHijackUnsupported(t *testing.T) {
	m := manager(t, gorilla.NewCookieStore(testKey), sessions.Options{})
	h := m.Middleware(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if _, _, err := http.NewResponseController(w).Hijack(); !errors.Is(err, http.ErrNotSupported) {
			t.Errorf("Hijack = %v", err)
		}
	}))
	h.ServeHTTP(httptest.NewRecorder(), with(""))
}
