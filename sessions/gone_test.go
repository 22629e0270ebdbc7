package sessions_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/siokit/siokit/sessions"
)

func TestSharedSessionGone(t *testing.T) {
	a := shared(t)
	conn := a.connect()
	running := event(conn)
	set(t, running, "lost", "x")
	old := a.cookie()
	a.get("/renew")
	if a.cookie() == old {
		t.Fatal("the cookie is the same")
	}
	err := a.m.SaveSession(running)
	if !errors.Is(err, sessions.ErrSessionGone) {
		t.Errorf("saving into a renewed session = %v", err)
	}
	var forClient interface{ ClientError() (string, any) }
	if !errors.As(err, &forClient) {
		t.Error("the client does not learn why")
	}
	e := event(conn)
	s := sessions.From(e)
	if s.Get("n") != nil || len(s.Values()) != 0 || s.ID() != "" || !s.IsNew() || s.Err() != nil {
		t.Errorf("a session that is gone shows %v, id %q, err %v", s.Values(), s.ID(), s.Err())
	}
	for what, err := range map[string]error{"Set": s.Set("a", 1), "Delete": s.Delete("a"), "Clear": s.Clear()} {
		if !errors.Is(err, sessions.ErrSessionGone) {
			t.Errorf("%s = %v", what, err)
		}
	}
	a.end(e)
	a.expectHTTP("n", "1") // came along
	a.expectHTTP("lost", "<nil>")
	if got := a.m.Open(with(old)); !got.IsNew() {
		t.Errorf("the old session is back: %v", got.Values())
	}
	fresh := event(a.connect()) // what the page does
	a.expect(fresh, "n", 1)
}

// A route that began before a logout must not bring the deleted session back.
func TestSharedHTTPDoesNotRevive(t *testing.T) {
	a := shared(t)
	old := a.cookie()
	_, s := a.m.Attach(discard{}, with(old))
	if err := s.Set("late", "x"); err != nil {
		t.Fatal(err)
	}
	a.get("/renew")
	if err := s.Commit(); !errors.Is(err, sessions.ErrSessionGone) {
		t.Errorf("Commit = %v", err)
	}
	if got := a.m.Open(with(old)); !got.IsNew() {
		t.Errorf("the old session is back: %v", got.Values())
	}

	inside := make(chan struct{})
	goOn := make(chan struct{})
	slow := serve(t, a.m.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = sessions.From(r.Context()).Set("late", "x")
		close(inside)
		<-goOn
		_, _ = w.Write([]byte("done"))
	})))
	req := with(a.cookie())
	req.URL.Scheme, req.URL.Host, req.RequestURI = "http", slow.srv.Listener.Addr().String(), ""
	code := make(chan int, 1)
	go func() {
		resp, err := slow.c.Do(req)
		if err != nil {
			t.Error(err)
			code <- 0
			return
		}
		resp.Body.Close()
		code <- resp.StatusCode
	}()
	<-inside
	a.get("/renew")
	close(goOn)
	if got := <-code; got != http.StatusConflict {
		t.Errorf("the late route answered %d", got)
	}
}

// A write that a socket saved a moment before the login belongs to the new session.
func TestSharedRenewTakesTheLatestValues(t *testing.T) {
	a := shared(t)
	conn := a.connect()
	w := &headerWriter{h: http.Header{}}
	r, s := a.m.Attach(w, with(a.cookie()))
	if err := s.Set("mine", "m"); err != nil {
		t.Fatal(err)
	}
	e := event(conn)
	set(t, e, "socket", "s")
	a.end(e)
	if _, err := a.m.Renew(r.Context(), map[string]any{"new": "x"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Set("after", "a"); err != nil { // merged with what Renew saved
		t.Fatal(err)
	}
	if err := s.Commit(); err != nil {
		t.Fatal(err)
	}
	c, err := http.ParseSetCookie(w.h.Get("Set-Cookie"))
	if err != nil || len(w.h["Set-Cookie"]) != 1 {
		t.Fatal(err, w.h)
	}
	got := a.m.Open(with(c.Value))
	for key, want := range map[string]any{"n": 1, "mine": "m", "socket": "s", "new": "x", "after": "a"} {
		if got.Get(key) != want {
			t.Errorf("%s = %v, want %v", key, got.Get(key), want)
		}
	}
}

type headerWriter struct {
	discard
	h http.Header
}

func (w *headerWriter) Header() http.Header { return w.h }
