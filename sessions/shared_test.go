package sessions_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	gorilla "github.com/gorilla/sessions"

	"github.com/siokit/siokit/sessions"
)

// eventContext is the context of one socket event, as core makes one.
type eventContext struct {
	context.Context
	slot atomic.Value
}

func (c *eventContext) Value(key any) any {
	if key == sessions.EventKey {
		return &c.slot
	}
	return c.Context.Value(key)
}

func event(connection context.Context) *eventContext { return &eventContext{Context: connection} }

type derivedKey struct{}

// sharedApp is an application with a server-side store, whose browser has a session with n = 1.
type sharedApp struct {
	*browser
	m     *sessions.Manager
	store *spyStore
}

func shared(t *testing.T) *sharedApp {
	t.Helper()
	store := &spyStore{Store: gorilla.NewFilesystemStore(t.TempDir(), testKey)}
	m := manager(t, store, sessions.Options{Mode: sessions.Shared})
	mux := http.NewServeMux()
	mux.HandleFunc("/", counter)
	mux.HandleFunc("/set", func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.From(r.Context()).Set(r.FormValue("key"), r.FormValue("value")); err != nil {
			http.Error(w, err.Error(), http.StatusTeapot)
		}
	})
	mux.HandleFunc("/get", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, sessions.From(r.Context()).Get(r.FormValue("key")))
	})
	mux.HandleFunc("/renew", func(w http.ResponseWriter, r *http.Request) {
		if _, err := m.Renew(r.Context(), nil); err != nil {
			http.Error(w, err.Error(), http.StatusTeapot)
		}
	})
	a := &sharedApp{browser: serve(t, m.Middleware(mux)), m: m, store: store}
	a.get("/")
	return a
}

func (a *sharedApp) connect() context.Context {
	a.t.Helper()
	ctx, err := a.m.BindSession(with(a.cookie()))
	if err != nil {
		a.t.Fatal(err)
	}
	return ctx
}

// end is what core does after a handler.
func (a *sharedApp) end(ctx context.Context) {
	a.t.Helper()
	if err := a.m.SaveSession(ctx); err != nil {
		a.t.Fatal(err)
	}
}

func (a *sharedApp) expect(ctx context.Context, key string, want any) {
	a.t.Helper()
	if got := sessions.From(ctx).Get(key); got != want {
		a.t.Errorf("the socket sees %s = %v, want %v", key, got, want)
	}
}

func (a *sharedApp) expectHTTP(key, want string) {
	a.t.Helper()
	if _, got, _ := a.get("/get?key=" + key); got != want {
		a.t.Errorf("HTTP sees %s = %s, want %s", key, got, want)
	}
}

func set(t *testing.T, ctx context.Context, key string, value any) {
	t.Helper()
	if err := sessions.From(ctx).Set(key, value); err != nil {
		t.Fatal(err)
	}
}

func TestSharedIsSeenBothWays(t *testing.T) {
	a := shared(t)
	conn := a.connect()

	first := event(conn)
	a.expect(first, "n", 1)
	set(t, first, "theme", "dark")
	a.expectHTTP("theme", "<nil>") // not before the handler has ended
	a.end(first)
	a.expectHTTP("theme", "dark")

	a.get("/set?key=theme&value=light")
	second := event(conn)
	a.expect(second, "theme", "light")
	if err := sessions.From(second).Delete("theme"); err != nil {
		t.Fatal(err)
	}
	a.end(second)
	a.expectHTTP("theme", "<nil>")
	a.expectHTTP("n", "1")
}

func TestSharedLoadsOncePerEvent(t *testing.T) {
	a := shared(t)
	conn := a.connect()
	before := a.store.loads.Load()
	one := event(conn)
	derived := context.WithValue(one, derivedKey{}, 1)
	a.expect(one, "n", 1)
	a.get("/") // n = 2
	inHTTP := a.store.loads.Load() - before - 1
	a.expect(derived, "n", 1)
	if got := a.store.loads.Load() - before - inHTTP; got != 1 {
		t.Errorf("one event loaded %d times", got)
	}
	if sessions.From(one) != sessions.From(derived) {
		t.Error("a derived context has another session")
	}
	saves := a.store.saves.Load()
	a.end(one)
	if a.store.saves.Load() != saves {
		t.Error("an event that only read was saved")
	}
	two := event(conn)
	a.expect(two, "n", 2)
	a.end(two)

	loads := a.store.loads.Load()
	for range 3 {
		a.end(event(conn))
	}
	if a.store.loads.Load() != loads {
		t.Error("events that do not use the session asked the store")
	}
}

// The handshake has loaded the session: Authenticate must not cost another load.
func TestSharedHandshakeLoadsOnce(t *testing.T) {
	a := shared(t)
	before := a.store.loads.Load()
	conn := a.connect()
	s := sessions.From(conn)
	if s.Get("n") != 1 || s.ID() == "" || s.IsNew() || s.Err() != nil || !s.InSocket() {
		t.Errorf("the handshake sees %v, id %q", s.Values(), s.ID())
	}
	if got := a.store.loads.Load() - before; got != 1 {
		t.Errorf("the handshake loaded %d times", got)
	}
}

func TestSharedMergesByKey(t *testing.T) {
	a := shared(t)
	tabs := []context.Context{a.connect(), a.connect()}
	one, two := event(tabs[0]), event(tabs[1])
	a.expect(one, "n", 1)
	a.expect(two, "n", 1) // both have loaded the same state
	set(t, one, "one", "x")
	set(t, one, "both", "first")
	set(t, two, "two", "y")
	set(t, two, "both", "second")
	a.get("/set?key=http&value=z")
	a.end(one)
	a.end(two)
	for key, want := range map[string]string{"one": "x", "two": "y", "http": "z", "both": "second", "n": "1"} {
		a.expectHTTP(key, want)
	}
}

// An HTTP handler that is still running must not undo what a socket saved meanwhile.
func TestSharedHTTPMergesToo(t *testing.T) {
	a := shared(t)
	conn := a.connect()
	r, s := a.m.Attach(discard{}, with(a.cookie()))
	if sessions.From(r.Context()).Get("n") != 1 {
		t.Fatal("HTTP does not see its own session")
	}
	e := event(conn)
	set(t, e, "socket", "s")
	a.end(e)
	if err := s.Set("route", "r"); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(); err != nil {
		t.Fatal(err)
	}
	a.expectHTTP("socket", "s")
	a.expectHTTP("route", "r")
}

type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}

// Run under -race. Each writer has a key of its own and must find every one of its writes.
func TestSharedManyWriters(t *testing.T) {
	a := shared(t)
	const writers, rounds = 8, 10
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			key := fmt.Sprintf("k%d", i)
			conn := a.connect()
			for j := range rounds {
				if i == 0 {
					if code, body, _ := a.get(fmt.Sprintf("/set?key=k0&value=%d", j)); code != http.StatusOK {
						t.Errorf("HTTP: %d %s", code, body)
					}
					continue
				}
				e := event(conn)
				if got := sessions.From(e).Get(key); j > 0 && got != fmt.Sprint(j-1) {
					t.Errorf("%s = %v before write %d", key, got, j)
				}
				if err := sessions.From(e).Set(key, fmt.Sprint(j)); err != nil {
					t.Error(err)
				}
				if err := a.m.SaveSession(e); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for i := range writers {
		a.expectHTTP(fmt.Sprintf("k%d", i), fmt.Sprint(rounds-1))
	}
}

// Two namespaces of one connection, or two events with core.Concurrent.
func TestSharedEventsOfOneConnectionAreApart(t *testing.T) {
	a := shared(t)
	conn := a.connect()
	slow, quick := event(conn), event(conn)
	a.expect(slow, "n", 1)
	set(t, slow, "draft", "unfinished")
	a.expect(quick, "draft", nil)
	set(t, quick, "quick", "q")
	a.end(quick)
	a.expectHTTP("draft", "<nil>")
	a.expectHTTP("quick", "q")
	a.expect(slow, "quick", nil) // one event sees one state
	a.end(slow)
	a.expectHTTP("draft", "unfinished")
	a.expectHTTP("quick", "q")
}

func TestSharedSaveAndClear(t *testing.T) {
	a := shared(t)
	conn := a.connect()
	e := event(conn)
	set(t, e, "a", "1")
	a.get("/set?key=b&value=2")
	if err := sessions.From(e).Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	if sessions.From(e).Modified() {
		t.Error("modified after Save")
	}
	a.expectHTTP("a", "1")
	a.expect(e, "b", "2") // Save brought it along
	if err := sessions.From(e).Clear(); err != nil {
		t.Fatal(err)
	}
	set(t, e, "c", "3")
	a.end(e)
	for key, want := range map[string]string{"a": "<nil>", "b": "<nil>", "n": "<nil>", "c": "3"} {
		a.expectHTTP(key, want)
	}
}

// A goroutine that the handler left behind, and code that has only the connection's context.
func TestSharedAfterTheEvent(t *testing.T) {
	a := shared(t)
	conn := a.connect()
	unused, used := event(conn), event(conn)
	a.expect(used, "n", 1)
	kept := sessions.From(used)
	a.end(unused)
	a.end(used)
	for name, ctx := range map[string]context.Context{"unused": unused, "used": used, "connection": conn} {
		a.get("/set?key=from&value=" + name)
		a.expect(ctx, "from", name) // nothing old
		set(t, ctx, "to", name)
		a.expectHTTP("to", name) // and saved at once
		if sessions.From(ctx).Modified() {
			t.Errorf("%s: still modified", name)
		}
	}
	if err := kept.Set("kept", "yes"); err != nil {
		t.Fatal(err)
	}
	a.expectHTTP("kept", "yes")
	if err := kept.Set("bad", func() {}); err == nil {
		t.Error("a value that cannot be stored was taken")
	}
	if err := kept.Set("good", "x"); err != nil {
		t.Errorf("a failed write haunts the next one: %v", err)
	}
}

// The client has gone; OnDisconnect and background work may still write.
func TestSharedAfterTheClientLeft(t *testing.T) {
	a := shared(t)
	ctx, leave := context.WithCancel(t.Context())
	conn, err := a.m.BindSession(with(a.cookie()).WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	leave()
	e := event(conn)
	a.expect(e, "n", 1)
	set(t, e, "left", "yes")
	a.end(e)
	a.expectHTTP("left", "yes")
}

func TestSharedWithoutASession(t *testing.T) {
	a := shared(t)
	before := a.store.loads.Load()
	conn, err := a.m.BindSession(with(""))
	if err != nil {
		t.Fatal(err)
	}
	e := event(conn)
	a.expect(e, "n", nil)
	if err := sessions.From(e).Set("a", 1); !errors.Is(err, sessions.ErrNoSession) {
		t.Errorf("Set = %v", err)
	}
	a.end(e)
	a.expect(e, "n", nil)
	if err := a.m.Erase(e); err != nil {
		t.Errorf("Erase = %v", err)
	}
	if got := a.store.loads.Load() - before; got > 2 { // the handshake, and its diagnosis
		t.Errorf("a visitor without a session cost %d loads", got)
	}
}

// Logout revokes first, so the checks refuse the session that Erase is to delete.
func TestSharedEraseInASocket(t *testing.T) {
	a := shared(t)
	conn := a.connect()
	other := event(a.connect())
	a.expect(other, "n", 1)
	var refuse atomic.Bool
	a.m.Check(func(context.Context, string, func(string) any) (bool, error) { return !refuse.Load(), nil })
	refuse.Store(true)
	e := event(conn)
	if err := a.m.Erase(e); err != nil {
		t.Fatal(err)
	}
	a.expect(e, "n", nil)
	a.end(e)
	refuse.Store(false)
	if got := a.m.Open(with(a.cookie())); !got.IsNew() {
		t.Errorf("the record is still there: %v", got.Values())
	}
	if err := sessions.From(other).Set("a", 1); err != nil {
		t.Fatal(err) // it had loaded before
	}
	if err := a.m.SaveSession(other); !errors.Is(err, sessions.ErrSessionGone) {
		t.Errorf("another tab's save = %v", err)
	}
}

func TestSharedStoreOutage(t *testing.T) {
	a := shared(t)
	conn := a.connect()
	a.end(event(conn))
	a.store.loadErr = errOutage
	e := event(conn)
	s := sessions.From(e)
	if s.Get("n") != nil || !errors.Is(s.Err(), errOutage) {
		t.Errorf("Err = %v", s.Err())
	}
	if err := s.Set("a", 1); !errors.Is(err, errOutage) {
		t.Errorf("Set = %v", err)
	}
	a.end(e)
	a.store.loadErr = nil

	e = event(conn)
	a.expect(e, "n", 1) // back at the next event
	set(t, e, "a", "1")
	a.store.saveErr = errOutage
	if err := sessions.From(e).Save(t.Context()); !errors.Is(err, errOutage) || !sessions.From(e).Modified() {
		t.Errorf("Save = %v", err)
	}
	a.store.saveErr = nil
	a.end(e) // tried again
	a.expectHTTP("a", "1")
}

// holdStore stops in Save until it is told to go on.
type holdStore struct {
	gorilla.Store
	armed   atomic.Bool
	entered chan struct{}
	goOn    chan struct{}
}

func (s *holdStore) Save(r *http.Request, w http.ResponseWriter, gs *gorilla.Session) error {
	if s.armed.CompareAndSwap(true, false) {
		close(s.entered)
		<-s.goOn
	}
	return s.Store.Save(r, w, gs)
}

func TestSharedWaitsForAnotherSaveAndNoLonger(t *testing.T) {
	store := &holdStore{Store: gorilla.NewFilesystemStore(t.TempDir(), testKey), entered: make(chan struct{}), goOn: make(chan struct{})}
	m := manager(t, store, sessions.Options{Mode: sessions.Shared})
	b := serve(t, m.Middleware(http.HandlerFunc(counter)))
	b.get("/")
	bind := func() context.Context {
		ctx, err := m.BindSession(with(b.cookie()))
		if err != nil {
			t.Fatal(err)
		}
		return event(ctx)
	}
	first, second := bind(), bind()
	set(t, first, "a", "1")
	set(t, second, "b", "2")
	store.armed.Store(true)
	saved := make(chan error)
	go func() { saved <- m.SaveSession(first) }()
	<-store.entered

	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := sessions.From(second).Save(cancelled); !errors.Is(err, context.Canceled) {
		t.Errorf("Save while another saves, with a cancelled context = %v", err)
	}
	close(store.goOn)
	if err := <-saved; err != nil {
		t.Fatal(err)
	}
	if err := m.SaveSession(second); err != nil {
		t.Fatal(err)
	}
	s := m.Open(with(b.cookie()))
	if s.Get("a") != "1" || s.Get("b") != "2" {
		t.Errorf("left: %v", s.Values())
	}
}
